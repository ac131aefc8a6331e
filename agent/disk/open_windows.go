package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"golang.org/x/sys/windows"

	"github.com/stickpress/stickpress/agent/disk/drive"
	"github.com/stickpress/stickpress/agent/protocol"
)

// claimPatience is, by default, how long Open waits for those who hold a device
// for a moment: the shell, an indexer, a virus scanner.
const claimPatience = 5 * time.Second

// Open opens the device that want names, for exclusive use. It returns a
// *protocol.Fault: device_gone if nothing is at that port, device_changed if
// something else is, the guards' faults (but not device_too_small of a stick
// that holds anything at all), device_busy if somebody else uses it.
// Every volume on it is locked and dismounted, which Windows refuses while a
// file is open, and stays locked until Close: Windows lets nobody write to a
// part of a disk on which a volume is mounted. The checks come before that and
// again afterwards. No byte of the device is changed.
func (l *Lister) Open(ctx context.Context, want protocol.Identity) (*Handle, error) {
	return l.openFor(ctx, want, toWrite)
}

// OpenToRead is Open for somebody who changes nothing: Windows refuses writes
// through such a Handle. A stick may be write-protected, and too small to
// press. Its volumes are locked and dismounted all the same, since Windows
// mounts every volume that it sees, and for writing: what it still had to write
// down it writes then, as when a stick is taken out, and nothing afterwards.
func (l *Lister) OpenToRead(ctx context.Context, want protocol.Identity) (*Handle, error) {
	return l.openFor(ctx, want, toRead)
}

// purpose is what a device is opened for.
type purpose uint32

const (
	toRead  purpose = windows.GENERIC_READ
	toWrite purpose = windows.GENERIC_READ | windows.GENERIC_WRITE
)

// minds reports whether a refusal speaks against the purpose. Too small to
// press is not too small to erase.
func (why purpose) minds(f *protocol.Fault, bytes int64) bool {
	switch f.Code {
	case protocol.FaultTooSmall:
		return bytes == 0
	case protocol.FaultReadOnly:
		return why == toWrite
	}
	return true
}

func (l *Lister) openFor(ctx context.Context, want protocol.Identity, why purpose) (*Handle, error) {
	c, err := l.find(ctx, want)
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
	if c, err = l.examine(ctx, want, why); err != nil {
		return nil, err
	}
	h := newHandle(l, c, why)
	if err := h.claim(ctx, c); err != nil {
		return nil, errors.Join(openFault(c, err), h.release())
	}
	if err := h.Check(); err != nil {
		return nil, errors.Join(err, h.release())
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
func (l *Lister) find(ctx context.Context, want protocol.Identity) (*candidate, error) {
	gone := protocol.NewFault(protocol.FaultDeviceGone, "port", want.Port)
	if want.Kind == protocol.KindVirtual {
		c, err := l.virtualStick(want.Port)
		if l.VirtualDir == "" || errors.Is(err, fs.ErrNotExist) {
			return nil, gone
		}
		return c, err
	}
	all, err := l.drives(ctx)
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
func (l *Lister) examine(ctx context.Context, want protocol.Identity, why purpose) (*candidate, error) {
	c, err := l.find(ctx, want)
	if err != nil {
		return nil, err
	}
	if f := compare(c.Path, want, c.Identity); f != nil {
		return nil, f
	}
	var m *drive.Machine
	if c.file == nil {
		if m, err = l.look(); err != nil {
			return nil, err
		}
	}
	for _, f := range l.refuse(m, c) {
		if why.minds(f, c.Bytes) {
			return nil, f
		}
	}
	return c, nil
}

// claim locks the volumes and opens the device so that nobody else can write;
// for reading, neither can we.
func (h *Handle) claim(ctx context.Context, c *candidate) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(h.lister.patience, claimPatience))
	defer cancel()
	access := uint32(h.why)
	if c.file != nil {
		err := retry(ctx, func() (err error) {
			h.disk, err = create(c.Path, access, windows.FILE_SHARE_READ, windows.FILE_FLAG_NO_BUFFERING|windows.FILE_FLAG_OPEN_REPARSE_POINT)
			return err
		})
		if err == nil && h.why == toWrite { // FAT cannot, and needs the room then
			_, _ = control(h.disk, drive.SetSparse, nil, 0)
		}
		return err
	}
	for _, v := range c.Drive.Volumes {
		if err := h.lock(ctx, v.Name); err != nil {
			return err
		}
	}
	return retry(ctx, func() (err error) {
		h.disk, err = create(c.Path, access, windows.FILE_SHARE_READ, windows.FILE_FLAG_NO_BUFFERING|windows.FILE_FLAG_WRITE_THROUGH)
		return err
	})
}

// lock takes a volume away from everybody else.
func (h *Handle) lock(ctx context.Context, volume string) error {
	v, err := openPath(strings.TrimSuffix(volume, `\`), uint32(h.why))
	if err != nil {
		return err
	}
	h.volumes = append(h.volumes, v)
	err = retry(ctx, func() error {
		_, err := control(v, drive.LockVolume, nil, 0)
		if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
			return windows.ERROR_SHARING_VIOLATION // what it means here: files are open
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("lock %s: %w", volume, err)
	}
	if _, err := control(v, drive.DismountVolume, nil, 0); err != nil {
		return fmt.Errorf("dismount %s: %w", volume, err)
	}
	return nil
}

// retry tries again while somebody else holds what is wanted.
func retry(ctx context.Context, try func() error) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if !errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

// openFault says why a device could not be opened.
func openFault(c *candidate, err error) *protocol.Fault {
	switch {
	case errors.Is(err, windows.ERROR_SHARING_VIOLATION), errors.Is(err, windows.ERROR_LOCK_VIOLATION), errors.Is(err, windows.ERROR_BUSY):
		return protocol.WrapFault(err, protocol.FaultDeviceBusy, "path", c.Path)
	case drive.Gone(err):
		return protocol.WrapFault(err, protocol.FaultDeviceGone, "port", c.Port)
	case drive.NoMedium(err):
		return protocol.WrapFault(err, protocol.FaultNoMedium, "path", c.Path)
	case errors.Is(err, windows.ERROR_ACCESS_DENIED), errors.Is(err, windows.ERROR_WRITE_PROTECT):
		// Also an agent without the right to write: to it, it is read-only.
		return protocol.WrapFault(err, protocol.FaultReadOnly, "path", c.Path)
	}
	return protocol.WrapFault(err, protocol.FaultInternal)
}

// Check proves again that the open handle is the device that was confirmed and
// that nothing speaks against what it was opened for. Open calls it, and the
// first WriteAt or Discard does.
func (h *Handle) Check() error {
	if h.file != nil {
		c, err := h.lister.examine(context.Background(), h.device.Identity, h.why)
		if err != nil {
			return err
		}
		return h.checkFile(c)
	}
	// A disk that is held is not asked by examine: everything is read through
	// the open handle instead, which stays that disk's whatever happens to its
	// number.
	raw, err := control(h.disk, drive.GetDeviceNumber, nil, 12)
	if err != nil {
		return h.failed(err)
	}
	number, ok, err := drive.DecodeNumber(raw)
	if err != nil || !ok || number != h.number {
		return h.changed("number", h.number, number)
	}
	c := &candidate{usb: h.usb}
	if raw, err = controlGrowing(h.disk, drive.QueryProperty, drive.EncodeQuery()); err != nil {
		return h.failed(err)
	}
	d, err := drive.DecodeDescriptor(raw)
	if err != nil {
		return err
	}
	c.Number, c.Path, c.Bus, c.Removable, c.Serial = number, h.device.Path, d.Bus, d.Removable, d.Serial
	if err := c.ReadMedium(asking(h.disk)); err != nil {
		return h.failed(err)
	}
	if err := c.place(h.disk, h.path); err != nil {
		return h.failed(err)
	}
	if f := compare(c.Path, h.device.Identity, c.Identity); f != nil {
		return f
	}
	if c.SectorSize != h.device.SectorSize {
		return h.changed("sector_size", h.device.SectorSize, c.SectorSize)
	}
	m, err := h.lister.look()
	if err != nil {
		return err
	}
	for _, f := range h.lister.refuse(m, c) {
		if h.why.minds(f, c.Bytes) {
			return f
		}
	}
	return nil
}

func (h *Handle) changed(what string, want, have any) error {
	return protocol.NewFault(protocol.FaultDeviceChanged, "path", h.device.Path, "what", what, "want", want, "have", have)
}
