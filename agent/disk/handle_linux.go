package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Handle is a device opened for exclusive use. Reads and writes go past the
// host's cache (direct I/O): offsets and lengths are multiples of SectorSize;
// buffers may lie anywhere, aligned ones save a copy. ReadAt and WriteAt may
// be called from several goroutines.
//
// A device that disappears gives device_gone, other failed writes give
// write_failed; Touched says whether a write was ever let through.
type Handle struct {
	lister *Lister
	device protocol.Device
	sys    string // sysfs folder of a block device
	usb    string // sysfs folder of its USB device
	file   *os.File
	direct bool
	seq    uint64 // the kernel's number of the medium; 0 before Linux 5.15
	why    purpose
	ready  func() error // the last check, made once
	close  func() error
	fate
}

func newHandle(l *Lister, c *candidate, f *os.File, why purpose) *Handle {
	h := &Handle{lister: l, device: c.Device, sys: c.sys, usb: c.usb, file: f, why: why}
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	h.direct = err == nil && flags&unix.O_DIRECT != 0
	if h.sys != "" {
		h.seq, _ = sequence(f) // Check says what is wrong with it
	}
	h.ready = sync.OnceValue(h.Check)
	h.close = sync.OnceValue(func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.open[c.Path] == h {
			delete(l.open, c.Path)
		}
		return f.Close()
	})
	return h
}

// ReadAt reads len(p) bytes from the device itself, not from a cache.
func (h *Handle) ReadAt(p []byte, off int64) (int, error) {
	if err := h.bounds(off, int64(len(p))); err != nil {
		return 0, err
	}
	if err := h.present(); err != nil {
		return 0, err
	}
	n, err := h.transfer(p, off, func(b []byte, p []byte, off int64) (int, error) {
		n, err := h.file.ReadAt(b, off)
		copy(p, b[:n])
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
	n, err := h.transfer(p, off, func(b []byte, p []byte, off int64) (int, error) {
		copy(b, p)
		return h.file.WriteAt(b, off)
	})
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return n, h.writeFailed(off+int64(n), err)
	}
	return n, nil
}

// Sync returns when the device says that everything is on its medium.
func (h *Handle) Sync() error {
	if err := h.present(); err != nil {
		return err
	}
	if err := h.file.Sync(); err != nil {
		return h.writeFailed(h.device.Bytes, err)
	}
	if !h.direct { // so that what is read back comes from the disk at least
		if err := unix.Fadvise(int(h.file.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
			return fmt.Errorf("drop the cache of %s: %w", h.device.Path, err)
		}
	}
	return nil
}

// DropCaches makes what is read next come from as deep as this host can reach.
// Sync is not enough for that: the kernel takes a stick that does not describe
// its cache to have none, and does not ask it to empty it. This asks.
func (h *Handle) DropCaches() error {
	if err := h.Sync(); err != nil {
		return err
	}
	fd := int(h.file.Fd())
	if h.sys == "" {
		if err := unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED); err != nil {
			return fmt.Errorf("drop the cache of %s: %w", h.device.Path, err)
		}
		return nil
	}
	// Sticks that do not know SYNCHRONIZE CACHE (SBC-4, 5.34) refuse it.
	_ = scsi(fd, [10]byte{0x35}, 10)
	if err := ioctl(fd, unix.BLKFLSBUF, nil); err != nil {
		return h.failed(fmt.Errorf("drop the cache of %s: %w", h.device.Path, err))
	}
	return nil
}

// Discard tells the device that a range holds nothing; what it reads as
// afterwards is the device's choice. It returns errors.ErrUnsupported where
// the device cannot.
func (h *Handle) Discard(off, length int64) error {
	if err := h.arm(off, length); err != nil {
		return err
	}
	var err error
	if h.sys == "" {
		err = unix.Fallocate(int(h.file.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, length)
	} else {
		span := [2]uint64{uint64(off), uint64(length)}
		err = ioctl(int(h.file.Fd()), unix.BLKDISCARD, unsafe.Pointer(&span))
	}
	switch {
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOTTY), errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("discard on %s: %w", h.device.Path, errors.ErrUnsupported)
	case err != nil:
		return h.writeFailed(off, err)
	}
	return nil
}

// Close ends the claim. Whoever watches for new volumes sees the device then;
// Eject first if it should not be seen. A second Close returns the same.
func (h *Handle) Close() error { return h.close() }

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
	if err := h.present(); err != nil {
		return err
	}
	h.touched.Store(true)
	return nil
}

// present notices what the kernel would go on with: a virtual stick that was
// pulled out, which is that its file was removed or renamed, and a card in whose
// slot another one is by now.
func (h *Handle) present() error {
	if h.sys != "" {
		if now, err := sequence(h.file); err == nil && now != h.seq {
			return h.gone(fmt.Errorf("medium %d of %s has become %d", h.seq, h.device.Path, now))
		}
		return nil
	}
	var open, named unix.Stat_t
	err := unix.Fstat(int(h.file.Fd()), &open)
	if err == nil {
		err = unix.Lstat(h.device.Path, &named)
	}
	switch {
	case err == nil && open.Dev == named.Dev && open.Ino == named.Ino:
		return nil
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return h.gone(err)
	}
	return fmt.Errorf("look for %s: %w", h.device.Path, err)
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

// vanishPatience is how long a failed transfer waits for the kernel to say
// that the device is gone: transfers fail first, the sysfs folder goes after.
const vanishPatience = 3 * time.Second

// failed turns the error of an unplugged device into device_gone and returns
// others as they are.
func (h *Handle) failed(err error) error {
	if h.sys == "" || errors.Is(err, os.ErrClosed) || errors.Is(err, unix.EINVAL) {
		return err
	}
	for deadline := time.Now().Add(vanishPatience); ; time.Sleep(20 * time.Millisecond) {
		now, gone := h.lister.connection(h.sys)
		if gone != nil || !exists(h.sys, "dev") || now != h.device.Connection ||
			errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENOMEDIUM) {
			return h.gone(err)
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}
