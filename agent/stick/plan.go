package stick

import (
	"fmt"
	"slices"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/volume"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

// Classes are the capacity classes in bytes, smallest first. A stick sold as
// "32 GB" has a little more than 28 GiB: one master fits all of a class, and
// Windows grows into the rest at its first boot.
var Classes = []int64{28 * gib, 56 * gib, 112 * gib, 224 * gib, 448 * gib, 896 * gib}

// ClassFor returns the largest capacity class that fits a device of size
// bytes. It returns the fault device_too_small below the smallest.
func ClassFor(size int64) (int64, error) {
	for _, c := range slices.Backward(Classes) {
		if c <= size {
			return c, nil
		}
	}
	return 0, tooSmall(size, Classes[0])
}

func tooSmall(have, need int64) error {
	return protocol.NewFault(protocol.FaultTooSmall, "have_bytes", have, "need_bytes", need, "missing_bytes", need-have)
}

// Role says what a partition is for.
type Role string

// The roles.
const (
	RoleSystem   Role = "system"   // FAT32 with the boot files
	RoleReserved Role = "reserved" // Microsoft's, empty, GPT only
	RoleWindows  Role = "windows"  // NTFS with Windows
)

// Partition is a part of the device.
type Partition struct {
	Role Role `json:"role"`
	volume.Extent
}

// Plan is the geometry of a stick: where on the device what lies.
type Plan struct {
	Layout     string
	SectorSize int   // logical, bytes
	Class      int64 // bytes; the last partition ends here, see NewPlan
	Partitions []Partition
}

// edge is the alignment of all partitions, the room before the first of them
// for the primary table, and the room at a device's end for the backup table.
const edge = mib

// NewPlan lays a stick out (Microsoft, "Deploy Windows To Go", and "UEFI/GPT-
// based hard drive partitions" for the sizes). mbr-dual ends exactly at the
// capacity class; gpt-uefi ends 1 MiB before it, so that the backup table has
// room on a device that is no larger. It returns the fault device_sector_size
// for sectors of other lengths than 512 and 4096 bytes.
//
// An mbr-dual stick with 4096-byte sectors starts under UEFI alone: firmware and
// Windows count an MBR's sectors in those of the device, BIOS boot code cannot
// read them. It gets no boot code and no boot files for a BIOS.
func NewPlan(layout string, class int64, sectorSize int) (*Plan, error) {
	p := &Plan{Layout: layout, SectorSize: sectorSize, Class: class}
	if !slices.Contains(Classes, class) {
		return nil, fmt.Errorf("plan stick: %d bytes is no capacity class", class)
	}
	if sectorSize != 512 && sectorSize != 4096 {
		return nil, badSector(layout, sectorSize)
	}
	var sizes []int64
	var roles []Role
	end := class
	switch layout {
	case protocol.LayoutMBRDual:
		// All classes end within the 2^32 sectors that an MBR counts.
		roles, sizes = []Role{RoleSystem, RoleWindows}, []int64{350 * mib}
	case protocol.LayoutGPTUEFI:
		// 260 MiB is the least that holds FAT32 with 4096-byte sectors.
		roles, sizes = []Role{RoleSystem, RoleReserved, RoleWindows}, []int64{260 * mib, 16 * mib}
		end -= edge
	default:
		return nil, fmt.Errorf("plan stick: no layout %q", layout)
	}
	at := int64(edge)
	for i, role := range roles {
		size := end - at
		if i < len(sizes) {
			size = sizes[i]
		}
		p.Partitions = append(p.Partitions, Partition{role, volume.Extent{Offset: at, Length: size}})
		at += size
	}
	return p, nil
}

func badSector(layout string, sectorSize int) error {
	return protocol.NewFault(protocol.FaultSectorSize, "layout", layout, "sector_size", sectorSize)
}

// Partition returns the partition of a role, which the layout has.
func (p *Plan) Partition(role Role) Partition {
	i := slices.IndexFunc(p.Partitions, func(q Partition) bool { return q.Role == role })
	return p.Partitions[i]
}

// Check says whether a device can carry the plan. An MBR's partitions end within
// the class: what lies behind 2^32 sectors of a larger device stays unused.
func (p *Plan) Check(size int64, sectorSize int) error {
	if sectorSize != p.SectorSize {
		return badSector(p.Layout, sectorSize)
	}
	if size < p.Class {
		return tooSmall(size, p.Class)
	}
	return nil
}

// wiped are the parts of a device that are zeroed before anything is written:
// both ends, where tables of every kind lie, and the starts of the new
// partitions, where filesystems are recognised.
func (p *Plan) wiped(size int64) []volume.Extent {
	end := size / Alignment * Alignment
	parts := []volume.Extent{{Offset: 0, Length: edge}, {Offset: end - edge, Length: size - end + edge}}
	for _, q := range p.Partitions {
		parts = append(parts, volume.Extent{Offset: q.Offset, Length: min(64*kib, q.Length)})
	}
	return volume.Join(parts, 0)
}
