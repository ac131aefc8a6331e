package vdisk

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"slices"
	"unicode/utf16"
)

// What a Writer makes: blocks of 2 MiB behind its tables.
const (
	newBlock      = 2 * mib
	newLogAt      = 1 * mib
	newMetadataAt = 2 * mib
	newTableAt    = 3 * mib
	creator       = "Stickpress"
)

// Writer makes a dynamic VHDX of a disk that is written in any order; a part
// that is never written reads as zeros and takes no room but its block's. The
// file is no virtual disk before [Writer.Finish]. It is not for several goroutines.
type Writer struct {
	f      io.WriterAt
	size   int64
	sector int
	id     [16]byte
	table  []int64 // offset in the file of each block, 0 for none
	end    int64   // of the last block in the file
	high   int64   // of what was written into blocks
}

// NewWriter begins a disk of size bytes in logical sectors of 512 or 4096 bytes in the empty file f, where what lies
// between two writes is zeros. The ID is the disk's, and should be a new one. A size that is no whole number of
// sectors, or beyond what [Open] reads, gives [ErrUnsupported].
func NewWriter(f io.WriterAt, size int64, sector int, id [16]byte) (*Writer, error) {
	if sector != 512 && sector != 4096 || size <= 0 || size%int64(sector) != 0 || size > maxTable/8*newBlock {
		return nil, refuse(ErrUnsupported, "a disk of %d bytes in sectors of %d", size, sector)
	}
	w := &Writer{f: f, size: size, sector: sector, id: id, table: make([]int64, (size+newBlock-1)/newBlock)}
	w.end = newTableAt + w.tableBytes()
	w.high = w.end
	return w, nil
}

// ratio is how many blocks one sector bitmap would describe ([MS-VHDX] 2.5).
func (w *Writer) ratio() int { return 1 << 23 * w.sector / newBlock }

// tableBytes is the length of the block table, in whole MiB.
func (w *Writer) tableBytes() int64 {
	entries := len(w.table) + (len(w.table)-1)/w.ratio()
	return (8*int64(entries) + mib - 1) / mib * mib
}

// WriteAt writes to the disk, at any offset within it.
func (w *Writer) WriteAt(p []byte, at int64) (int, error) {
	if at < 0 || at > w.size-int64(len(p)) {
		return 0, refuse(ErrTruncated, "%d bytes at %d of %d", len(p), at, w.size)
	}
	for n := 0; n < len(p); {
		i, in := (at+int64(n))/newBlock, (at+int64(n))%newBlock
		part := p[n:min(len(p), n+int(newBlock-in))]
		if w.table[i] == 0 {
			w.table[i], w.end = w.end, w.end+newBlock
		}
		done, err := w.f.WriteAt(part, w.table[i]+in)
		n += done
		if err != nil {
			return n, err
		}
		w.high = max(w.high, w.table[i]+in+int64(len(part)))
	}
	return len(p), nil
}

// piece is bytes of the file.
type piece struct {
	at int64
	b  []byte
}

// Finish writes the tables ([MS-VHDX] 2.2 to 2.6), the headers last.
func (w *Writer) Finish() error {
	le := binary.LittleEndian
	table := make([]byte, w.tableBytes())
	for i, at := range w.table {
		if at != 0 {
			le.PutUint64(table[8*(i+i/w.ratio()):], uint64(at)|blockPresent)
		}
	}
	regionTable := make([]byte, regionTableSize)
	copy(regionTable, regionMagic)
	le.PutUint32(regionTable[regionCount:], 2)
	for i, r := range []struct {
		id     [16]byte
		offset uint64
		length int
	}{{regionBAT, newTableAt, len(table)}, {regionMetadata, newMetadataAt, mib}} {
		e := regionTable[regionHead+i*regionEntrySize:]
		copy(e, r.id[:])
		le.PutUint64(e[regionOffset:], r.offset)
		le.PutUint32(e[regionLength:], uint32(r.length))
		le.PutUint32(e[regionRequired:], 1)
	}
	putChecksum(regionTable)
	writes := []piece{{newTableAt, table}, {newMetadataAt, w.metadata()}, {regionTablesAt[0], regionTable}, {regionTablesAt[1], regionTable}}
	if w.high < w.end { // the last block is whole
		writes = append(writes, piece{w.end - 1, []byte{0}})
	}
	for i, at := range headersAt {
		writes = append(writes, piece{at, w.header(uint64(i + 1))})
	}
	name := []byte(vhdxMagic)
	for _, u := range utf16.Encode([]rune(creator)) {
		name = le.AppendUint16(name, u)
	}
	writes = append(writes, piece{0, name})
	for _, part := range writes {
		if _, err := w.f.WriteAt(part.b, part.at); err != nil {
			return err
		}
	}
	return nil
}

// header is one of the two headers: no log, and nobody writing.
func (w *Writer) header(sequence uint64) []byte {
	const fileWrite, dataWrite = 16, 32 // GUIDs
	le := binary.LittleEndian
	b := make([]byte, headerSize)
	copy(b, headerMagic)
	le.PutUint64(b[headerSequence:], sequence)
	copy(b[fileWrite:], w.id[:])
	copy(b[dataWrite:], w.id[:])
	le.PutUint16(b[headerVersion:], 1)
	le.PutUint32(b[headerLogLength:], mib)
	le.PutUint64(b[headerLogOffset:], newLogAt)
	putChecksum(b)
	return b
}

// metadata is the metadata region.
func (w *Writer) metadata() []byte {
	const ofDisk = 2
	le := binary.LittleEndian
	u32 := func(v int) []byte { return le.AppendUint32(nil, uint32(v)) }
	b := make([]byte, metadataTableSize)
	copy(b, metadataMagic)
	for i, item := range []struct {
		id    [16]byte
		value []byte
		flags uint32
	}{
		{itemFileParameters, slices.Concat(u32(newBlock), u32(0)), itemRequired},
		{itemDiskSize, le.AppendUint64(nil, uint64(w.size)), itemRequired | ofDisk},
		{itemDiskID, w.id[:], itemRequired | ofDisk},
		{itemLogicalSector, u32(w.sector), itemRequired | ofDisk},
		{itemPhysicalSector, u32(4096), itemRequired | ofDisk},
	} {
		e := b[metadataHead+i*metadataEntrySize:]
		copy(e, item.id[:])
		le.PutUint32(e[itemOffset:], uint32(len(b)))
		le.PutUint32(e[itemLength:], uint32(len(item.value)))
		le.PutUint32(e[itemFlags:], item.flags)
		le.PutUint16(b[metadataEntries:], uint16(i+1))
		b = append(b, item.value...)
	}
	return append(b, make([]byte, mib-len(b))...)
}

// putChecksum fills in the checksum of a header or a region table.
func putChecksum(b []byte) {
	binary.LittleEndian.PutUint32(b[vhdxChecksum:], 0)
	binary.LittleEndian.PutUint32(b[vhdxChecksum:], crc32.Checksum(b, castagnoli))
}
