//go:build !linux && !windows

package capture

import (
	"context"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Supported reports whether captures can be made on this system.
const Supported = false

// CopyName is what the file of Copy would be called.
const CopyName = "volume"

// Ready says that nothing here makes images: wimlib is called on Linux only,
// DISM on Windows.
func Ready() error {
	return protocol.NewFault(protocol.FaultToolMissing, "tool", "wimlib-imagex", "package", "wimtools")
}

func (v *Volume) newCopy(string) (copyFile, error) { return nil, Ready() }

func full(err error) error { return err }

// Pack returns what Ready returns.
func (v *Volume) Pack(context.Context, string, string, string, func(done, total int64)) error {
	return Ready()
}

// Sweep does nothing.
func Sweep(string) error { return nil }
