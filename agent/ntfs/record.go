package ntfs

import (
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/stickpress/stickpress/agent/volume"
)

// fixupStride is the unit that update-sequence fix-ups protect, whatever the
// sector size (ntfs-3g layout.h, NTFS_BLOCK_SIZE).
const fixupStride = 512

// MFT record header (ntfsdoc, FILE record).
const (
	recUSAOffset    = 4  // u16
	recUSACount     = 6  // u16, the number itself and one word per stride
	recAttrs        = 20 // u16
	recFlags        = 22 // u16: 1 in use, 2 directory
	recUsed         = 24 // u32
	recAllocated    = 28 // u32
	recNextInstance = 40 // u16
	recHeader       = 42
	recInUse        = 1
	recDirectory    = 2
)

// refNumber is the record number in a file reference; the upper 16 bits are
// its sequence number.
func refNumber(ref uint64) int64 { return int64(ref & (1<<48 - 1)) }

// record reads MFT record n with its fix-ups undone.
func (v *Volume) record(n int64) ([]byte, error) {
	extents, err := v.locate(v.mft, n*v.recordSize, v.recordSize)
	if err != nil {
		return nil, fmt.Errorf("MFT record %d: %w", n, err)
	}
	return v.recordAt(n, extents)
}

func (v *Volume) recordAt(n int64, extents []volume.Extent) ([]byte, error) {
	rec, err := volume.Read(v.r, extents)
	if err != nil {
		return nil, fmt.Errorf("MFT record %d: %w", n, err)
	}
	if err := undoFixups(rec, "FILE"); err != nil {
		return nil, fmt.Errorf("MFT record %d: %w", n, err)
	}
	used, allocated := binary.LittleEndian.Uint32(rec[recUsed:]), binary.LittleEndian.Uint32(rec[recAllocated:])
	attrs := binary.LittleEndian.Uint16(rec[recAttrs:])
	if int64(used) > v.recordSize || int64(allocated) != v.recordSize || attrs < recHeader || uint32(attrs)+8 > used {
		return nil, corrupt("MFT record %d: attributes at %d, %d of %d bytes used", n, attrs, used, allocated)
	}
	if binary.LittleEndian.Uint16(rec[recFlags:])&recInUse == 0 {
		return nil, corrupt("MFT record %d is not in use", n)
	}
	return rec, nil
}

// undoFixups checks the update sequence of a FILE or INDX block and puts the
// protected bytes back in place.
func undoFixups(block []byte, magic string) error {
	if string(block[:4]) != magic {
		return corrupt("block has magic %q, want %q", block[:4], magic)
	}
	usa, count, err := fixupArray(block)
	if err != nil {
		return err
	}
	number := [2]byte(usa)
	for i := 1; i < count; i++ {
		at := i*fixupStride - 2
		if [2]byte(block[at:]) != number {
			return corrupt("torn block: stride %d ends in %x, want %x", i, block[at:at+2], number)
		}
		copy(block[at:at+2], usa[2*i:])
	}
	return nil
}

// redoFixups is the opposite: it raises the update sequence number and lays
// it over the end of every stride.
func redoFixups(block []byte) error {
	usa, count, err := fixupArray(block)
	if err != nil {
		return err
	}
	number := binary.LittleEndian.Uint16(usa) + 1
	if number == 0 || number == 0xffff {
		number = 1
	}
	binary.LittleEndian.PutUint16(usa, number)
	for i := 1; i < count; i++ {
		at := i*fixupStride - 2
		copy(usa[2*i:2*i+2], block[at:])
		copy(block[at:at+2], usa)
	}
	return nil
}

func fixupArray(block []byte) (usa []byte, count int, err error) {
	offset := int(binary.LittleEndian.Uint16(block[recUSAOffset:]))
	count = int(binary.LittleEndian.Uint16(block[recUSACount:]))
	if count != len(block)/fixupStride+1 || offset < 8 || offset+2*count > fixupStride-2 {
		return nil, 0, corrupt("update sequence of %d words at %d", count, offset)
	}
	return block[offset : offset+2*count], count, nil
}

// Attribute types.
const (
	attrStandardInformation = 0x10
	attrList                = 0x20
	attrFileName            = 0x30
	attrSecurityDescriptor  = 0x50
	attrVolumeName          = 0x60 // UTF-16, without a terminator
	attrData                = 0x80
	attrIndexRoot           = 0x90
	attrIndexAllocation     = 0xA0
	attrEnd                 = 0xFFFFFFFF
)

// Attribute header (ntfsdoc, Attribute).
const (
	attrLength      = 4  // u32
	attrNonResident = 8  // u8
	attrNameLength  = 9  // u8, UTF-16 units
	attrNameOffset  = 10 // u16
	attrFlags       = 12 // u16: compressed 0x00ff, encrypted 0x4000, sparse 0x8000
	attrInstance    = 14 // u16
	// resident
	attrValueLength = 16 // u32
	attrValueOffset = 20 // u16
	attrResidentMin = 24
	// non-resident
	attrLowestVCN       = 16 // i64
	attrHighestVCN      = 24 // i64
	attrRunsOffset      = 32 // u16
	attrDataSize        = 48 // i64
	attrInitializedSize = 56 // i64
	attrNonResidentMin  = 64
)

// attribute is one attribute's bytes inside a record; at is where they begin.
type attribute struct {
	typ uint32
	at  int
	raw []byte
}

func (a attribute) resident() bool   { return a.raw[attrNonResident] == 0 }
func (a attribute) instance() uint16 { return binary.LittleEndian.Uint16(a.raw[attrInstance:]) }
func (a attribute) flags() uint16    { return binary.LittleEndian.Uint16(a.raw[attrFlags:]) }
func (a attribute) lowestVCN() int64 { return int64(binary.LittleEndian.Uint64(a.raw[attrLowestVCN:])) }

// name is the attribute's name; only ASCII names matter here.
func (a attribute) name() string {
	n, at := int(a.raw[attrNameLength]), int(binary.LittleEndian.Uint16(a.raw[attrNameOffset:]))
	if at+2*n > len(a.raw) {
		return "\x00"
	}
	return decodeUTF16(a.raw[at : at+2*n])
}

// value is a resident attribute's content.
func (a attribute) value() ([]byte, error) {
	n, at := binary.LittleEndian.Uint32(a.raw[attrValueLength:]), uint32(binary.LittleEndian.Uint16(a.raw[attrValueOffset:]))
	if !a.resident() || at < attrResidentMin || at > uint32(len(a.raw)) || n > uint32(len(a.raw))-at {
		return nil, corrupt("attribute %#x: value of %d bytes at %d", a.typ, n, at)
	}
	return a.raw[at : at+n], nil
}

// attributes walks a record. A malformed attribute ends the walk with an
// error as its last pair.
func attributes(rec []byte) iter.Seq2[attribute, error] {
	return func(yield func(attribute, error) bool) {
		used := int(binary.LittleEndian.Uint32(rec[recUsed:]))
		at := int(binary.LittleEndian.Uint16(rec[recAttrs:]))
		for {
			if at+4 > used {
				yield(attribute{}, corrupt("attributes run past %d", used))
				return
			}
			typ := binary.LittleEndian.Uint32(rec[at:])
			if typ == attrEnd {
				return
			}
			if at+8 > used {
				yield(attribute{}, corrupt("attributes run past %d", used))
				return
			}
			length := binary.LittleEndian.Uint32(rec[at+attrLength:])
			if length < attrResidentMin || length%8 != 0 || int64(at)+int64(length) > int64(used) {
				yield(attribute{}, corrupt("attribute %#x at %d of %d bytes", typ, at, length))
				return
			}
			a := attribute{typ, at, rec[at : at+int(length)]}
			if !a.resident() && len(a.raw) < attrNonResidentMin {
				yield(attribute{}, corrupt("non-resident attribute %#x of %d bytes", typ, length))
				return
			}
			if !yield(a, nil) {
				return
			}
			at += int(length)
		}
	}
}

// findAttribute returns the first attribute of a record that keep accepts;
// ok is false when there is none.
func findAttribute(rec []byte, keep func(attribute) bool) (a attribute, ok bool, err error) {
	for a, err := range attributes(rec) {
		if err != nil {
			return attribute{}, false, err
		}
		if keep(a) {
			return a, true, nil
		}
	}
	return attribute{}, false, nil
}
