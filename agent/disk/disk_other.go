//go:build !linux && !windows

package disk

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/stickpress/stickpress/agent/protocol"
)

var errUnsupported = fmt.Errorf("devices on %s: %w", runtime.GOOS, errors.ErrUnsupported)

// List returns errors.ErrUnsupported on this system.
func (l *Lister) List(context.Context) ([]protocol.Device, error) { return nil, errUnsupported }

// Watch returns a channel that never signals and is closed with ctx.
func (l *Lister) Watch(ctx context.Context) <-chan struct{} {
	c := make(chan struct{})
	context.AfterFunc(ctx, func() { close(c) })
	return c
}

// Open returns errors.ErrUnsupported on this system.
func (l *Lister) Open(context.Context, protocol.Identity) (*Handle, error) {
	return nil, errUnsupported
}

// OpenToRead returns errors.ErrUnsupported on this system.
func (l *Lister) OpenToRead(context.Context, protocol.Identity) (*Handle, error) {
	return nil, errUnsupported
}

// Handle is a device opened for exclusive use; on this system there is none.
type Handle struct {
	device protocol.Device
	direct bool
	fate
}

// Check returns errors.ErrUnsupported.
func (h *Handle) Check() error { return errUnsupported }

// ReadAt returns errors.ErrUnsupported.
func (h *Handle) ReadAt([]byte, int64) (int, error) { return 0, errUnsupported }

// WriteAt returns errors.ErrUnsupported.
func (h *Handle) WriteAt([]byte, int64) (int, error) { return 0, errUnsupported }

// Sync returns errors.ErrUnsupported.
func (h *Handle) Sync() error { return errUnsupported }

// DropCaches returns errors.ErrUnsupported.
func (h *Handle) DropCaches() error { return errUnsupported }

// Discard returns errors.ErrUnsupported.
func (h *Handle) Discard(int64, int64) error { return errUnsupported }

// Close does nothing.
func (h *Handle) Close() error { return nil }

// Eject returns errors.ErrUnsupported.
func (h *Handle) Eject() error { return errUnsupported }
