// Package partition reads partition tables, MBR and GPT: of a disk image, to fit a GPT to the device that it is written
// to (Read, Table.Move), and of a disk that may be damaged, to find what lies on it (List).
//
// A GPT lies on a disk twice, at its start and at its very end. An image that was made for a smaller disk has its second
// copy somewhere in the middle of a larger one, where firmware and tools do not look for it, and its header says that the
// disk ends there. So the copy is moved, and both headers are told; partitions stay what and where they are.
//
// Sources: UEFI 2.10, 5.2 (MBR) and 5.3 (GPT); the chain of extended boot records is as Linux and Windows read it.
package partition

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
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
	gpt
}

// Fields of an MBR.
const (
	mbrSignature  = 440 // u32
	mbrTable      = 446 // four entries
	mbrEntry      = 16
	mbrMark       = 510
	mbrProtective = 0xee
	entryType     = 4
	entryStart    = 8  // u32, sectors
	entryCount    = 12 // u32, sectors
)

// marked reports whether a sector has the mark of one that may be started, and may have a table.
func marked(sector []byte) bool { return sector[mbrMark] == 0x55 && sector[mbrMark+1] == 0xAA }

// inMBR are the sectors that an entry of an MBR names.
func inMBR(entry []byte) (start, count int64) {
	le := binary.LittleEndian
	return int64(le.Uint32(entry[entryStart:])), int64(le.Uint32(entry[entryCount:]))
}

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
	t.Boots = marked(t.sector0)
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
		start, count := inMBR(e)
		switch {
		case e[0]&0x7f != 0:
			return false
		case e[entryType] == 0:
		case count == 0: // start 0 is what isohybrid images have
			return false
		default:
			used = used || start+count > 0
		}
	}
	return used
}

// readGPT takes the first copy of a GPT, which must be whole, with its entries, within the head.
func (t *Table) readGPT(head []byte, sector int) error {
	g, err := readGPT(bytes.NewReader(head), int64(sector), sector, int64(len(head)))
	if err != nil {
		return err
	}
	for _, e := range g.used() {
		if first, last := sectors(e); first > last || last >= 1<<50 {
			return corrupt("a partition from sector %d to %d", first, last)
		}
	}
	t.Kind, t.SectorSize, t.gpt, t.sector0 = GPT, sector, g, head[:sector]
	t.DiskID = guid(g.header[gptDiskGUID:])
	return nil
}
