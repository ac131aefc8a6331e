package capture

import (
	"context"

	"github.com/stickpress/stickpress/agent/tool"
	"github.com/stickpress/stickpress/agent/wim"
)

// Supported reports whether captures can be made on this system.
const Supported = true

// Ready returns the fault tool_missing if what a capture needs is not
// installed.
func Ready() error { return tool.Look(wim.Tools...) }

// Pack makes the WIM file path from the copy that Copy made. progress counts
// bytes of file data. Errors are those of wim.Wimlib's Capture.
func (v *Volume) Pack(ctx context.Context, volume, path, description string, progress func(done, total int64)) error {
	return wim.Wimlib{}.Capture(ctx, volume, path, v.exclude, v.Windows.properties(description), progress)
}
