package stick

import (
	"os"

	"github.com/stickpress/stickpress/agent/tool"
	"github.com/stickpress/stickpress/agent/wim"
)

// imageTool applies images on this system.
func imageTool() wim.Tool { return wim.Wimlib{} }

// localHost is nil: there are better tools than those of Windows.
func localHost() *windowsHost { return nil }

// removeWork removes what an unfinished preparation left.
func removeWork(dir string) error { return removeTree(dir) }

// removeTree removes a file, or a folder with all that it holds.
func removeTree(path string) error { return os.RemoveAll(path) }

// tools are the programs that a preparation needs besides those of agent/fat.
func (p *preparation) tools() []tool.Command {
	return append([]tool.Command{mkntfs, ntfscp}, wim.Tools...)
}
