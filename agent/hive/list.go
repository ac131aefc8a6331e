package hive

import (
	"fmt"
	"slices"
)

// A leaf is one list of subkeys: lf and lh entries have an offset and a hash of the name, li entries an offset.
// A key has one leaf, or an index of leaves (ri).
type leaf struct {
	off     uint32 // its cell
	kind    string
	entries []entry
}

type entry struct{ key, hash uint32 }

func newEntry(kind string, key uint32, n name) entry {
	switch kind {
	case "lh":
		return entry{key, n.hash()}
	case "lf":
		return entry{key, n.hint()}
	}
	return entry{key: key}
}

func entrySize(kind string) int {
	if kind == "li" || kind == "ri" {
		return 4
	}
	return 8
}

// list opens a cell of one of the kinds and returns its entries, still encoded.
func (h *Hive) list(off uint32, kinds ...string) (kind string, raw []byte, err error) {
	c, err := h.cell(off)
	if err != nil {
		return "", nil, err
	}
	kind = string(c[:2])
	if !slices.Contains(kinds, kind) {
		return "", nil, fmt.Errorf("%w: list at offset %#x is of kind %q", ErrCorrupt, off, kind)
	}
	size := int(u16(c, 2)) * entrySize(kind)
	if size > len(c)-listHeader {
		return "", nil, fmt.Errorf("%w: list at offset %#x counts %d entries", ErrCorrupt, off, u16(c, 2))
	}
	return kind, c[listHeader : listHeader+size], nil
}

// leaves reads the lists of a key's subkeys, in order, and the offset of the index above them or none.
// Together they have as many entries as the key says, which bounds the memory this takes.
func (h *Hive) leaves(nk []byte) (leaves []leaf, index uint32, err error) {
	want := int(u32(nk, nkSubkeys))
	if want == 0 {
		return nil, none, nil
	}
	if want > len(h.bins)/nkName {
		return nil, none, fmt.Errorf("%w: a key counts %d subkeys", ErrCorrupt, want)
	}
	offs, index := []uint32{u32(nk, nkSubkeyList)}, none
	kind, raw, err := h.list(offs[0], "lf", "lh", "li", "ri")
	if err != nil {
		return nil, none, err
	}
	if kind == "ri" {
		index, offs = offs[0], nil
		for at := 0; at < len(raw); at += 4 {
			offs = append(offs, u32(raw, at))
		}
	}
	got := 0
	for _, off := range offs {
		kind, raw, err := h.list(off, "lf", "lh", "li")
		if err != nil {
			return nil, none, err
		}
		l, size := leaf{off: off, kind: kind}, entrySize(kind)
		if got += len(raw) / size; got > want {
			break
		}
		for ; len(raw) > 0; raw = raw[size:] {
			e := entry{key: u32(raw, 0)}
			if size == 8 {
				e.hash = u32(raw, 4)
			}
			l.entries = append(l.entries, e)
		}
		leaves = append(leaves, l)
	}
	if got != want {
		return nil, none, fmt.Errorf("%w: a key counts %d subkeys and lists others", ErrCorrupt, want)
	}
	return leaves, index, nil
}

// store writes a leaf into its cell if it fits, else into a new one, and returns where.
func (h *Hive) store(l leaf) (uint32, error) {
	size := entrySize(l.kind)
	return h.storeList(l.off, l.kind, len(l.entries), func(raw []byte) {
		for i, e := range l.entries {
			put32(raw, i*size, e.key)
			if size == 8 {
				put32(raw, i*size+4, e.hash)
			}
		}
	})
}

// storeIndex writes an index of leaves into the cell at off if it fits, else into a new one, and returns where.
func (h *Hive) storeIndex(off uint32, leaves []uint32) (uint32, error) {
	return h.storeList(off, "ri", len(leaves), func(raw []byte) {
		for i, l := range leaves {
			put32(raw, 4*i, l)
		}
	})
}

func (h *Hive) storeList(off uint32, kind string, count int, fill func(raw []byte)) (uint32, error) {
	if count > maxIndex {
		return 0, fmt.Errorf("%w: a list of %d entries", ErrLimit, count)
	}
	off, err := h.fit(off, listHeader+count*entrySize(kind))
	if err != nil {
		return 0, err
	}
	c, err := h.cell(off)
	if err != nil {
		return 0, err
	}
	clear(c)
	copy(c, kind)
	put16(c, 2, uint16(count))
	fill(c[listHeader:])
	h.changed = true
	return off, nil
}

// fit returns a cell for n payload bytes in place of the one at off: that one if it is large enough, else a new one,
// and frees the old. The content is the caller's to write. With off none it allocates.
func (h *Hive) fit(off uint32, n int) (uint32, error) {
	if off == none {
		return h.alloc(n)
	}
	c, err := h.cell(off)
	if err != nil {
		return 0, err
	}
	if len(c) >= n {
		return off, nil
	}
	fresh, err := h.alloc(n)
	if err != nil {
		return 0, err
	}
	return fresh, h.release(off)
}

// link enters a new key into its parent's lists at its place in the order, and counts it.
func (h *Hive) link(parent, key uint32, n name) error {
	nk, err := h.nk(parent)
	if err != nil {
		return err
	}
	leaves, index, err := h.leaves(nk)
	if err != nil {
		return err
	}
	if leaves == nil {
		kind := "lf"
		if h.minor() >= 5 {
			kind = "lh"
		}
		leaves = []leaf{{off: none, kind: kind}}
	}
	at, pos, err := h.place(leaves, n)
	if err != nil {
		return err
	}
	l := &leaves[at]
	l.entries = slices.Insert(l.entries, pos, newEntry(l.kind, key, n))
	if len(l.entries) > maxLeaf {
		half := len(l.entries) / 2
		leaves = slices.Insert(leaves, at+1, leaf{off: none, kind: l.kind, entries: slices.Clone(l.entries[half:])})
		leaves[at].entries = leaves[at].entries[:half]
	}
	if err := h.relink(parent, leaves, index, at); err != nil {
		return err
	}
	if nk, err = h.nk(parent); err != nil {
		return err
	}
	put32(nk, nkSubkeys, u32(nk, nkSubkeys)+1)
	// The upper half of this field holds flags.
	put16(nk, nkMaxSubkeyName, max(u16(nk, nkMaxSubkeyName), uint16(2*len(n))))
	return nil
}

// place finds where a name belongs: before the first greater one, else at the end of the last leaf.
func (h *Hive) place(leaves []leaf, n name) (at, pos int, err error) {
	for at, l := range leaves {
		for pos, e := range l.entries {
			other, err := h.keyName(e.key)
			if err != nil {
				return 0, 0, err
			}
			if other.compare(n) > 0 {
				return at, pos, nil
			}
		}
	}
	last := len(leaves) - 1
	return last, len(leaves[last].entries), nil
}

// relink stores the changed leaf, those that have no cell yet, and what points at them.
func (h *Hive) relink(parent uint32, leaves []leaf, index uint32, changed int) error {
	offs := make([]uint32, len(leaves))
	for i, l := range leaves {
		var err error
		if offs[i] = l.off; i == changed || l.off == none {
			if offs[i], err = h.store(l); err != nil {
				return err
			}
		}
	}
	list := offs[0]
	if index != none || len(offs) > 1 {
		var err error
		if list, err = h.storeIndex(index, offs); err != nil {
			return err
		}
	}
	nk, err := h.nk(parent)
	if err != nil {
		return err
	}
	put32(nk, nkSubkeyList, list)
	return nil
}
