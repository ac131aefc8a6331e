package ntfs

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"

	"github.com/stickpress/stickpress/agent/volume"
)

// LabelExtents says where the bytes of the volume's label lie, in their order:
// in $Volume's record, and in its copy in $MFTMirr. Whoever replaces them
// replaces all copies, by a label of the same length: the two records may not
// differ. The update sequence needs no change: a byte that a fix-up displaces
// is listed where it lies, in the update sequence array.
//
// ErrNotFound is wrapped when the volume has no place for a label.
func (v *Volume) LabelExtents() ([][]volume.Extent, error) {
	rec, err := v.record(recordVolume)
	if err != nil {
		return nil, err
	}
	a, ok, err := findAttribute(rec, func(a attribute) bool { return a.typ == attrVolumeName })
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("volume label: %w", ErrNotFound)
	}
	value, err := a.value()
	if err != nil {
		return nil, err
	}
	first := a.at + int(binary.LittleEndian.Uint16(a.raw[attrValueOffset:]))
	array := int(binary.LittleEndian.Uint16(rec[recUSAOffset:]))
	places, err := v.copies(recordVolume)
	if err != nil {
		return nil, err
	}
	labels := make([][]volume.Extent, len(places))
	for i := range value {
		at := first + i
		if in := at % fixupStride; in >= fixupStride-2 {
			at = array + 2*(at/fixupStride+1) + in - (fixupStride - 2)
		}
		for n, place := range places {
			labels[n] = appendByte(labels[n], place, int64(at))
		}
	}
	return labels, nil
}

// EncodeLabel is how a label lies on a volume.
func EncodeLabel(label string) []byte {
	var raw []byte
	for _, u := range utf16.Encode([]rune(label)) {
		raw = binary.LittleEndian.AppendUint16(raw, u)
	}
	return raw
}

// copies are the places of MFT record n: its own, and that of its copy in
// $MFTMirr if it has one.
func (v *Volume) copies(n int64) ([][]volume.Extent, error) {
	own, err := v.locate(v.mft, n*v.recordSize, v.recordSize)
	if err != nil {
		return nil, err
	}
	places := [][]volume.Extent{own}
	if mirrored := max(4*v.recordSize, v.clusterSize) / v.recordSize; n < mirrored {
		places = append(places, []volume.Extent{{Offset: v.mftMirr*v.clusterSize + n*v.recordSize, Length: v.recordSize}})
	}
	return places, nil
}

// appendByte adds byte at of what lies in place to a list of extents.
func appendByte(list, place []volume.Extent, at int64) []volume.Extent {
	for _, e := range place {
		if at >= e.Length {
			at -= e.Length
			continue
		}
		if n := len(list); n > 0 && list[n-1].End() == e.Offset+at {
			list[n-1].Length++
			return list
		}
		return append(list, volume.Extent{Offset: e.Offset + at, Length: 1})
	}
	return list
}
