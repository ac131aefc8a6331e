package capture

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/stickpress/stickpress/agent/tool"
	"github.com/stickpress/stickpress/agent/wim"
)

// Supported reports whether captures can be made on this system.
const Supported = true

// CopyName is what the file of Copy is called.
const CopyName = "volume"

// Ready returns the fault tool_missing if what a capture needs is not
// installed.
func Ready() error { return tool.Look(wim.Tools...) }

// bareCopy is the volume itself, sparse.
type bareCopy struct{ *os.File }

func newBareCopy(path string, size int64) (copyFile, error) {
	f, err := create(path)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(size); err != nil {
		return nil, errors.Join(fmt.Errorf("make a copy of the volume: %w", err), f.Close())
	}
	return bareCopy{f}, nil
}

// Finish implements copyFile.
func (c bareCopy) Finish() error { return c.Close() }

// newCopy begins what wimlib makes an image of: the volume in a file.
func (v *Volume) newCopy(path string) (copyFile, error) { return newBareCopy(path, v.size) }

// full is the error as it is: a full disk is syscall.ENOSPC.
func full(err error) error { return err }

// Pack makes the WIM file path from the copy that Copy made. progress counts
// bytes of file data. Errors are those of wim.Wimlib's Capture.
func (v *Volume) Pack(ctx context.Context, volume, path, description string, progress func(done, total int64)) error {
	return wim.Wimlib{}.Capture(ctx, volume, path, v.exclude, v.Windows.properties(description), progress)
}

// Sweep has nothing to let go of: what a killed program left is removed with
// its folder.
func Sweep(string) error { return nil }
