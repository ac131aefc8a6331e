//go:build !linux

package capture

import (
	"context"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Supported reports whether captures can be made on this system.
const Supported = false

// Ready says that nothing here makes images: wimlib is called on Linux only.
func Ready() error {
	return protocol.NewFault(protocol.FaultToolMissing, "tool", "wimlib-imagex", "package", "wimtools")
}

// Pack returns what Ready returns.
func (v *Volume) Pack(context.Context, string, string, string, func(done, total int64)) error {
	return Ready()
}
