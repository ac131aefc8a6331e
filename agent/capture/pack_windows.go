package capture

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/windows"

	"github.com/stickpress/stickpress/agent/tool"
	"github.com/stickpress/stickpress/agent/wim"
)

// Supported reports whether captures can be made on this system.
const Supported = true

// CopyName is what the file of Copy is called.
const CopyName = diskName

// Ready returns the fault tool_missing if what a capture needs is not
// installed.
func Ready() error { return tool.Look(diskpart, wim.Dism) }

// newCopy begins what DISM makes an image of: a virtual disk.
func (v *Volume) newCopy(path string) (copyFile, error) {
	return newDiskCopy(path, v.size, v.sector)
}

// full makes a full disk syscall.ENOSPC, which Windows says in words of its
// own.
func full(err error) error {
	if errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) {
		return fmt.Errorf("%w: %w", syscall.ENOSPC, err)
	}
	return err
}

func runTool(ctx context.Context, c tool.Command) error { return c.Run(ctx) }

// Pack makes the WIM file path from the copy that Copy made. progress counts
// bytes of file data. Errors are faults where the cause is known, and wrap
// syscall.ENOSPC when the disk ran full.
func (v *Volume) Pack(ctx context.Context, disk, path, description string, progress func(done, total int64)) error {
	return v.packAttached(ctx, newAttachment(disk, path), description, runTool, progress)
}

// Sweep lets go of the disk that a killed program left attached in the folder
// of a capture, so that it can be removed.
func Sweep(dir string) error { return detachLeft(context.Background(), dir, runTool) }
