package partition

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"slices"
)

// Fields of a GPT header (UEFI 2.10, 5.3.2), and of an entry (5.3.3).
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
	gptMaxEntries  = 1 << 20 // bytes
	entryFirst     = 32      // u64, sector
	entryLast      = 40      // u64, sector
	entryMinSize   = 128
	entryMaxSize   = 4096
)

// gpt is one copy of a GPT.
type gpt struct {
	header  []byte // a sector
	entries []byte
}

// readGPT reads the copy whose header lies at an offset of a disk of size bytes, with all its checksums. An error that
// does not wrap ErrCorrupt is the reader's.
func readGPT(r io.ReaderAt, at int64, sector int, size int64) (gpt, error) {
	h := make([]byte, sector)
	if err := readAt(r, h, at); err != nil {
		return gpt{}, err
	}
	le := binary.LittleEndian
	length := le.Uint32(h[gptSize:])
	if string(h[:len(gptMagic)]) != gptMagic || length < gptMinSize || int(length) > sector || headerCRC(h) != le.Uint32(h[gptCRC:]) {
		return gpt{}, corrupt("no valid header at %d", at)
	}
	count, entry := int64(le.Uint32(h[gptCount:])), int64(le.Uint32(h[gptEntrySize:]))
	if le.Uint64(h[gptOwn:]) != uint64(at/int64(sector)) || entry < entryMinSize || entry%8 != 0 || entry > entryMaxSize ||
		count < 1 || count > gptMaxEntries/entry {
		return gpt{}, corrupt("%d entries of %d bytes", count, entry)
	}
	table := le.Uint64(h[gptTable:])
	if table < 2 || table > uint64(size/int64(sector)) || int64(table)*int64(sector)+count*entry > size {
		return gpt{}, corrupt("its entries are at sector %d", table)
	}
	g := gpt{h, make([]byte, count*entry)}
	if err := readAt(r, g.entries, int64(table)*int64(sector)); err != nil {
		return gpt{}, err
	}
	if crc32.ChecksumIEEE(g.entries) != le.Uint32(h[gptTableCRC:]) {
		return gpt{}, corrupt("the checksum of its entries is wrong")
	}
	return g, nil
}

func readAt(r io.ReaderAt, p []byte, at int64) error {
	n, err := r.ReadAt(p, at)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return corrupt("the disk ends at %d", at+int64(n))
	default:
		return fmt.Errorf("read a partition table: %w", err)
	}
}

// used goes through the entries that stand for a partition, by their index.
func (g *gpt) used() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		i := 0
		for e := range slices.Chunk(g.entries, int(binary.LittleEndian.Uint32(g.header[gptEntrySize:]))) {
			if !bytes.Equal(e[:16], make([]byte, 16)) && !yield(i, e) {
				return
			}
			i++
		}
	}
}

// sectors are the first and the last sector of an entry.
func sectors(entry []byte) (first, last uint64) {
	return binary.LittleEndian.Uint64(entry[entryFirst:]), binary.LittleEndian.Uint64(entry[entryLast:])
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
