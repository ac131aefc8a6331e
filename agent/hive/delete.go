package hive

import (
	"fmt"
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

// A deletion first gathers the cells to free, so that a corrupt hive is found out before anything is changed.
type deletion struct {
	h     *Hive
	cells []uint32
	seen  map[uint32]bool
}

func (h *Hive) deletion() *deletion {
	return &deletion{h: h, seen: map[uint32]bool{}}
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
	return nil
}
