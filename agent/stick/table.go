package stick

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"unicode/utf16"

	"github.com/stickpress/stickpress/agent/bcd"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/bootcode"
	"github.com/stickpress/stickpress/agent/volume"
)

// MBR fields (UEFI 2.10, 5.2.1).
const (
	mbrSignature = 440 // u32, the disk signature
	mbrTable     = 446 // four entries of 16 bytes
	mbrMark      = 510

	typeNTFS       = 0x07
	typeFAT32      = 0x0c // by LBA
	typeProtective = 0xee
)

// GPT fields (UEFI 2.10, 5.3.2).
const (
	gptHeaderSize  = 92
	gptEntries     = 128
	gptEntrySize   = 128
	gptTableSize   = gptEntries * gptEntrySize
	gptNoLetter    = 1 << 63 // Microsoft: GPT_BASIC_DATA_ATTRIBUTE_NO_DRIVE_LETTER
	gptHeaderMagic = "EFI PART"
)

// Partition types (UEFI 2.10 table 5.7; Microsoft, PARTITION_INFORMATION_GPT).
var (
	typeESP       = mustGUID("C12A7328-F81F-11D2-BA4B-00A0C93EC93B")
	typeReserved  = mustGUID("E3C9E316-0B5C-4DB8-817D-F92DF00215AE")
	typeBasicData = mustGUID("EBD0A0A2-B9E5-4433-87C0-68B6B72699C7")
)

// table returns the partition table of a stick of size bytes, as writes in
// the order in which they belong on the device: without the last one, sector
// 0, no machine starts the stick. Each is a whole number of sectors.
func (p *Plan) table(personal Personal, size int64) ([]volume.Patch, error) {
	if p.Layout == protocol.LayoutMBRDual {
		return []volume.Patch{{Offset: 0, Bytes: p.mbr(personal)}}, nil
	}
	sector := int64(p.SectorSize)
	sectors := size / sector
	tableSectors := int64(gptTableSize) / sector
	if end := p.Partitions[len(p.Partitions)-1].End() / sector; end > sectors-1-tableSectors {
		return nil, fmt.Errorf("partition table: partitions end at sector %d of %d", end, sectors)
	}
	entries := p.gptEntries(personal)
	header := func(own, other, table int64) []byte {
		h := make([]byte, sector)
		le := binary.LittleEndian
		copy(h, gptHeaderMagic)
		le.PutUint32(h[8:], 0x00010000)
		le.PutUint32(h[12:], gptHeaderSize)
		le.PutUint64(h[24:], uint64(own))
		le.PutUint64(h[32:], uint64(other))
		le.PutUint64(h[40:], uint64(2+tableSectors))         // first usable
		le.PutUint64(h[48:], uint64(sectors-2-tableSectors)) // last usable
		copy(h[56:], personal.DiskGUID[:])
		le.PutUint64(h[72:], uint64(table))
		le.PutUint32(h[80:], gptEntries)
		le.PutUint32(h[84:], gptEntrySize)
		le.PutUint32(h[88:], crc32.ChecksumIEEE(entries))
		le.PutUint32(h[16:], crc32.ChecksumIEEE(h[:gptHeaderSize]))
		return h
	}
	last := sectors - 1
	backup := slices.Concat(entries, header(last, 1, last-tableSectors))
	primary := slices.Concat(header(1, last, 2), entries)
	return []volume.Patch{
		{Offset: (last - tableSectors) * sector, Bytes: backup},
		{Offset: sector, Bytes: primary},
		{Offset: 0, Bytes: p.protectiveMBR(sectors)},
	}, nil
}

func mustGUID(text string) GUID {
	g, err := bcd.ParseGUID(text)
	if err != nil {
		panic(err)
	}
	return g
}

func (p *Plan) mbr(personal Personal) []byte {
	b := make([]byte, p.SectorSize)
	if slices.Contains(p.firmwares(), bcd.BIOS) {
		copy(b, bootcode.MBR())
	}
	binary.LittleEndian.PutUint32(b[mbrSignature:], personal.DiskSignature)
	for i, part := range p.Partitions {
		status, typ := byte(0), byte(typeNTFS)
		if part.Role == RoleSystem {
			status, typ = 0x80, typeFAT32
		}
		putMBREntry(b[mbrTable+16*i:], status, typ, part.Offset/int64(p.SectorSize), part.Length/int64(p.SectorSize))
	}
	b[mbrMark], b[mbrMark+1] = 0x55, 0xAA
	return b
}

// protectiveMBR covers the whole disk, so that programs that do not know GPT
// see no free space.
func (p *Plan) protectiveMBR(sectors int64) []byte {
	b := make([]byte, p.SectorSize)
	putMBREntry(b[mbrTable:], 0, typeProtective, 1, min(sectors-1, 1<<32-1))
	copy(b[mbrTable+1:], []byte{0x00, 0x02, 0x00}) // the CHS form of sector 1
	b[mbrMark], b[mbrMark+1] = 0x55, 0xAA
	return b
}

func putMBREntry(e []byte, status, typ byte, start, count int64) {
	e[0], e[4] = status, typ
	copy(e[1:4], chs(start))
	copy(e[5:8], chs(start+count-1))
	binary.LittleEndian.PutUint32(e[8:], uint32(start))
	binary.LittleEndian.PutUint32(e[12:], uint32(count))
}

// chs is a sector in the old counting of 255 heads and 63 sectors, or the
// largest value where it ends, at 8 GB.
func chs(sector int64) []byte {
	const heads, perTrack = 255, 63
	cylinder := sector / (heads * perTrack)
	if cylinder > 1023 {
		return []byte{0xFE, 0xFF, 0xFF}
	}
	head, s := sector/perTrack%heads, sector%perTrack+1
	return []byte{byte(head), byte(s) | byte(cylinder>>2&0xC0), byte(cylinder)}
}

func (p *Plan) gptEntries(personal Personal) []byte {
	b := make([]byte, gptTableSize)
	for i, part := range p.Partitions {
		e := b[i*gptEntrySize:]
		var typ, id GUID
		var name string
		var attributes uint64
		switch part.Role {
		case RoleSystem:
			typ, id, name = typeESP, personal.SystemGUID, "EFI system partition"
		case RoleReserved:
			typ, id, name = typeReserved, personal.ReservedGUID, "Microsoft reserved partition"
		case RoleWindows:
			typ, id, name, attributes = typeBasicData, personal.WindowsGUID, "Basic data partition", gptNoLetter
		}
		copy(e, typ[:])
		copy(e[16:], id[:])
		binary.LittleEndian.PutUint64(e[32:], uint64(part.Offset/int64(p.SectorSize)))
		binary.LittleEndian.PutUint64(e[40:], uint64(part.End()/int64(p.SectorSize)-1))
		binary.LittleEndian.PutUint64(e[48:], attributes)
		for j, u := range utf16.Encode([]rune(name)) {
			binary.LittleEndian.PutUint16(e[56+2*j:], u)
		}
	}
	return b
}
