package drive

import (
	"slices"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Machine is what the guards need to know of the running Windows: numbers of
// disks.
type Machine struct {
	Running map[uint32]bool // it was started from, or runs from
	Paging  map[uint32]bool // hold page files
	Data    map[uint32]bool // hold data of ours
}

// guard knows one reason why a disk must not be written.
type guard func(*Machine, *Drive) []*protocol.Fault

var guards = []guard{
	guardRemovable, guardMedium, guardReadOnly, guardMounted,
	guardPaging, guardRunning, guardData, guardHolders,
}

// Refuse returns everything that speaks against writing a disk, but its size,
// which agent/disk judges on every system. It fills in AutomountedAt: the drive
// letters that go away when the disk is opened.
func (m *Machine) Refuse(d *Drive) []*protocol.Fault {
	faults := []*protocol.Fault{}
	for _, g := range guards {
		faults = append(faults, g(m, d)...)
	}
	return faults
}

func one(d *Drive, code string, pairs ...any) []*protocol.Fault {
	return []*protocol.Fault{protocol.NewFault(code, append([]any{"path", d.Path}, pairs...)...)}
}

func guardRemovable(_ *Machine, d *Drive) []*protocol.Fault {
	if d.Kind == protocol.KindDisk {
		return one(d, protocol.FaultNotRemovable)
	}
	return nil
}

func guardMedium(_ *Machine, d *Drive) []*protocol.Fault {
	if d.Bytes == 0 {
		return one(d, protocol.FaultNoMedium)
	}
	return nil
}

func guardReadOnly(_ *Machine, d *Drive) []*protocol.Fault {
	if d.ReadOnly {
		return one(d, protocol.FaultReadOnly)
	}
	return nil
}

// guardMounted refuses a volume that somebody mounted at a folder: Windows
// itself gives letters only.
func guardMounted(_ *Machine, d *Drive) []*protocol.Fault {
	var faults []*protocol.Fault
	d.AutomountedAt = []string{}
	for _, v := range d.Volumes {
		for _, mount := range v.Mounts {
			if letter(mount) {
				d.AutomountedAt = append(d.AutomountedAt, mount)
			} else {
				faults = append(faults, one(d, protocol.FaultMounted, "mount", mount)...)
			}
		}
	}
	slices.Sort(d.AutomountedAt)
	return faults
}

func guardPaging(m *Machine, d *Drive) []*protocol.Fault {
	return guardSet(m.Paging, d, protocol.FaultSwap)
}

func guardRunning(m *Machine, d *Drive) []*protocol.Fault {
	return guardSet(m.Running, d, protocol.FaultSystem)
}

func guardData(m *Machine, d *Drive) []*protocol.Fault {
	return guardSet(m.Data, d, protocol.FaultDataDir)
}

func guardSet(disks map[uint32]bool, d *Drive, code string) []*protocol.Fault {
	if disks[d.Number] {
		return one(d, code)
	}
	return nil
}

// guardHolders refuses a disk that is a part of something: a dynamic disk, a
// pool, a volume over several disks, and a BitLocker volume that is open, with
// which somebody works. One that is locked is no more than bytes.
func guardHolders(_ *Machine, d *Drive) []*protocol.Fault {
	names := d.Layout.holders()
	for _, v := range d.Volumes {
		for _, e := range v.Extents {
			if e.Disk != d.Number && !slices.Contains(names, "volume set") {
				names = append(names, "volume set")
			}
		}
		if v.Encrypted && v.Format != "" && !slices.Contains(names, "BitLocker") {
			names = append(names, "BitLocker")
		}
	}
	var faults []*protocol.Fault
	for _, name := range names {
		faults = append(faults, one(d, protocol.FaultHolders, "holder", name)...)
	}
	return faults
}
