package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/windows"

	"github.com/stickpress/stickpress/agent/disk/drive"
	"github.com/stickpress/stickpress/agent/protocol"
)

// Handle is a device opened for exclusive use. Reads and writes go past the
// host's cache: offsets and lengths are multiples of SectorSize; buffers may
// lie anywhere, aligned ones save a copy. ReadAt and WriteAt may be called from
// several goroutines.
//
// A device that disappears gives device_gone, other failed writes give
// write_failed; Touched says whether a write was ever let through.
type Handle struct {
	lister  *Lister
	device  protocol.Device
	number  uint32    // of the disk
	path    string    // its interface, by which the device manager knows it
	usb     node      // the USB device; 0 when not USB
	file    *fileInfo // of a virtual stick
	why     purpose
	disk    windows.Handle   // \\.\PhysicalDriveN, or the file
	volumes []windows.Handle // locked
	direct  bool
	ready   func() error // the last check, made once
	forgot  atomic.Bool  // Windows, the old partitions
	old     drive.Layout // those
	close   func() error
	fate
}

func newHandle(l *Lister, c *candidate, why purpose) *Handle {
	h := &Handle{
		lister: l, device: c.Device, number: c.Number, path: c.path, usb: c.usb, file: c.file, why: why,
		disk: windows.InvalidHandle, direct: true, old: c.Layout,
	}
	h.forgot.Store(len(c.Layout.Partitions) == 0)
	h.ready = sync.OnceValue(h.Check)
	h.close = sync.OnceValue(func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.open[c.Path] == h {
			delete(l.open, c.Path)
		}
		return h.release()
	})
	return h
}

// release closes what is open: the disk, then the volumes, which unlocks them.
func (h *Handle) release() error {
	var errs []error
	if h.disk != windows.InvalidHandle {
		errs = append(errs, windows.CloseHandle(h.disk))
		h.disk = windows.InvalidHandle
	}
	for _, v := range h.volumes {
		errs = append(errs, windows.CloseHandle(v))
	}
	h.volumes = nil
	return errors.Join(errs...)
}

// ReadAt reads len(p) bytes from the device itself, not from a cache.
func (h *Handle) ReadAt(p []byte, off int64) (int, error) {
	if err := h.bounds(off, int64(len(p))); err != nil {
		return 0, err
	}
	n, err := h.transfer(p, off, func(b, p []byte, off int64) (int, error) {
		n, err := readAt(h.disk, b, off)
		copy(p, b[:n])
		if err == nil && n < len(b) {
			err = io.ErrUnexpectedEOF
		}
		return n, err
	})
	if err != nil {
		return n, h.failed(fmt.Errorf("read %s at %d: %w", h.device.Path, off+int64(n), err))
	}
	return n, nil
}

// WriteAt writes all of p or returns an error. Before the first byte that
// this Handle ever writes it runs Check; if that fails, nothing is written
// and every write returns the same fault.
func (h *Handle) WriteAt(p []byte, off int64) (int, error) {
	if err := h.arm(off, int64(len(p))); err != nil {
		return 0, err
	}
	n, err := h.transfer(p, off, func(b, p []byte, off int64) (int, error) {
		copy(b, p)
		return writeAt(h.disk, b, off)
	})
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return n, h.writeFailed(off+int64(n), err)
	}
	return n, nil
}

// Sync returns when the device says that everything is on its medium. As long
// as Windows still knows the old partitions it is made to look at the table
// again, which is wiped before anything else is written: then it can neither
// mount them over the new content nor refuse writes to where they were. Through
// a Handle for reading nothing was written.
func (h *Handle) Sync() error {
	if h.why == toRead {
		return nil
	}
	if err := windows.FlushFileBuffers(h.disk); err != nil {
		return h.writeFailed(h.device.Bytes, err)
	}
	if h.file == nil && h.touched.Load() && !h.forgot.Load() {
		h.update()
		raw, err := controlGrowing(h.disk, drive.GetLayout, nil)
		if err != nil {
			return h.writeFailed(h.device.Bytes, fmt.Errorf("read the partitions of %s again: %w", h.device.Path, err))
		}
		now, err := drive.DecodeLayout(raw)
		if err != nil {
			return err
		}
		h.forgot.Store(!slices.Equal(now.Partitions, h.old.Partitions))
	}
	return nil
}

// DropCaches is Sync: the handle reads and writes past Windows's cache, and a
// flush goes through to the device's own.
func (h *Handle) DropCaches() error { return h.Sync() }

// update has Windows read the partition table again. That it may not work
// changes nothing on the device.
func (h *Handle) update() { _, _ = control(h.disk, drive.UpdateProperties, nil, 0) }

// Discard tells the device that a range holds nothing; what it reads as
// afterwards is the device's choice. It returns errors.ErrUnsupported where
// the device cannot.
func (h *Handle) Discard(off, length int64) error {
	if err := h.arm(off, length); err != nil {
		return err
	}
	code, question := uint32(drive.ManageDataSet), drive.EncodeTrim(off, length)
	if h.file != nil {
		code, question = drive.SetZeroData, zeroData(off, length)
	}
	_, err := control(h.disk, code, question, 0)
	switch {
	case errors.Is(err, windows.ERROR_NOT_SUPPORTED), errors.Is(err, windows.ERROR_INVALID_FUNCTION),
		errors.Is(err, windows.ERROR_INVALID_PARAMETER):
		return fmt.Errorf("discard on %s: %w", h.device.Path, errors.ErrUnsupported)
	case err != nil:
		return h.writeFailed(off, err)
	}
	return nil
}

// Close ends the claim. Windows looks at the device then; Eject first if it
// should not be seen. A second Close returns the same.
func (h *Handle) Close() error {
	if h.file == nil && h.touched.Load() {
		h.update()
	}
	return h.close()
}

// Eject finishes with the device and makes it safe to pull out: what was
// written is flushed, the claim ends, and Windows is asked to take the USB
// device out, as "Safely Remove Hardware" does. It is listed again when it is
// plugged in again. A device with other disks on it, a card reader, stays. The
// claim ends in every case, also when an error is returned.
func (h *Handle) Eject() error {
	defer h.Close()
	if err := h.Sync(); err != nil {
		return err
	}
	if h.usb == 0 || h.neighbours() {
		return h.Close()
	}
	// An open handle forbids it; and until it is out, Windows must not learn
	// of the new volumes, so this is not Close.
	if err := h.close(); err != nil {
		return err
	}
	if err := h.usb.eject(); err != nil {
		return fmt.Errorf("eject %s: %w", h.device.Path, err)
	}
	return nil
}

// neighbours reports whether other disks are on the same USB device.
func (h *Handle) neighbours() bool {
	paths, err := interfaces("", &interfaceDisk)
	if err != nil {
		return true
	}
	for _, path := range paths {
		if path == h.path {
			continue
		}
		instance, err := instanceOf(path)
		if err != nil {
			continue // it went away
		}
		self, err := findNode(instance)
		if err != nil {
			continue
		}
		if usb, _, ok := self.usbAncestor(); ok && usb == h.usb {
			return true
		}
	}
	return false
}

// arm lets a change of the device through, or not.
func (h *Handle) arm(off, length int64) error {
	if h.why == toRead {
		return protocol.NewFault(protocol.FaultReadOnly, "path", h.device.Path)
	}
	if err := h.bounds(off, length); err != nil {
		return err
	}
	if f := h.lost.Load(); f != nil {
		return f
	}
	if err := h.ready(); err != nil {
		return err
	}
	h.touched.Store(true)
	return nil
}

func (h *Handle) writeFailed(off int64, err error) error {
	err = h.failed(err)
	var f *protocol.Fault
	if !errors.As(err, &f) {
		f = protocol.WrapFault(err, protocol.FaultWrite, "offset", off, "path", h.device.Path)
	}
	f.Touched = h.touched.Load()
	return f
}

// failed turns the error of an unplugged device into device_gone and returns
// others as they are.
func (h *Handle) failed(err error) error {
	if h.file != nil || errors.Is(err, os.ErrClosed) || !drive.Gone(err) && !drive.NoMedium(err) {
		return err
	}
	return h.gone(err)
}
