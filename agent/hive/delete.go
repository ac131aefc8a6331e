package hive

import (
	"fmt"
	"strings"
)

// DeleteValue deletes one value of a key. It returns [ErrNotExist] if key or value is missing.
func (h *Hive) DeleteValue(path, valueName string) error {
	key, err := h.find(path)
	if err != nil {
		return err
	}
	off, err := h.valueCell(key, newName(valueName))
	if err != nil {
		return fmt.Errorf("delete value %q of %q: %w", valueName, path, err)
	}
	if err := h.deleteValues(key, func(vk uint32) bool { return vk == off }); err != nil {
		return fmt.Errorf("delete value %q of %q: %w", valueName, path, err)
	}
	return nil
}

// DeleteValues deletes all values of a key, and leaves the key and its subkeys. It may be repeated.
// It returns [ErrNotExist] if there is no key at path.
func (h *Hive) DeleteValues(path string) error {
	key, err := h.find(path)
	if err != nil {
		return err
	}
	if err := h.deleteValues(key, func(uint32) bool { return true }); err != nil {
		return fmt.Errorf("delete values of %q: %w", path, err)
	}
	return nil
}

func (h *Hive) deleteValues(key uint32, doomed func(vk uint32) bool) error {
	list, err := h.valueList(key)
	if err != nil {
		return err
	}
	d := h.deletion()
	var kept []byte
	for at := 0; at < len(list); at += 4 {
		off := u32(list, at)
		if !doomed(off) {
			kept = append(kept, list[at:at+4]...)
		} else if err := d.value(off); err != nil {
			return err
		}
	}
	if len(kept) == len(list) {
		return nil
	}
	if err := h.storeValueList(key, kept); err != nil {
		return err
	}
	if err := d.run(); err != nil {
		return err
	}
	return h.touch(key)
}

// DeleteKey deletes a key with all that lies below it. It returns [ErrNotExist] if there is no key at path,
// and refuses the root key.
func (h *Hive) DeleteKey(path string) error {
	key, err := h.find(path)
	if err != nil {
		return err
	}
	if key == h.root() {
		return fmt.Errorf("delete key %q: %w: the root key stays", path, ErrUnsupported)
	}
	parent, err := h.find(path[:max(0, strings.LastIndexByte(path, '\\'))])
	if err != nil {
		return err
	}
	d := h.deletion()
	if err := d.key(key, 0); err != nil {
		return fmt.Errorf("delete key %q: %w", path, err)
	}
	if err := h.unlink(parent, key); err != nil {
		return fmt.Errorf("delete key %q: %w", path, err)
	}
	if err := d.run(); err != nil {
		return fmt.Errorf("delete key %q: %w", path, err)
	}
	return h.touch(parent)
}

// A deletion first gathers the cells to free, so that a corrupt hive is found out before anything is changed.
type deletion struct {
	h        *Hive
	cells    []uint32
	seen     map[uint32]bool
	security map[uint32]uint32 // security cell: number of keys that leave it
}

func (h *Hive) deletion() *deletion {
	return &deletion{h: h, seen: map[uint32]bool{}, security: map[uint32]uint32{}}
}

func (d *deletion) add(cells ...uint32) error {
	for _, off := range cells {
		if _, err := d.h.cell(off); err != nil {
			return err
		}
		if d.seen[off] {
			return fmt.Errorf("%w: the cell at offset %#x is used twice", ErrCorrupt, off)
		}
		d.seen[off] = true
		d.cells = append(d.cells, off)
	}
	return nil
}

func (d *deletion) key(off uint32, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: keys are nested more than %d deep", ErrCorrupt, maxDepth)
	}
	nk, err := d.h.nk(off)
	if err != nil {
		return err
	}
	if err := d.add(off); err != nil {
		return err
	}
	if u16(nk, nkClassLength) > 0 && u32(nk, nkClass) != none {
		if err := d.add(u32(nk, nkClass)); err != nil {
			return err
		}
	}
	if sk := u32(nk, nkSecurity); sk != none {
		if _, err := d.h.security(sk); err != nil {
			return err
		}
		d.security[sk]++
	}
	if err := d.values(off, nk); err != nil {
		return err
	}
	leaves, index, err := d.h.leaves(nk)
	if err != nil {
		return err
	}
	if index != none {
		if err := d.add(index); err != nil {
			return err
		}
	}
	for _, l := range leaves {
		if err := d.add(l.off); err != nil {
			return err
		}
		for _, e := range l.entries {
			if err := d.key(e.key, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *deletion) values(key uint32, nk []byte) error {
	list, err := d.h.valueList(key)
	if err != nil || len(list) == 0 {
		return err
	}
	if err := d.add(u32(nk, nkValueList)); err != nil {
		return err
	}
	for at := 0; at < len(list); at += 4 {
		if err := d.value(u32(list, at)); err != nil {
			return err
		}
	}
	return nil
}

func (d *deletion) value(off uint32) error {
	vk, err := d.h.vk(off)
	if err != nil {
		return err
	}
	data, err := d.h.dataCells(vk)
	if err != nil {
		return err
	}
	return d.add(append(data, off)...)
}

// run frees what was gathered.
func (d *deletion) run() error {
	for _, off := range d.cells {
		if err := d.h.release(off); err != nil {
			return err
		}
	}
	for sk, keys := range d.security {
		if err := d.h.leaveSecurity(sk, keys); err != nil {
			return err
		}
	}
	return nil
}
