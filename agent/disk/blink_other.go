//go:build !linux && !windows

package disk

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Blink returns errors.ErrUnsupported on this system.
func (l *Lister) Blink(context.Context, protocol.Identity, func() time.Time, func(context.Context, time.Duration) error) error {
	return fmt.Errorf("let a stick flash on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
