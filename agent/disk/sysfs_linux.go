package disk

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/protocol"
)

// number is a block device's major and minor number, which names it to the
// kernel however the nodes in /dev are called.
type number struct{ major, minor uint32 }

func (n number) String() string { return fmt.Sprintf("%d:%d", n.major, n.minor) }

func parseNumber(s string) (number, error) {
	var n number
	if _, err := fmt.Sscanf(strings.TrimSpace(s), "%d:%d", &n.major, &n.minor); err != nil {
		return n, fmt.Errorf("device number %q: %w", s, err)
	}
	return n, nil
}

func numberOf(rdev uint64) number { return number{unix.Major(rdev), unix.Minor(rdev)} }

func (l *Lister) sysfs() string { return cmp.Or(l.Sysfs, "/sys") }
func (l *Lister) dev() string   { return cmp.Or(l.Dev, "/dev") }
func (l *Lister) proc() string  { return cmp.Or(l.Proc, "/proc") }
func (l *Lister) etc() string   { return cmp.Or(l.Etc, "/etc") }

// candidate is a device together with what the guards need to know of it.
type candidate struct {
	protocol.Device
	sys   string    // sysfs folder of the whole disk; empty for a virtual stick
	num   number    // of the whole disk
	parts []part    // what the kernel sees in its partition table
	usb   string    // sysfs folder of the USB device; empty when not USB
	ro    bool      // write-protected
	file  *fileInfo // of a virtual stick
}

type part struct {
	num   number
	sys   string
	start int64 // bytes
}

// name is the kernel's name of a block device, "sda".
func (c *candidate) name() string { return filepath.Base(c.sys) }

// numbers lists the disk and its partitions.
func (c *candidate) numbers() []number {
	n := []number{c.num}
	for _, p := range c.parts {
		n = append(n, p.num)
	}
	return n
}

// blockDevices reads every disk that could be meant: real hardware, and loop
// devices with a file behind them. Optical drives and floppies are no sticks.
func (l *Lister) blockDevices() ([]*candidate, error) {
	entries, err := os.ReadDir(filepath.Join(l.sysfs(), "block"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a container without /sys still has virtual sticks
	}
	if err != nil {
		return nil, fmt.Errorf("list block devices: %w", err)
	}
	var out []*candidate
	for _, e := range entries {
		c, err := l.blockDevice(e.Name())
		switch {
		case errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV):
			continue // unplugged while we looked
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", e.Name(), err)
		case c != nil:
			out = append(out, c)
		}
	}
	return out, nil
}

// blockDevice reads one entry of /sys/block; nil, nil means that it is not a
// disk that we care about.
func (l *Lister) blockDevice(name string) (*candidate, error) {
	sys, err := filepath.EvalSymlinks(filepath.Join(l.sysfs(), "block", name))
	if err != nil {
		return nil, err
	}
	c := &candidate{sys: sys, ro: readInt(sys, "ro") == 1}
	loop := exists(sys, "loop/backing_file")
	hardware := exists(sys, "device")
	scsiType := readText(sys, "device/type")
	switch {
	case !loop && !hardware, scsiType == "5", strings.HasPrefix(name, "fd"):
		return nil, nil
	case loop && c.ro && !l.AllowLoop:
		return nil, nil // package images; nobody means to press those
	}
	if c.num, err = parseNumber(readText(sys, "dev")); err != nil {
		return nil, fs.ErrNotExist
	}
	// Names in sysfs write "!" for "/" (cciss!c0d0).
	c.Path = filepath.Join(l.dev(), strings.ReplaceAll(name, "!", "/"))
	c.Bytes = readInt(sys, "size") * 512 // always in 512-byte units
	c.SectorSize = int(max(readInt(sys, "queue/logical_block_size"), 512))
	c.Removable = readInt(sys, "removable") == 1
	c.Vendor, c.Model = readText(sys, "device/vendor"), readText(sys, "device/model")
	if c.Model == "" {
		c.Model = readText(sys, "device/name") // SD cards
	}
	c.Serial = readText(sys, "device/serial")
	if device, err := filepath.EvalSymlinks(filepath.Join(sys, "device")); err == nil {
		c.Port = filepath.Base(device) // "0:0:0:0", "virtio2", "nvme0", "mmc0:aaaa"
	}
	switch {
	case loop:
		c.Kind, c.Port, c.Model = protocol.KindLoop, name, readText(sys, "loop/backing_file")
	case l.onUSB(c):
	case scsiType == "SD":
		c.Kind = protocol.KindCard
		c.Port, _, _ = strings.Cut(c.Port, ":") // the slot; the rest is the card's
	case c.Removable:
		c.Kind = protocol.KindCard
	default:
		c.Kind = protocol.KindDisk
	}
	if c.Connection, err = l.connection(sys); err != nil {
		return nil, err
	}
	c.Socket = cmp.Or(c.Socket, c.Kind+"-"+c.Port)
	c.MaxMbps, _ = l.knownSpeed(c.Connection)
	return c, c.readParts()
}

// readParts lists the partitions that the kernel knows.
func (c *candidate) readParts() error {
	entries, err := os.ReadDir(c.sys)
	if err != nil {
		return err
	}
	for _, e := range entries {
		sys := filepath.Join(c.sys, e.Name())
		if !e.IsDir() || !exists(sys, "partition") {
			continue
		}
		num, err := parseNumber(readText(sys, "dev"))
		if err != nil {
			return fs.ErrNotExist
		}
		c.parts = append(c.parts, part{num: num, sys: sys, start: readInt(sys, "start") * 512})
	}
	slices.SortFunc(c.parts, func(a, b part) int { return int(a.num.minor) - int(b.num.minor) })
	return nil
}

// connection tells one connection of a port from the next. The kernel numbers
// every disk that appears and every change of its medium (diskseq, Linux
// 5.15); before that the inode of the sysfs folder serves, which is as new as
// the folder. Either starts again at boot, so the boot's own ID goes in: after
// a restart nobody knows whether a stick was swapped meanwhile. The result
// stays below 2^53, which every JSON reader can hold.
func (l *Lister) connection(sys string) (int64, error) {
	seq := readInt(sys, "diskseq")
	if seq == 0 {
		var st unix.Stat_t
		if err := unix.Stat(sys, &st); err != nil {
			return 0, fmt.Errorf("stat %s: %w", sys, err)
		}
		seq = int64(st.Ino)
	}
	boot := readText(l.proc(), "sys/kernel/random/boot_id")
	return mix(boot)&(1<<21-1)<<32 | seq&(1<<32-1), nil
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

// readText reads a one-line attribute; an absent one is empty.
func readText(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// readInt reads the whole number that an attribute begins with, or 0.
func readInt(dir, name string) int64 {
	text, _, _ := strings.Cut(readText(dir, name), ".")
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}
