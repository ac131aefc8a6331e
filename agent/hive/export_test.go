package hive

import (
	"fmt"
	"slices"
)

// Audit checks a hive's inner order beyond what readers notice: every allocated cell is used exactly once, lists are
// sorted and hashed, every count and back reference is right. It returns the number of cells that nothing uses.
func (h *Hive) Audit() (leaked int, err error) {
	again, err := Open(h.Bytes())
	if err != nil {
		return 0, fmt.Errorf("open again: %w", err)
	}
	if !slices.Equal(again.free, h.free) {
		return 0, fmt.Errorf("free cells in memory %v, in the file %v", h.free, again.free)
	}
	d := &walk{again.deletion(), map[uint32]uint32{}}
	if err := d.key(again.root(), 0); err != nil {
		return 0, err
	}
	first := none
	for sk, keys := range d.security {
		first = sk
		if c, _ := again.security(sk); u32(c, securityCount) != keys {
			return 0, fmt.Errorf("security cell %#x counts %d, used by %d", sk, u32(c, securityCount), keys)
		}
	}
	for sk, ring := first, 0; ; ring++ {
		if err := d.add(sk); err != nil {
			return 0, err
		}
		c, err := again.security(sk)
		if err != nil {
			return 0, err
		}
		next := u32(c, securityNext)
		if n, err := again.security(next); err != nil || u32(n, securityPrevious) != sk {
			return 0, fmt.Errorf("security cell %#x is not in a ring", sk)
		}
		if sk = next; sk == first {
			break
		}
	}
	if err := again.auditKey(again.root()); err != nil {
		return 0, err
	}
	for word, bits := range again.starts {
		for bit := range 64 {
			off := uint32(word*512 + bit*8)
			if bits>>bit&1 == 0 {
				continue
			}
			if _, err := again.cell(off); err == nil && !d.seen[off] {
				leaked++
			}
		}
	}
	return leaked, nil
}

// A walk gathers all cells that are used.
type walk struct {
	*deletion
	security map[uint32]uint32 // security cell: number of keys that have it
}

// key gathers the cells of a key with all that lies below it.
func (w *walk) key(off uint32, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: keys are nested more than %d deep", ErrCorrupt, maxDepth)
	}
	nk, err := w.h.nk(off)
	if err != nil {
		return err
	}
	if err := w.add(off); err != nil {
		return err
	}
	if u16(nk, nkClassLength) > 0 && u32(nk, nkClass) != none {
		if err := w.add(u32(nk, nkClass)); err != nil {
			return err
		}
	}
	if sk := u32(nk, nkSecurity); sk != none {
		if _, err := w.h.security(sk); err != nil {
			return err
		}
		w.security[sk]++
	}
	if err := w.values(off, nk); err != nil {
		return err
	}
	leaves, index, err := w.h.leaves(nk)
	if err != nil {
		return err
	}
	if index != none {
		if err := w.add(index); err != nil {
			return err
		}
	}
	for _, l := range leaves {
		if err := w.add(l.off); err != nil {
			return err
		}
		for _, e := range l.entries {
			if err := w.key(e.key, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walk) values(key uint32, nk []byte) error {
	list, err := w.h.valueList(key)
	if err != nil || len(list) == 0 {
		return err
	}
	if err := w.add(u32(nk, nkValueList)); err != nil {
		return err
	}
	for at := 0; at < len(list); at += 4 {
		if err := w.value(u32(list, at)); err != nil {
			return err
		}
	}
	return nil
}

func (h *Hive) auditKey(key uint32) error {
	nk, err := h.nk(key)
	if err != nil {
		return err
	}
	leaves, _, err := h.leaves(nk)
	if err != nil {
		return err
	}
	var last name
	for _, l := range leaves {
		if len(l.entries) == 0 {
			return fmt.Errorf("empty leaf below key %#x", key)
		}
		for _, e := range l.entries {
			n, err := h.keyName(e.key)
			if err != nil {
				return err
			}
			if last != nil && last.compare(n) >= 0 {
				return fmt.Errorf("key %q comes after %q", n, last)
			}
			last = n
			if l.kind == "lh" && e.hash != n.hash() {
				return fmt.Errorf("key %q has hash %#x, not %#x", n, e.hash, n.hash())
			}
			child, _ := h.nk(e.key)
			if u32(child, nkParent) != key {
				return fmt.Errorf("key %q names %#x as parent, not %#x", n, u32(child, nkParent), key)
			}
			if int(u16(nk, nkMaxSubkeyName)) < 2*len(n) {
				return fmt.Errorf("longest name is %d, but there is key %q", u16(nk, nkMaxSubkeyName), n)
			}
			if err := h.auditKey(e.key); err != nil {
				return err
			}
		}
	}
	return nil
}

// SetVersion changes the minor version, on which some structures depend.
func (h *Hive) SetVersion(minor uint32) {
	put32(h.base, baseMinor, minor)
	h.changed = true
}

// SetListKind rewrites the subkey lists of a key, as other programs may have written them.
func (h *Hive) SetListKind(path, kind string) error {
	key, err := h.find(path)
	if err != nil {
		return err
	}
	nk, err := h.nk(key)
	if err != nil {
		return err
	}
	leaves, index, err := h.leaves(nk)
	if err != nil {
		return err
	}
	for i := range leaves {
		leaves[i].kind = kind
		for j, e := range leaves[i].entries {
			n, err := h.keyName(e.key)
			if err != nil {
				return err
			}
			leaves[i].entries[j] = newEntry(kind, e.key, n)
		}
		if err := h.relink(key, leaves, index, i); err != nil {
			return err
		}
	}
	return nil
}

// SetBig stores data of a value in segments, as Windows does above 16344 bytes. The value must exist.
func (h *Hive) SetBig(path, valueName string, data []byte) error {
	if err := h.Set(path, Value{Name: valueName, Type: TypeBinary}); err != nil {
		return err
	}
	key, err := h.find(path)
	if err != nil {
		return err
	}
	off, err := h.valueCell(key, newName(valueName))
	if err != nil {
		return err
	}
	var segments []uint32
	for part := range slices.Chunk(data, MaxValue) {
		s, err := h.alloc(MaxValue + 4)
		if err != nil {
			return err
		}
		c, _ := h.cell(s)
		copy(c, part)
		segments = append(segments, s)
	}
	list, err := h.alloc(4 * len(segments))
	if err != nil {
		return err
	}
	c, _ := h.cell(list)
	for i, s := range segments {
		put32(c, 4*i, s)
	}
	db, err := h.alloc(dbHeader)
	if err != nil {
		return err
	}
	c, _ = h.cell(db)
	copy(c, "db")
	put16(c, dbSegments, uint16(len(segments)))
	put32(c, dbList, list)
	vk, err := h.vk(off)
	if err != nil {
		return err
	}
	put32(vk, vkDataSize, uint32(len(data)))
	put32(vk, vkDataOffset, db)
	return nil
}

// Seal corrects the checksum of a base block that a test has changed.
func Seal(file []byte) []byte {
	put32(file, baseChecksum, checksum(file))
	return file
}

// Tree reads a key with all that lies below it. It returns [ErrNotExist] if there is no key at path.
func (h *Hive) Tree(path string) (Key, error) {
	off, err := h.find(path)
	if err != nil {
		return Key{}, err
	}
	k, err := h.reader().tree(off, 0)
	if err != nil {
		return Key{}, fmt.Errorf("read tree of %q: %w", path, err)
	}
	return k, nil
}

// children returns the cells of a key's subkeys.
func (h *Hive) children(key uint32) ([]uint32, error) {
	nk, err := h.nk(key)
	if err != nil {
		return nil, err
	}
	leaves, _, err := h.leaves(nk)
	if err != nil {
		return nil, err
	}
	var offs []uint32
	for _, l := range leaves {
		for _, e := range l.entries {
			offs = append(offs, e.key)
		}
	}
	return offs, nil
}

func (r *reader) tree(off uint32, depth int) (Key, error) {
	if depth > maxDepth {
		return Key{}, fmt.Errorf("%w: keys are nested more than %d deep", ErrCorrupt, maxDepth)
	}
	if err := r.charge(nkName); err != nil {
		return Key{}, err
	}
	n, err := r.h.keyName(off)
	if err != nil {
		return Key{}, err
	}
	k := Key{Name: n.String()}
	if k.Values, err = r.values(off); err != nil {
		return Key{}, fmt.Errorf("key %q: %w", n, err)
	}
	children, err := r.h.children(off)
	if err != nil {
		return Key{}, fmt.Errorf("key %q: %w", n, err)
	}
	if err := r.charge(4 * len(children)); err != nil {
		return Key{}, err
	}
	for _, c := range children {
		child, err := r.tree(c, depth+1)
		if err != nil {
			return Key{}, err
		}
		k.Keys = append(k.Keys, child)
	}
	return k, nil
}

func (r *reader) values(key uint32) ([]Value, error) {
	list, err := r.h.valueList(key)
	if err != nil {
		return nil, err
	}
	var values []Value
	for at := 0; at < len(list); at += 4 {
		v, err := r.value(u32(list, at))
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}
