// Package partition reads the partition table of a disk image, MBR or GPT, and fits a GPT to the device that the image is
// written to.
//
// A GPT lies on a disk twice, at its start and at its very end. An image that was made for a smaller disk has its second
// copy somewhere in the middle of a larger one, where firmware and tools do not look for it, and its header says that the
// disk ends there. So the copy is moved, and both headers are told; partitions stay what and where they are.
//
// Sources: UEFI 2.10, 5.2 (MBR) and 5.3 (GPT).
package partition

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
)

// ErrCorrupt is wrapped by the error about a GPT that contradicts itself or its checksums.
var ErrCorrupt = errors.New("partition table is corrupt")

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// Kind is the kind of a partition table.
type Kind string

// The kinds.
const (
	None Kind = "" // a filesystem on the whole disk, or nothing
	MBR  Kind = "mbr"
	GPT  Kind = "gpt"
)

// HeadBytes is how much of a disk's start Read looks at.
const HeadBytes = 1 << 20

// Table is what a disk says about its partitions.
type Table struct {
	Kind       Kind
	SectorSize int // 512, or 4096 for a GPT of such sectors
	// DiskID is the disk GUID, or the MBR signature in hex: what two disks in one computer may not share. It is empty
	// where the disk has none.
	DiskID string
	// Boots reports whether sector 0 is marked as one that may be started, by a table or without.
	Boots bool

	sector0 []byte
	header  []byte
	entries []byte
}

// Fields of an MBR.
const (
	mbrSignature  = 440 // u32
	mbrTable      = 446
	mbrEntry      = 16
	mbrMark       = 510
	mbrProtective = 0xee
)

// Fields of a GPT header.
const (
	gptMagic       = "EFI PART"
	gptSize        = 12 // u32, of the header
	gptCRC         = 16 // u32, of the header with this as zero
	gptOwn         = 24 // u64, sector of this header
	gptOther       = 32 // u64, of the other one
	gptFirstUsable = 40 // u64
	gptLastUsable  = 48 // u64
	gptDiskGUID    = 56
	gptTable       = 72 // u64, sector of the entries
	gptCount       = 80 // u32
	gptEntrySize   = 84 // u32
	gptTableCRC    = 88 // u32
	gptMinSize     = 92
	entryFirst     = 32 // u64, of an entry
	entryLast      = 40 // u64
)

// Read reads the table of a disk of size bytes, of which r has at least the first HeadBytes or all. With an error that
// wraps ErrCorrupt the table is what sector 0 says, for those who do not need the GPT.
func Read(r io.ReaderAt, size int64) (*Table, error) {
	head := make([]byte, min(size, HeadBytes))
	if n, err := r.ReadAt(head, 0); n < len(head) {
		return nil, fmt.Errorf("read a partition table: %w", cause(err))
	}
	t := &Table{SectorSize: 512}
	if len(head) < 512 {
		return t, nil
	}
	t.sector0 = head[:512]
	t.Boots = t.sector0[mbrMark] == 0x55 && t.sector0[mbrMark+1] == 0xAA
	if t.Boots && plausible(t.sector0) {
		t.Kind = MBR
		if id := binary.LittleEndian.Uint32(t.sector0[mbrSignature:]); id != 0 {
			t.DiskID = fmt.Sprintf("%08x", id)
		}
	}
	for _, sector := range []int{512, 4096} {
		if len(head) >= 2*sector && string(head[sector:sector+len(gptMagic)]) == gptMagic {
			return t, t.readGPT(head, sector)
		}
	}
	return t, nil
}

func cause(err error) error {
	if err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}

// plausible tells a table from a filesystem's boot code at the same place.
func plausible(sector []byte) bool {
	used := false
	for e := range slices.Chunk(sector[mbrTable:mbrMark], mbrEntry) {
		start, count := binary.LittleEndian.Uint32(e[8:]), binary.LittleEndian.Uint32(e[12:])
		switch {
		case e[0]&0x7f != 0:
			return false
		case e[4] == 0:
		case count == 0: // start 0 is what isohybrid images have
			return false
		default:
			used = used || uint64(start)+uint64(count) > 0
		}
	}
	return used
}

func (t *Table) readGPT(head []byte, sector int) error {
	h := head[sector : 2*sector]
	le := binary.LittleEndian
	length := le.Uint32(h[gptSize:])
	if length < gptMinSize || int(length) > sector || headerCRC(h) != le.Uint32(h[gptCRC:]) {
		return corrupt("the checksum of its header is wrong")
	}
	count, entry := int64(le.Uint32(h[gptCount:])), int64(le.Uint32(h[gptEntrySize:]))
	at := le.Uint64(h[gptTable:])
	if le.Uint64(h[gptOwn:]) != 1 || entry < 128 || entry%8 != 0 || entry > 4096 || count < 1 || count > 4096 {
		return corrupt("%d entries of %d bytes", count, entry)
	}
	if at < 2 || at > HeadBytes || int64(at)*int64(sector)+count*entry > int64(len(head)) {
		return corrupt("its entries are at sector %d", at)
	}
	entries := head[int64(at)*int64(sector):][:count*entry]
	if crc32.ChecksumIEEE(entries) != le.Uint32(h[gptTableCRC:]) {
		return corrupt("the checksum of its entries is wrong")
	}
	for e := range slices.Chunk(entries, int(entry)) {
		first, last := le.Uint64(e[entryFirst:]), le.Uint64(e[entryLast:])
		if !bytes.Equal(e[:16], make([]byte, 16)) && (first > last || last >= 1<<50) {
			return corrupt("a partition from sector %d to %d", first, last)
		}
	}
	t.Kind, t.SectorSize, t.header, t.entries, t.sector0 = GPT, sector, h, entries, head[:sector]
	t.DiskID = guid(h[gptDiskGUID:])
	return nil
}

// headerCRC is the checksum that a header should have.
func headerCRC(h []byte) uint32 {
	b := bytes.Clone(h[:binary.LittleEndian.Uint32(h[gptSize:])])
	clear(b[gptCRC : gptCRC+4])
	return crc32.ChecksumIEEE(b)
}

// guid prints a GUID: the first three groups are stored little-endian.
func guid(b []byte) string {
	le := binary.LittleEndian
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", le.Uint32(b), le.Uint16(b[4:]), le.Uint16(b[6:]), b[8:10], b[10:16])
}
