//go:build !linux

package stick

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/stickpress/stickpress/agent/tool"
	"github.com/stickpress/stickpress/agent/wim"
)

// errUnsupported ends a preparation before it begins: what applies an image
// to a volume in a file, wimlib with ntfs-3g, exists on Linux alone.
var errUnsupported = fmt.Errorf("prepare a master on %s: %w", runtime.GOOS, errors.ErrUnsupported)

type lock struct{}

func tryLock(string) (*lock, error) { return nil, errUnsupported }

func acquire(context.Context, string, func(done, total int64)) (*lock, error) {
	return nil, errUnsupported
}

func (*lock) note(_, _ int64) {}
func (*lock) release()        {}

func imageTool() wim.Tool { return nil }

func (*preparation) tools() []tool.Command { return nil }

func freeBytes(string) (int64, error) { return 0, errUnsupported }
