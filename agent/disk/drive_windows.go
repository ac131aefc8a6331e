package disk

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/windows"

	"github.com/stickpress/stickpress/agent/disk/drive"
	"github.com/stickpress/stickpress/agent/protocol"
)

// candidate is a device together with what the guards need to know of it.
type candidate struct {
	drive.Drive
	path string    // the disk's interface
	usb  node      // the USB device that the disk is a part of
	file *fileInfo // of a virtual stick
}

// driveTimeout is how long a look at all disks waits for the last of them.
const driveTimeout = 3 * time.Second

// drives reads every disk of the machine, each in a goroutine of its own: one
// that does not answer in time is left out, and its goroutine ends when
// Windows gives the device up. One that this Lister holds open is not asked.
func (l *Lister) drives(ctx context.Context) ([]*candidate, error) {
	quiet()
	paths, err := interfaces("", &interfaceDisk)
	if err != nil || len(paths) == 0 {
		return nil, err
	}
	all, err := volumeList()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, driveTimeout)
	defer cancel()
	answers := make([]chan *candidate, len(paths))
	for i, path := range paths {
		answers[i] = make(chan *candidate, 1)
		go func() {
			c, err := l.readDrive(path, all)
			if err != nil {
				c = nil // unplugged while we looked
			}
			answers[i] <- c
		}()
	}
	var out []*candidate
	for _, answer := range answers {
		select {
		case c := <-answer:
			if c != nil {
				out = append(out, c)
			}
		case <-ctx.Done():
		}
	}
	return out, nil
}

// readDrive asks one disk about itself.
func (l *Lister) readDrive(path string, all []drive.Volume) (*candidate, error) {
	h, err := openPath(path, 0)
	if err != nil {
		return nil, err
	}
	defer closeHandle(h)
	raw, err := control(h, drive.GetDeviceNumber, nil, 12)
	if err != nil {
		return nil, err
	}
	number, ok, err := drive.DecodeNumber(raw)
	if err != nil || !ok {
		return nil, cmp.Or(err, fmt.Errorf("%s is no disk", path))
	}
	c := &candidate{path: path}
	c.Number = number
	c.Path = fmt.Sprintf(`\\.\PhysicalDrive%d`, number)
	if held := l.holder(c.Path); held != nil {
		c.Device, c.usb = held.device, held.usb
		c.Busy = true
		return c, nil
	}
	if raw, err = controlGrowing(h, drive.QueryProperty, drive.EncodeQuery()); err != nil {
		return nil, err
	}
	d, err := drive.DecodeDescriptor(raw)
	if err != nil {
		return nil, err
	}
	c.Bus, c.Removable = d.Bus, d.Removable
	c.Vendor, c.Model, c.Serial = d.Vendor, d.Product, d.Serial
	if err := c.ReadMedium(asking(h)); err != nil {
		return nil, err
	}
	if err := c.place(h, path); err != nil {
		return nil, err
	}
	l.learnSpeed(c)
	for _, v := range all {
		if v.On(number) {
			c.Drive.Volumes = append(c.Drive.Volumes, v)
		}
	}
	c.Device.Volumes, c.Lockable = []string{}, true
	if c.Kind != protocol.KindDisk { // an internal disk is not read
		c.readVolumes()
	}
	return c, nil
}

// place finds out where the disk is plugged in and which connection of that
// place this is.
func (c *candidate) place(h windows.Handle, path string) error {
	instance, err := instanceOf(path)
	if err != nil {
		return err
	}
	self, err := findNode(instance)
	if err != nil {
		return err
	}
	c.Port, c.LUN = instance, drive.ParseLUN(instance)
	if raw, err := control(h, drive.GetSCSIAddress, nil, 8); err == nil {
		if c.LUN, err = drive.DecodeLUN(raw); err != nil {
			return err
		}
	}
	arrived := self
	if usb, id, ok := self.usbAncestor(); ok {
		what, _ := drive.ParseUSB(id)
		c.usb, c.Instance, arrived = usb, id, usb
		c.VIDPID, c.Serial = what.VIDPID, cmp.Or(what.Serial, c.Serial)
		c.Port, c.Hub = drive.Port(cmp.Or(usb.socket(), id))
		c.UASP = usb.text(&drive.KeyService) == "UASPStor"
		_ = usb.askHub(func(ask drive.Ask, port uint32) error {
			c.SpeedMbps, c.MaxMbps = drive.Speed(ask, port)
			return nil
		})
	}
	c.Kind = drive.Kind(c.Bus, c.Removable, c.usb != 0)
	// Only a place that has a hub is the same whatever is plugged in.
	if c.Hub != "" {
		c.Socket = c.Port
	}
	// The time of arrival tells one connection from the next, in milliseconds
	// (FILETIME counts 100 ns), and for a card the number of its changes. The
	// result stays below 2^53, which every JSON reader can hold.
	c.Connection = int64(arrived.number(&drive.KeyLastArrival)/10_000) << 8 & (1<<53 - 1)
	if raw, err := control(h, drive.CheckVerify, nil, 4); err == nil && len(raw) > 0 {
		c.Connection |= int64(raw[0])
	}
	return nil
}

// quiet keeps Windows from showing a dialog box for an empty slot: nobody sits
// at a service's desktop.
var quiet = sync.OnceFunc(func() { windows.SetErrorMode(windows.SEM_FAILCRITICALERRORS) })

// refuse runs all guards on a device.
func (l *Lister) refuse(m *drive.Machine, c *candidate) []*protocol.Fault {
	var faults []*protocol.Fault
	if c.file != nil {
		faults = c.file.refuse(&c.Drive)
	} else {
		faults = m.Refuse(&c.Drive)
	}
	if c.Bytes > 0 && c.Bytes < MinBytes || c.file != nil && c.Bytes == 0 {
		faults = append(faults, protocol.NewFault(protocol.FaultTooSmall,
			"have_bytes", c.Bytes, "need_bytes", MinBytes, "missing_bytes", MinBytes-c.Bytes))
	}
	return faults
}

func (l *Lister) holder(path string) *Handle {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open[path]
}
