package partition

import (
	"encoding/binary"
	"hash/crc32"
)

// Part is a partition of a new table.
type Part struct {
	Type, ID       [16]byte // GUIDs as they are stored
	Offset, Length int64    // bytes, whole sectors
	Attributes     uint64
}

// What New makes: as many entries as everybody does, at the second sector.
const (
	newEntries   = 128
	newEntrySize = 128
	newTableAt   = 2
	gptRevision  = 8 // u32
)

// New makes a GPT for a disk with that GUID; there must be room for its second copy behind the partitions, and for
// 20 KiB before them. Move says what to write for a disk of a given size, with the entries at the beginning of Backup
// once more at the third sector.
func New(sectorSize int, disk [16]byte, parts ...Part) *Table {
	le := binary.LittleEndian
	sector := int64(sectorSize)
	t := &Table{
		Kind: GPT, SectorSize: sectorSize, DiskID: guid(disk[:]), Boots: true,
		sector0: make([]byte, sectorSize), gpt: gpt{make([]byte, sectorSize), make([]byte, newEntries*newEntrySize)},
	}
	for i, p := range parts {
		e := t.entries[i*newEntrySize:]
		copy(e, p.Type[:])
		copy(e[16:], p.ID[:])
		le.PutUint64(e[entryFirst:], uint64(p.Offset/sector))
		le.PutUint64(e[entryLast:], uint64((p.Offset+p.Length)/sector-1))
		le.PutUint64(e[48:], p.Attributes)
	}
	h := t.header
	copy(h, gptMagic)
	le.PutUint32(h[gptRevision:], 0x00010000)
	le.PutUint32(h[gptSize:], gptMinSize)
	le.PutUint64(h[gptOwn:], 1)
	le.PutUint64(h[gptFirstUsable:], uint64(newTableAt+t.entryBytes()/sector))
	copy(h[gptDiskGUID:], disk[:])
	le.PutUint64(h[gptTable:], newTableAt)
	le.PutUint32(h[gptCount:], newEntries)
	le.PutUint32(h[gptEntrySize:], newEntrySize)
	le.PutUint32(h[gptTableCRC:], crc32.ChecksumIEEE(t.entries))

	e := t.sector0[mbrTable:]
	copy(e[1:], []byte{0x00, 0x02, 0x00, mbrProtective, 0xFF, 0xFF, 0xFF}) // UEFI 2.10, table 5-4
	le.PutUint32(e[8:], 1)
	t.sector0[mbrMark], t.sector0[mbrMark+1] = 0x55, 0xAA
	return t
}
