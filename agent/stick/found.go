package stick

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/stickpress/stickpress/agent/fat"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/volume"
)

// foundTable is the partition table that a device has, as far as it is of a
// kind that a stick of ours can have.
type foundTable struct {
	layout string
	diskID string // as Personal.DiskID
	parts  []foundPart
}

// foundPart is one entry of it.
type foundPart struct {
	volume.Extent
	role   Role
	active bool // MBR
}

// errNoTable says that there is none, or a damaged one.
var errNoTable = errors.New("no partition table of a stick")

// readTable reads the primary partition table. The layout is told by the table
// itself, not by what the stick should have.
func readTable(r io.ReaderAt, sectorSize int) (*foundTable, error) {
	sector := make([]byte, sectorSize)
	if err := readFull(r, sector, 0); err != nil {
		return nil, err
	}
	if sector[mbrMark] != 0x55 || sector[mbrMark+1] != 0xAA {
		return nil, errNoTable
	}
	if sector[mbrTable+4] == typeProtective {
		return readGPT(r, int64(sectorSize))
	}
	le := binary.LittleEndian
	t := &foundTable{
		layout: protocol.LayoutMBRDual, diskID: Personal{DiskSignature: le.Uint32(sector[mbrSignature:])}.DiskID(protocol.LayoutMBRDual),
	}
	for i := range 4 {
		e := sector[mbrTable+16*i:]
		role, ok := map[byte]Role{typeFAT32: RoleSystem, typeNTFS: RoleWindows}[e[4]]
		if !ok {
			continue
		}
		t.parts = append(t.parts, foundPart{
			volume.Extent{Offset: int64(le.Uint32(e[8:])) * int64(sectorSize), Length: int64(le.Uint32(e[12:])) * int64(sectorSize)},
			role, e[0] == 0x80,
		})
	}
	return t, nil
}

// readGPT reads the primary header and its entries, whose checksums must hold.
func readGPT(r io.ReaderAt, sector int64) (*foundTable, error) {
	le := binary.LittleEndian
	header := make([]byte, sector)
	if err := readFull(r, header, sector); err != nil {
		return nil, err
	}
	sum := le.Uint32(header[16:])
	clear(header[16:20])
	if string(header[:8]) != gptHeaderMagic || le.Uint32(header[12:]) != gptHeaderSize || crc32.ChecksumIEEE(header[:gptHeaderSize]) != sum ||
		le.Uint32(header[80:]) != gptEntries || le.Uint32(header[84:]) != gptEntrySize || le.Uint64(header[72:]) != 2 {
		return nil, errNoTable
	}
	entries := make([]byte, gptTableSize)
	if err := readFull(r, entries, 2*sector); err != nil {
		return nil, err
	}
	if crc32.ChecksumIEEE(entries) != le.Uint32(header[88:]) {
		return nil, errNoTable
	}
	t := &foundTable{layout: protocol.LayoutGPTUEFI, diskID: Personal{DiskGUID: GUID(header[56:72])}.DiskID(protocol.LayoutGPTUEFI)}
	for i := range gptEntries {
		e := entries[i*gptEntrySize:]
		role, ok := map[GUID]Role{typeESP: RoleSystem, typeReserved: RoleReserved, typeBasicData: RoleWindows}[GUID(e[:16])]
		first, last := le.Uint64(e[32:]), le.Uint64(e[40:])
		const most = 1 << 52 // sectors, so that bytes fit
		if !ok || first > last || last >= most/uint64(sector) {
			continue
		}
		t.parts = append(t.parts, foundPart{
			volume.Extent{Offset: int64(first) * sector, Length: int64(last-first+1) * sector}, role, false,
		})
	}
	return t, nil
}

// at finds the partition of a role that begins where it should.
func (t *foundTable) at(p Partition) (foundPart, error) {
	for _, have := range t.parts {
		if have.role == p.Role && have.Offset == p.Offset {
			return have, nil
		}
	}
	return foundPart{}, fmt.Errorf("no %s partition at %d", p.Role, p.Offset)
}

// maxSystem is the length of the longest system volume that is looked into for
// a manifest, in bytes: ours are shorter, and what others' sticks hold there may
// take long to read.
const maxSystem = 512 * mib

// FoundID returns the ID of the stick whose manifest lies on a device, "" where
// there is none that can be read. It reads the partition table, the allocation
// table of a small FAT32 volume and one file: below 1 MiB of a stick of ours. A
// stick that got a disk image has no manifest. An error is the device's.
func FoundID(src Source) (string, error) {
	r := newSectors(src)
	t, err := readTable(r, src.SectorSize())
	if err != nil {
		return "", onlyDevice(err)
	}
	for _, p := range t.parts {
		if p.role != RoleSystem || p.Offset < 0 || p.Length <= 0 || p.Length > maxSystem || p.End() > src.Size() {
			continue
		}
		system := io.NewSectionReader(r, p.Offset, p.Length)
		v, err := fat.Open(system)
		if err == nil {
			var tag Tag
			if tag, err = readTag(v, system); err == nil {
				return tag.Stick, nil
			}
		}
		if err := onlyDevice(err); err != nil {
			return "", err
		}
	}
	return "", nil
}

// onlyDevice is err where the device itself says what is wrong; that nothing of
// ours is there is no error.
func onlyDevice(err error) error {
	if deviceFault(err) {
		return err
	}
	return nil
}
