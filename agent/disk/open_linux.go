package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/protocol"
)

// claimPatience is, by default, how long Open waits for those who hold a device for a
// moment: udev while it looks at it, a filesystem that was just unmounted.
const claimPatience = 5 * time.Second

// Open opens the device that want names, for exclusive use. It returns a
// *protocol.Fault: device_gone if nothing is at that port, device_changed if
// something else is, the guards' faults (but not device_too_small of a stick
// that holds anything at all), device_busy if somebody else has claimed it. What an automounter mounted from it is unmounted first; the
// other checks come before that and again afterwards, under the claim.
// No byte of the device is changed.
func (l *Lister) Open(ctx context.Context, want protocol.Identity) (*Handle, error) {
	return l.openFor(ctx, want, toWrite)
}

// OpenToRead is Open for somebody who changes nothing: the kernel refuses
// writes through such a Handle. A stick may be write-protected, and too small
// to press. Nothing is unmounted, because that writes to the stick: a mounted
// one is device_mounted, whoever mounted it.
func (l *Lister) OpenToRead(ctx context.Context, want protocol.Identity) (*Handle, error) {
	return l.openFor(ctx, want, toRead)
}

// purpose is what a device is opened for.
type purpose int

const (
	toWrite purpose = unix.O_RDWR
	toRead  purpose = unix.O_RDONLY
)

func (l *Lister) openFor(ctx context.Context, want protocol.Identity, why purpose) (*Handle, error) {
	c, err := l.find(want)
	if err != nil {
		return nil, err
	}
	leave, err := l.enterSoon(ctx, c.Path)
	if err != nil {
		return nil, err
	}
	defer leave()
	if l.held(c.Path) {
		return nil, protocol.NewFault(protocol.FaultDeviceBusy, "path", c.Path)
	}
	if c, err = l.examine(want, why); err != nil {
		return nil, err
	}
	for _, point := range c.AutomountedAt {
		if err := unix.Unmount(point, unix.UMOUNT_NOFOLLOW); err != nil {
			return nil, protocol.WrapFault(fmt.Errorf("unmount %s: %w", point, err),
				protocol.FaultMounted, "path", c.Path, "mount", point)
		}
	}
	f, err := l.claim(ctx, c, why)
	if err != nil {
		return nil, openFault(c, err)
	}
	h := newHandle(l, c, f, why)
	if err := h.Check(); err != nil {
		f.Close()
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = map[string]*Handle{}
	}
	l.open[c.Path] = h
	return h, nil
}

// find looks for what is at the place that want names, whatever it is.
func (l *Lister) find(want protocol.Identity) (*candidate, error) {
	gone := protocol.NewFault(protocol.FaultDeviceGone, "port", want.Port)
	if want.Kind == protocol.KindVirtual {
		if l.VirtualDir == "" {
			return nil, gone
		}
		c, err := l.virtualStick(want.Port)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, gone
		}
		return c, err
	}
	all, err := l.blockDevices()
	if err != nil {
		return nil, err
	}
	var found *candidate
	for _, c := range all {
		if c.Port == want.Port && c.LUN == want.LUN && (found == nil || c.Identity == want) {
			found = c
		}
	}
	if found == nil {
		return nil, gone
	}
	return found, nil
}

// examine finds the device again, compares its identity and runs the guards.
func (l *Lister) examine(want protocol.Identity, why purpose) (*candidate, error) {
	c, err := l.find(want)
	if err != nil {
		return nil, err
	}
	if f := compare(c.Path, want, c.Identity); f != nil {
		return nil, f
	}
	s, err := l.look()
	if err != nil {
		return nil, err
	}
	for _, f := range s.refuse(c) {
		switch {
		// A stick too small to press may still be erased: who presses asks for
		// its capacity class.
		case f.Code == protocol.FaultTooSmall && c.Bytes > 0:
		case f.Code == protocol.FaultReadOnly && why == toRead:
		default:
			return nil, f
		}
	}
	if why == toRead && len(c.AutomountedAt) > 0 {
		return nil, protocol.NewFault(protocol.FaultMounted, "path", c.Path, "mount", c.AutomountedAt[0])
	}
	return c, nil
}

// claim opens the device so that nobody else can: exclusively in the kernel's
// eyes (mount, swapon, md, dm and other careful programs fail), and locked in
// udev's (systemd's BLOCK_DEVICE_LOCKING), which then neither probes the
// device nor tells automounters of what is being written to it.
func (l *Lister) claim(ctx context.Context, c *candidate, why purpose) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(l.patience, claimPatience))
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		fd, err := openDirect(c, why)
		if err == nil {
			if err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err == nil {
				return os.NewFile(uintptr(fd), c.Path), nil
			}
			unix.Close(fd)
		}
		if !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

func openDirect(c *candidate, why purpose) (int, error) {
	flags := int(why) | unix.O_DIRECT | unix.O_NOFOLLOW | unix.O_CLOEXEC
	if c.file == nil {
		return unix.Open(c.Path, flags|unix.O_EXCL, 0)
	}
	folder, err := unix.Open(filepath.Dir(c.file.path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(folder)
	fd, err := unix.Openat(folder, filepath.Base(c.file.path), flags, 0)
	if err == nil {
		// Some filesystems take the flag and refuse the reads, or want more
		// alignment than a stick's sectors have.
		if _, err = unix.Pread(fd, aligned(c.SectorSize), 0); err == nil {
			return fd, nil
		}
		unix.Close(fd)
	}
	if errors.Is(err, unix.EINVAL) {
		return unix.Openat(folder, filepath.Base(c.file.path), flags&^unix.O_DIRECT, 0)
	}
	return -1, err
}

// Check proves again that the open descriptor is the device that was
// confirmed and that nothing speaks against what it was opened for. Open calls
// it, and the first WriteAt or Discard does.
func (h *Handle) Check() error {
	c, err := h.lister.examine(h.device.Identity, h.why)
	if err != nil {
		return err
	}
	if len(c.AutomountedAt) > 0 { // not any more: Open unmounted them
		return protocol.NewFault(protocol.FaultMounted, "path", c.Path, "mount", c.AutomountedAt[0])
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(h.file.Fd()), &st); err != nil {
		return fmt.Errorf("stat the open %s: %w", c.Path, err)
	}
	if c.file != nil {
		return h.checkFile(c, &st)
	}
	return h.checkBlock(c, &st)
}

func (h *Handle) checkFile(c *candidate, st *unix.Stat_t) error {
	open := fileInfo{dev: st.Dev, inode: st.Ino, mode: st.Mode, links: uint32(st.Nlink), folderDev: c.file.folderDev}
	switch {
	case !open.plain():
		return protocol.NewFault(protocol.FaultNotRemovable, "path", c.Path)
	case open.dev != c.file.dev || open.inode != c.file.inode:
		return h.changed("file", c.file.inode, open.inode)
	case st.Size != c.Bytes:
		return h.changed("bytes", c.Bytes, st.Size)
	}
	return nil
}

func (h *Handle) checkBlock(c *candidate, st *unix.Stat_t) error {
	fd := int(h.file.Fd())
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return h.changed("node", "block device", "other")
	}
	if open := numberOf(st.Rdev); open != c.num {
		return h.changed("number", c.num, open)
	}
	if seq, err := sequence(h.file); err == nil {
		if listed := readInt(c.sys, "diskseq"); listed != 0 && uint64(listed) != seq {
			return h.changed("connection", listed, seq)
		}
	} else if !errors.Is(err, unix.ENOTTY) && !errors.Is(err, unix.EINVAL) { // before Linux 5.15
		return h.failed(fmt.Errorf("ask %s for its sequence number: %w", c.Path, err))
	}
	var size uint64
	if err := ioctl(fd, unix.BLKGETSIZE64, unsafe.Pointer(&size)); err != nil {
		return h.failed(fmt.Errorf("ask %s for its size: %w", c.Path, err))
	}
	if int64(size) != c.Bytes {
		return h.changed("bytes", c.Bytes, size)
	}
	sector, err := unix.IoctlGetUint32(fd, unix.BLKSSZGET)
	if err != nil {
		return h.failed(fmt.Errorf("ask %s for its sector size: %w", c.Path, err))
	}
	if int(sector) != h.device.SectorSize {
		return h.changed("sector_size", h.device.SectorSize, sector)
	}
	if ro, err := unix.IoctlGetUint32(fd, unix.BLKROGET); h.why == toWrite && (err != nil || ro != 0) {
		return protocol.NewFault(protocol.FaultReadOnly, "path", c.Path)
	}
	return nil
}

// sequence is the number that the kernel gave to what is in an open block device:
// to each disk that appears, and to each medium that comes into it (Linux 5.15).
func sequence(f *os.File) (seq uint64, err error) {
	err = ioctl(int(f.Fd()), unix.BLKGETDISKSEQ, unsafe.Pointer(&seq))
	return seq, err
}

func (h *Handle) changed(what string, want, have any) error {
	return protocol.NewFault(protocol.FaultDeviceChanged, "path", h.device.Path, "what", what, "want", want, "have", have)
}

func ioctl(fd int, request uint, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}
