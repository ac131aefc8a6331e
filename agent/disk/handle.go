package disk

import (
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Device returns the device as it was when it was opened.
func (h *Handle) Device() protocol.Device { return h.device }

// Unmounted lists the mount points that Open unmounted.
func (h *Handle) Unmounted() []string { return h.device.AutomountedAt }

// Size returns the device's size in bytes.
func (h *Handle) Size() int64 { return h.device.Bytes }

// SectorSize returns the logical sector size in bytes.
func (h *Handle) SectorSize() int { return h.device.SectorSize }

func (h *Handle) bounds(off, length int64) error {
	sector := int64(h.device.SectorSize)
	if off < 0 || length < 0 || off > h.device.Bytes-length || off%sector != 0 || length%sector != 0 {
		return fmt.Errorf("%d bytes at %d of %s (%d bytes in sectors of %d): %w",
			length, off, h.device.Path, h.device.Bytes, sector, fs.ErrInvalid)
	}
	return nil
}

// fate is what became of a device while it was open.
type fate struct {
	touched atomic.Bool
	lost    atomic.Pointer[protocol.Fault] // once it was gone
}

// gone is the fault of a device that is not there any more. Nothing is changed
// through the Handle from then on: what comes back in its place is another one.
func (h *Handle) gone(err error) *protocol.Fault {
	f := protocol.WrapFault(err, protocol.FaultDeviceGone, "port", h.device.Port)
	f.Touched = h.touched.Load()
	h.lost.Store(f)
	return f
}

// bounceBytes is the size of the aligned buffers for callers' unaligned ones.
const bounceBytes = 1 << 20

var bounce = sync.Pool{New: func() any { b := aligned(bounceBytes); return &b }}

// aligned returns n bytes that begin on a page, as direct I/O wants them.
func aligned(n int) []byte {
	const page = 4096
	b := make([]byte, n+page)
	skip := (page - int(uintptr(unsafe.Pointer(&b[0]))%page)) % page
	return b[skip : skip+n : skip+n]
}

// transfer runs move over p, through an aligned buffer where p is not. A move
// gets the buffer for the kernel and the caller's bytes, which may be one.
func (h *Handle) transfer(p []byte, off int64, move func(b, p []byte, off int64) (int, error)) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if !h.direct || uintptr(unsafe.Pointer(&p[0]))%uintptr(h.device.SectorSize) == 0 {
		return move(p, p, off)
	}
	b := bounce.Get().(*[]byte)
	defer bounce.Put(b)
	done := 0
	for done < len(p) {
		step := min(len(p)-done, bounceBytes)
		n, err := move((*b)[:step], p[done:done+step], off+int64(done))
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}
