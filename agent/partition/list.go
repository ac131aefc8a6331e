package partition

import (
	"errors"
	"io"
)

// Types of entries of an MBR that stand for a chain of extended boot records.
const (
	typeExtended    = 0x05
	typeExtendedLBA = 0x0f
	typeExtendedOld = 0x85
	maxLogical      = 64
)

// Place is a place in a partition table.
type Place struct {
	Number         int   // from 1, as sfdisk and Linux count
	Offset, Length int64 // bytes
}

// List finds the partitions of a disk of size bytes in sectors of sector bytes: of an MBR, with its logical ones, or of a
// GPT, of which the copy at the end is taken where the first is damaged. What does not lie on the disk is left out. ok is
// false when there is no table. An error is the reader's.
func List(r io.ReaderAt, size int64, sector int) (list []Place, ok bool, err error) {
	mbr := make([]byte, 512)
	switch err := readAt(r, mbr, 0); {
	case errors.Is(err, ErrCorrupt):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case !marked(mbr):
		return nil, false, nil
	}
	protective := false
	for i := range 4 {
		protective = protective || mbr[mbrTable+i*mbrEntry+entryType] == mbrProtective
	}
	if !protective {
		list, err := listMBR(r, mbr, int64(sector))
		return inside(list, size), err == nil, err
	}
	// A copy of a disk with 4096-byte sectors may lie in a file whose sectors have 512.
	var broken error
	for _, sector := range []int{sector, 512, 4096} {
		for _, at := range []int64{int64(sector), size/int64(sector)*int64(sector) - int64(sector)} {
			if at < int64(sector) {
				continue
			}
			g, err := readGPT(r, at, sector, size)
			if err == nil {
				return inside(g.list(sector, size), size), true, nil
			}
			if !errors.Is(err, ErrCorrupt) {
				broken = err // the other copy may be readable
			}
		}
	}
	return nil, true, broken
}

// inside leaves out what does not lie on a disk of that size.
func inside(list []Place, size int64) (good []Place) {
	for _, p := range list {
		if p.Offset > 0 && p.Length > 0 && p.Offset < size && p.Length <= size-p.Offset {
			good = append(good, p)
		}
	}
	return good
}

func listMBR(r io.ReaderAt, mbr []byte, sector int64) (list []Place, err error) {
	var extended int64
	for i := range 4 {
		e := mbr[mbrTable+i*mbrEntry:]
		start, count := inMBR(e)
		switch e[entryType] {
		case 0:
		case typeExtended, typeExtendedLBA, typeExtendedOld:
			extended = start * sector
		default:
			list = append(list, Place{i + 1, start * sector, count * sector})
		}
	}
	ebr := make([]byte, 512)
	for at, n := extended, 5; at > 0 && n < 5+maxLogical; n++ {
		if err := readAt(r, ebr, at); err != nil && !errors.Is(err, ErrCorrupt) {
			return nil, err
		} else if err != nil || !marked(ebr) {
			break
		}
		// The first entry counts from this record, the second one, the next record, from the first record.
		if start, count := inMBR(ebr[mbrTable:]); ebr[mbrTable+entryType] != 0 {
			list = append(list, Place{n, at + start*sector, count * sector})
		}
		next, _ := inMBR(ebr[mbrTable+mbrEntry:])
		if ebr[mbrTable+mbrEntry+entryType] == 0 || next == 0 {
			break
		}
		at = extended + next*sector
	}
	return list, nil
}

// list are the partitions of a GPT on a disk of size bytes.
func (g *gpt) list(sector int, size int64) (list []Place) {
	end := uint64(size / int64(sector))
	for i, e := range g.used() {
		if first, last := sectors(e); first <= last && last < end {
			list = append(list, Place{i + 1, int64(first) * int64(sector), int64(last-first+1) * int64(sector)})
		}
	}
	return list
}
