package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/protocol"
)

// probeTimeout is how long List waits for a device to show its contents. A
// dying stick can block its reader for minutes; the others are not kept
// waiting for it.
const probeTimeout = 3 * time.Second

// List reports every disk of the host and every virtual stick, with what
// speaks against writing each (Refusals). Internal disks are listed so that a
// person sees that they were noticed; they are always refused. A device that
// this Lister holds open is Busy and is not read.
func (l *Lister) List(ctx context.Context) ([]protocol.Device, error) {
	s, err := l.look()
	if err != nil {
		return nil, err
	}
	all, err := l.blockDevices()
	if err != nil {
		return nil, err
	}
	virtual, err := l.virtualSticks()
	if err != nil {
		return nil, err
	}
	all = append(all, virtual...)

	wait, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	answers := make([]chan probed, len(all))
	for i, c := range all {
		c.Refusals = s.refuse(c)
		answers[i] = make(chan probed, 1)
		go func(c candidate) { answers[i] <- l.probe(wait, &c) }(*c)
	}
	devices := make([]protocol.Device, 0, len(all))
	for i, c := range all {
		var p probed
		select {
		case p = <-answers[i]:
		case <-wait.Done():
			p = probed{volumes: []string{}, maxMbps: c.MaxMbps, fault: protocol.WrapFault(
				errors.New("the device does not answer"), protocol.FaultDeviceBusy, "path", c.Path)}
		}
		if p.gone {
			continue
		}
		c.Volumes, c.FoundID, c.Busy, c.MaxMbps = p.volumes, p.stick, p.held, p.maxMbps
		if p.fault != nil {
			c.Refusals = append(c.Refusals, p.fault)
		}
		devices = append(devices, c.Device)
	}
	countDuplicates(devices)
	return devices, ctx.Err()
}

// probed is what a look at the device itself gave.
type probed struct {
	volumes []string
	stick   string // the ID in its manifest
	maxMbps int
	fault   *protocol.Fault
	held    bool // by this Lister
	gone    bool
}

// probe opens a device for a moment: to see whether somebody else has claimed
// it, and what is on it. It opens for reading only, because udev takes the end
// of a write for a change. An internal disk is not touched.
func (l *Lister) probe(ctx context.Context, c *candidate) probed {
	p := probed{volumes: []string{}, maxMbps: c.MaxMbps}
	if c.Kind == protocol.KindDisk || c.Bytes == 0 || c.file != nil && !c.file.plain() {
		return p
	}
	leave, err := l.enter(ctx, c.Path)
	if err != nil {
		p.fault = protocol.WrapFault(err, protocol.FaultDeviceBusy, "path", c.Path)
		return p
	}
	defer leave()
	l.learnSpeed(c)
	p.maxMbps = c.MaxMbps
	if l.held(c.Path) {
		p.held = true
		return p
	}
	// What is mounted is claimed by its filesystem; that needs no second reason.
	exclusive := len(c.Refusals) == 0 && len(c.AutomountedAt) == 0
	f, err := openRead(c, exclusive)
	if errors.Is(err, unix.EBUSY) {
		f, err = openRead(c, false)
		p.fault = protocol.NewFault(protocol.FaultDeviceBusy, "path", c.Path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
		p.gone = true
	case err != nil:
		p.fault = openFault(c, err)
	}
	if err != nil {
		return p
	}
	defer f.Close()
	if exclusive && p.fault == nil && unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil {
		p.fault = protocol.NewFault(protocol.FaultDeviceBusy, "path", c.Path)
	}
	if exclusive && p.fault == nil {
		if err := unix.Access(c.Path, unix.R_OK|unix.W_OK); err != nil {
			p.fault = openFault(c, err)
		}
	}
	offsets := []int64{0}
	for _, part := range c.parts {
		offsets = append(offsets, part.start)
	}
	p.volumes = volumes(f, offsets)
	if l.FoundID != nil {
		// What cannot be read now is read when the stick is opened to be written.
		p.stick, _ = l.FoundID(looked{f, &c.Device})
	}
	if p.fault != nil && p.fault.Code == protocol.FaultDeviceBusy {
		for _, v := range p.volumes {
			if v == "zfs" { // ZFS claims its disks without listing itself as a holder
				p.fault = protocol.NewFault(protocol.FaultHolders, "path", c.Path, "holder", "zfs")
			}
		}
	}
	return p
}

// looked is the Source of a device that List has open.
type looked struct {
	io.ReaderAt
	device *protocol.Device
}

// Size implements Source.
func (s looked) Size() int64 { return s.device.Bytes }

// SectorSize implements Source.
func (s looked) SectorSize() int { return s.device.SectorSize }

func openRead(c *candidate, exclusive bool) (*os.File, error) {
	flags := os.O_RDONLY | unix.O_NOFOLLOW
	if exclusive && c.file == nil {
		flags |= unix.O_EXCL
	}
	return os.OpenFile(c.Path, flags, 0)
}

// openFault says why a device could not be opened.
func openFault(c *candidate, err error) *protocol.Fault {
	switch {
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EWOULDBLOCK), errors.Is(err, unix.ETXTBSY):
		return protocol.WrapFault(err, protocol.FaultDeviceBusy, "path", c.Path)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
		return protocol.WrapFault(err, protocol.FaultDeviceGone, "port", c.Port)
	case errors.Is(err, unix.ENOMEDIUM):
		return protocol.WrapFault(err, protocol.FaultNoMedium, "path", c.Path)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS):
		// Also an agent without the right to write: to it, it is read-only.
		return protocol.WrapFault(err, protocol.FaultReadOnly, "path", c.Path)
	case errors.Is(err, unix.ELOOP):
		return protocol.WrapFault(err, protocol.FaultNotRemovable, "path", c.Path)
	}
	return protocol.WrapFault(fmt.Errorf("open %s: %w", c.Path, err), protocol.FaultInternal)
}

// volumes reads the signatures at the given offsets of a device. A part that
// cannot be read has none.
func volumes(r io.ReaderAt, offsets []int64) []string {
	out := []string{}
	b := make([]byte, signatureBytes)
	for _, offset := range offsets {
		n, _ := r.ReadAt(b, offset)
		if name := signature(b[:n]); name != "" {
			out = append(out, name)
		}
	}
	return out
}
