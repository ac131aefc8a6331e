package partition

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Moved is a GPT that fits a device: what to write where.
type Moved struct {
	Sector0  []byte // at 0
	Header   []byte // one sector, at SectorSize
	Backup   []byte // entries and header
	BackupAt int64
}

// BackupBytes is the room that a GPT's second copy takes at the end of a device; 0 for other tables.
func (t *Table) BackupBytes() int64 {
	if t.Kind != GPT {
		return 0
	}
	return t.entryBytes() + int64(t.SectorSize)
}

// entryBytes is the length of the entries in whole sectors.
func (t *Table) entryBytes() int64 {
	sector := int64(t.SectorSize)
	return (int64(len(t.entries)) + sector - 1) / sector * sector
}

// UsedEnd is the first byte behind all partitions, and behind the first copy of a GPT; 0 without a table.
func (t *Table) UsedEnd() (end int64) {
	le := binary.LittleEndian
	switch t.Kind {
	case None:
		return 0
	case MBR:
		for e := range slices.Chunk(t.sector0[mbrTable:mbrMark], mbrEntry) {
			if start, count := inMBR(e); e[entryType] != 0 {
				end = max(end, (start+count)*int64(t.SectorSize))
			}
		}
		return end
	case GPT:
	}
	sector := int64(t.SectorSize)
	end = int64(le.Uint64(t.header[gptTable:]))*sector + int64(len(t.entries))
	for _, e := range t.used() {
		_, last := sectors(e)
		end = max(end, (int64(last)+1)*sector)
	}
	return end
}

// Move fits a GPT to a device of size bytes, which has room for UsedEnd and BackupBytes. The sector that protects a GPT
// from old programs says how long the disk is, too; where it says more than that it is left as it is.
func (t *Table) Move(size int64) Moved {
	le := binary.LittleEndian
	sector := int64(t.SectorSize)
	last := size/sector - 1
	table := last - t.entryBytes()/sector

	primary := bytes.Clone(t.header)
	le.PutUint64(primary[gptOther:], uint64(last))
	le.PutUint64(primary[gptLastUsable:], uint64(table-1))
	le.PutUint32(primary[gptCRC:], headerCRC(primary))

	backup := bytes.Clone(primary)
	le.PutUint64(backup[gptOwn:], uint64(last))
	le.PutUint64(backup[gptOther:], 1)
	le.PutUint64(backup[gptTable:], uint64(table))
	le.PutUint32(backup[gptCRC:], headerCRC(backup))

	entries := make([]byte, t.entryBytes())
	copy(entries, t.entries)
	return Moved{
		Sector0: t.protective(last), Header: primary,
		Backup: append(entries, backup...), BackupAt: table * sector,
	}
}

// protective is sector 0 for a disk whose last sector is last.
func (t *Table) protective(last int64) []byte {
	b := bytes.Clone(t.sector0)
	e := b[mbrTable:]
	if e[entryType] == mbrProtective && binary.LittleEndian.Uint32(e[8:]) == 1 && bytes.Equal(e[mbrEntry:mbrMark-mbrTable], make([]byte, 3*mbrEntry)) {
		binary.LittleEndian.PutUint32(e[12:], uint32(min(last, 1<<32-1)))
	}
	return b
}
