package hive

import (
	"fmt"
)

// Key is a key with all that lies below it.
type Key struct {
	Name   string
	Values []Value
	Keys   []Key
}

// nk returns the cell of a key.
func (h *Hive) nk(off uint32) ([]byte, error) {
	c, err := h.signed(off, "nk", nkName)
	if err != nil {
		return nil, err
	}
	if int(u16(c, nkNameLength)) > len(c)-nkName {
		return nil, fmt.Errorf("%w: key at offset %#x has a name of %d bytes", ErrCorrupt, off, u16(c, nkNameLength))
	}
	return c, nil
}

func (h *Hive) keyName(off uint32) (name, error) {
	nk, err := h.nk(off)
	if err != nil {
		return nil, err
	}
	raw := nk[nkName : nkName+int(u16(nk, nkNameLength))]
	return decodeName(raw, u16(nk, nkFlags)&nkFlagLatin1 != 0), nil
}

// child finds a subkey by name. It reads the list from its start, so it also finds keys in a list whose order
// another program got wrong.
func (h *Hive) child(parent uint32, n name) (uint32, error) {
	nk, err := h.nk(parent)
	if err != nil {
		return 0, err
	}
	leaves, _, err := h.leaves(nk)
	if err != nil {
		return 0, err
	}
	for _, l := range leaves {
		for _, e := range l.entries {
			other, err := h.keyName(e.key)
			if err != nil {
				return 0, err
			}
			if other.compare(n) == 0 {
				return e.key, nil
			}
		}
	}
	return 0, fmt.Errorf("%w: key %q", ErrNotExist, n)
}

// find follows a path from the root key.
func (h *Hive) find(path string) (uint32, error) {
	names, err := splitPath(path)
	if err != nil {
		return 0, err
	}
	at := h.root()
	for _, n := range names {
		if at, err = h.child(at, n); err != nil {
			return 0, fmt.Errorf("find key %q: %w", path, err)
		}
	}
	return at, nil
}

// Value returns one value of a key, or [ErrNotExist].
func (h *Hive) Value(path, valueName string) (Value, error) {
	key, err := h.find(path)
	if err != nil {
		return Value{}, err
	}
	vk, err := h.valueCell(key, newName(valueName))
	if err != nil {
		return Value{}, fmt.Errorf("find value %q of %q: %w", valueName, path, err)
	}
	v, err := h.reader().value(vk)
	if err != nil {
		return Value{}, fmt.Errorf("read value %q of %q: %w", valueName, path, err)
	}
	return v, nil
}

// A reader copies keys and values out of a hive. No two cells of a sound hive share content, so what is read never
// exceeds the hive; a hive that leads into circles is found out by that.
type reader struct {
	h    *Hive
	left int
}

func (h *Hive) reader() *reader { return &reader{h, len(h.bins)} }

func (r *reader) charge(n int) error {
	if r.left -= n; r.left < 0 {
		return fmt.Errorf("%w: keys or values refer to the same cells", ErrCorrupt)
	}
	return nil
}

func (r *reader) value(off uint32) (Value, error) {
	vk, err := r.h.vk(off)
	if err != nil {
		return Value{}, err
	}
	n := vk.name()
	if err := r.charge(vkName + len(n) + 4 + vk.dataSize()); err != nil {
		return Value{}, err
	}
	data, err := r.h.data(vk)
	if err != nil {
		return Value{}, fmt.Errorf("value %q: %w", n, err)
	}
	return Value{Name: n.String(), Type: vk.typ(), Data: data}, nil
}
