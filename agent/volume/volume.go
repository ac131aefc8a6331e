// Package volume holds the two words that the volume readers (agent/ntfs,
// agent/fat) and the stick engine share: an Extent is a range of bytes of a
// volume or a device, a Patch is bytes that belong at an offset. Both count
// from the start of whatever the reader was given.
package volume

import (
	"cmp"
	"fmt"
	"io"
	"slices"
)

// Extent is a range of bytes.
type Extent struct {
	Offset int64 `json:"offset"` // bytes from the start
	Length int64 `json:"length"` // bytes, above 0
}

// End is the first byte after the extent.
func (e Extent) End() int64 { return e.Offset + e.Length }

// Patch is bytes that replace those at an offset.
type Patch struct {
	Offset int64
	Bytes  []byte
}

// Join sorts extents and merges those that overlap, touch, or lie no more
// than gap bytes apart. The argument is not changed.
func Join(extents []Extent, gap int64) []Extent {
	sorted := slices.Clone(extents)
	slices.SortFunc(sorted, func(a, b Extent) int { return cmp.Compare(a.Offset, b.Offset) })
	var joined []Extent
	for _, e := range sorted {
		if n := len(joined); n > 0 && e.Offset <= joined[n-1].End()+gap {
			joined[n-1].Length = max(joined[n-1].End(), e.End()) - joined[n-1].Offset
			continue
		}
		joined = append(joined, e)
	}
	return joined
}

// Align widens every extent to multiples of unit and merges what then
// overlaps or touches.
func Align(extents []Extent, unit int64) []Extent {
	wide := make([]Extent, len(extents))
	for i, e := range extents {
		start := e.Offset / unit * unit
		wide[i] = Extent{start, (e.End()+unit-1)/unit*unit - start}
	}
	return Join(wide, 0)
}

// Total is the number of bytes in extents that do not overlap.
func Total(extents []Extent) int64 {
	var n int64
	for _, e := range extents {
		n += e.Length
	}
	return n
}

// Place splits data over extents in their order: byte i of data belongs where
// byte i of the extents lies. It fails when data is longer than the extents.
func Place(extents []Extent, data []byte) ([]Patch, error) {
	var patches []Patch
	for _, e := range extents {
		if len(data) == 0 {
			break
		}
		n := min(e.Length, int64(len(data)))
		patches = append(patches, Patch{e.Offset, data[:n]})
		data = data[n:]
	}
	if len(data) > 0 {
		return nil, fmt.Errorf("place data: %d bytes more than %d bytes of extents", len(data), Total(extents))
	}
	return patches, nil
}

// Read returns the bytes of extents, one after the other.
func Read(r io.ReaderAt, extents []Extent) ([]byte, error) {
	data := make([]byte, Total(extents))
	at := int64(0)
	for _, e := range extents {
		if _, err := r.ReadAt(data[at:at+e.Length], e.Offset); err != nil {
			return nil, fmt.Errorf("read %d bytes at %d: %w", e.Length, e.Offset, err)
		}
		at += e.Length
	}
	return data, nil
}

// Apply writes patches.
func Apply(w io.WriterAt, patches []Patch) error {
	for _, p := range patches {
		if _, err := w.WriteAt(p.Bytes, p.Offset); err != nil {
			return fmt.Errorf("patch %d bytes at %d: %w", len(p.Bytes), p.Offset, err)
		}
	}
	return nil
}
