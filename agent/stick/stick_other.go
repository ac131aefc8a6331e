//go:build !linux && !windows

package stick

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/stickpress/stickpress/agent/tool"
	"github.com/stickpress/stickpress/agent/wim"
)

// errUnsupported ends a preparation before it begins: wimlib with ntfs-3g, which
// applies an image to a volume in a file, exists on Linux alone, and DISM on
// Windows.
var errUnsupported = fmt.Errorf("prepare a master on %s: %w", runtime.GOOS, errors.ErrUnsupported)

func (*lock) try() (bool, error) { return false, errUnsupported }

func imageTool() wim.Tool { return nil }

func (*preparation) tools() []tool.Command { return nil }

func freeBytes(string) (int64, error) { return 0, errUnsupported }

func localHost() *windowsHost { return nil }

func removeWork(dir string) error { return removeTree(dir) }

func removeTree(path string) error { return os.RemoveAll(path) }
