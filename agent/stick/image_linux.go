package stick

import (
	"github.com/stickpress/stickpress/agent/tool"
	"github.com/stickpress/stickpress/agent/wim"
)

// imageTool applies images on this system.
func imageTool() wim.Tool { return wim.Wimlib{} }

// tools are the programs that a preparation needs besides those of agent/fat.
func (p *preparation) tools() []tool.Command {
	return append([]tool.Command{mkntfs, ntfscp}, wim.Tools...)
}
