package disk

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stickpress/stickpress/agent/protocol"
)

// A guard knows one reason why a device must not be written and returns every
// instance of it that it finds. Guards only read; they may be run at any time
// and any number of times. Two more guards need the device itself: the
// exclusive claim (claim_linux.go) and the identity (compare).
type guard func(*system, *candidate) []*protocol.Fault

var guards = []guard{
	guardRemovable, guardLoop, guardFile, guardMedium, guardReadOnly, guardSize,
	guardMounted, guardSwap, guardSystem, guardDataDir, guardHolders,
}

// refuse runs all guards.
func (s *system) refuse(c *candidate) []*protocol.Fault {
	faults := []*protocol.Fault{}
	for _, g := range guards {
		faults = append(faults, g(s, c)...)
	}
	return faults
}

func one(c *candidate, code string, pairs ...any) []*protocol.Fault {
	return []*protocol.Fault{protocol.NewFault(code, append([]any{"path", c.Path}, pairs...)...)}
}

// guardRemovable refuses internal disks: what is neither on a USB bus nor a
// card in a slot is not a stick.
func guardRemovable(_ *system, c *candidate) []*protocol.Fault {
	if c.Kind == protocol.KindDisk {
		return one(c, protocol.FaultNotRemovable)
	}
	return nil
}

// guardLoop refuses loop devices unless the host was told to offer them, and
// always those that stand on a disk instead of a file: whatever that disk is
// used for, and that it is no stick, cannot be seen from the loop device.
func guardLoop(s *system, c *candidate) []*protocol.Fault {
	switch {
	case c.Kind != protocol.KindLoop:
		return nil
	case !s.l.AllowLoop:
		return one(c, protocol.FaultLoopNotAllowed)
	}
	file := readText(c.sys, "loop/backing_file")
	_, disk := s.backingDisk(file)
	if info, err := os.Stat(file); disk || err == nil && !info.Mode().IsRegular() {
		return one(c, protocol.FaultNotRemovable)
	}
	return nil
}

// guardFile refuses a virtual stick that is not a plain file of its own in
// its folder: a symbolic link, a second name of some other file, a device
// node, a file that another filesystem was mounted on.
func guardFile(_ *system, c *candidate) []*protocol.Fault {
	if c.file != nil && !c.file.plain() {
		return one(c, protocol.FaultNotRemovable)
	}
	return nil
}

// guardMedium refuses an empty card slot.
func guardMedium(_ *system, c *candidate) []*protocol.Fault {
	if c.file == nil && c.Bytes == 0 {
		return one(c, protocol.FaultNoMedium)
	}
	return nil
}

// guardReadOnly refuses what is write-protected.
func guardReadOnly(_ *system, c *candidate) []*protocol.Fault {
	if c.ro {
		return one(c, protocol.FaultReadOnly)
	}
	return nil
}

// guardSize refuses what no capacity class fits. It is the one guard that does
// not keep Open from opening: see there.
func guardSize(_ *system, c *candidate) []*protocol.Fault {
	if c.Bytes > 0 && c.Bytes < MinBytes || c.file != nil && c.Bytes == 0 {
		return []*protocol.Fault{protocol.NewFault(protocol.FaultTooSmall,
			"have_bytes", c.Bytes, "need_bytes", MinBytes, "missing_bytes", MinBytes-c.Bytes)}
	}
	return nil
}

// guardMounted refuses a device with a filesystem mounted anywhere (the disk
// itself, a partition, a bind mount of a part of it), except where a
// removable-media automounter put it: those mounts are noted in AutomountedAt
// and undone by Open. A filesystem that is mounted in both ways is refused.
func guardMounted(s *system, c *candidate) []*protocol.Fault {
	var faults []*protocol.Fault
	c.AutomountedAt = []string{}
	for _, m := range s.mounts {
		switch {
		case !s.mountedFrom(m, c):
		case c.file == nil && s.automounted(m):
			c.AutomountedAt = append(c.AutomountedAt, m.point)
		default:
			faults = append(faults, one(c, protocol.FaultMounted, "mount", m.point)...)
		}
	}
	return faults
}

func (s *system) mountedFrom(m mount, c *candidate) bool {
	if c.file != nil {
		return m.point == c.file.path
	}
	return slices.ContainsFunc(s.mountNumbers(m), func(n number) bool { return slices.Contains(c.numbers(), n) })
}

// automounted reports whether a mount is a desktop's (udisks2): below /media
// or /run/media, and not what an administrator wrote into fstab.
func (s *system) automounted(m mount) bool {
	return !s.fstab[m.point] &&
		(strings.HasPrefix(m.point, "/media/") || strings.HasPrefix(m.point, "/run/media/"))
}

// guardSwap refuses a device that the machine swaps to, in a partition, in a
// file on it, or through a mapping.
func guardSwap(s *system, c *candidate) []*protocol.Fault {
	if c.file != nil && s.swapFiles[c.file.path] {
		return one(c, protocol.FaultSwap)
	}
	return guardSet(s.swaps, c, protocol.FaultSwap)
}

// guardSystem refuses the disks that the running system is on.
func guardSystem(s *system, c *candidate) []*protocol.Fault {
	return guardSet(s.running, c, protocol.FaultSystem)
}

// guardDataDir refuses the disks that our own data is on.
func guardDataDir(s *system, c *candidate) []*protocol.Fault {
	return guardSet(s.data, c, protocol.FaultDataDir)
}

func guardSet(set map[number]bool, c *candidate, code string) []*protocol.Fault {
	if c.file == nil && slices.ContainsFunc(c.numbers(), func(n number) bool { return set[n] }) {
		return one(c, code)
	}
	return nil
}

// guardHolders refuses a device that something is stacked on: LVM, RAID,
// dm-crypt, bcache, a loop device. The kernel lists them for the disk and for
// each partition, except loop devices.
func guardHolders(s *system, c *candidate) []*protocol.Fault {
	var names []string
	if c.file == nil {
		names = holders(c.sys)
		for _, p := range c.parts {
			names = append(names, holders(p.sys)...)
		}
	}
	for loop, file := range s.backing {
		if loop != c.name() && s.under(c, file) {
			names = append(names, loop)
		}
	}
	slices.Sort(names)
	var faults []*protocol.Fault
	for _, name := range names {
		faults = append(faults, one(c, protocol.FaultHolders, "holder", name)...)
	}
	return faults
}

// under reports whether the file or disk beneath a loop device is the
// candidate, or the file beneath the candidate.
func (s *system) under(c *candidate, file string) bool {
	var own string
	if c.file != nil {
		own = c.file.path
	} else {
		if n, disk := s.backingDisk(file); disk && slices.Contains(c.numbers(), n) {
			return true
		}
		if own = readText(c.sys, "loop/backing_file"); own == "" {
			return false
		}
	}
	if file == own {
		return true
	}
	a, errA := os.Stat(file)
	b, errB := os.Stat(own)
	return errA == nil && errB == nil && os.SameFile(a, b)
}

func holders(sys string) []string {
	dir := filepath.Join(sys, "holders")
	entries, _ := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		name := e.Name()
		if mapped := readText(filepath.Join(dir, name), "dm/name"); mapped != "" {
			name = mapped
		}
		names = append(names, name)
	}
	return names
}
