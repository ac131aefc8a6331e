package disk

import (
	"context"

	"golang.org/x/sys/windows"

	"github.com/stickpress/stickpress/agent/disk/drive"
	"github.com/stickpress/stickpress/agent/protocol"
)

// findToBlink finds the device that want names, if its light may flash: also
// one that Windows has mounted or that is write-protected.
func (l *Lister) findToBlink(ctx context.Context, want protocol.Identity) (*candidate, error) {
	c, err := l.find(ctx, want)
	if err != nil {
		return nil, err
	}
	if f := compare(c.Path, want, c.Identity); f != nil {
		return nil, f
	}
	for _, f := range l.refuse(&drive.Machine{}, c) {
		if f.Code == protocol.FaultNotRemovable || f.Code == protocol.FaultNoMedium {
			return nil, f
		}
	}
	return c, nil
}

// openFile is a device or file that is read past Windows's cache.
type openFile struct{ windows.Handle }

func openBlink(c *candidate) (openFile, error) {
	h, err := create(c.Path, windows.GENERIC_READ, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE,
		windows.FILE_FLAG_NO_BUFFERING|windows.FILE_FLAG_OPEN_REPARSE_POINT)
	return openFile{h}, err
}

// ReadAt reads at an offset of the device; less than p at its end.
func (f openFile) ReadAt(p []byte, off int64) (int, error) { return readAt(f.Handle, p, off) }

// Close ends the use of the device.
func (f openFile) Close() error { return windows.CloseHandle(f.Handle) }
