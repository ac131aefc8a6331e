package hive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// create makes the key at path and those above it that are missing, and returns its cell.
// New keys share the security descriptor of their parent and have no class.
func (h *Hive) create(path string) (uint32, error) {
	names, err := splitPath(path)
	if err != nil {
		return 0, fmt.Errorf("create key %q: %w", path, err)
	}
	if len(names) > maxDepth {
		return 0, fmt.Errorf("create key %q: %w: more than %d levels", path, ErrLimit, maxDepth)
	}
	at := h.root()
	for _, n := range names {
		next, err := h.child(at, n)
		if errors.Is(err, ErrNotExist) {
			next, err = h.createChild(at, n)
		}
		if err != nil {
			return 0, fmt.Errorf("create key %q: %w", path, err)
		}
		at = next
	}
	return at, nil
}

// createChild makes a key that is known to be missing.
func (h *Hive) createChild(parent uint32, n name) (uint32, error) {
	nk, err := h.nk(parent)
	if err != nil {
		return 0, err
	}
	security := u32(nk, nkSecurity)
	sk, err := h.security(security)
	if err != nil {
		return 0, err
	}
	put32(sk, securityCount, u32(sk, securityCount)+1)
	raw, _ := n.encode()
	key, err := h.alloc(nkName + len(raw))
	if err != nil {
		return 0, err
	}
	if err := h.initKey(key, parent, security, n, 0); err != nil {
		return 0, err
	}
	if err := h.link(parent, key, n); err != nil {
		return 0, err
	}
	return key, h.touch(parent)
}

// initKey writes the cell of a key that has nothing in it yet.
func (h *Hive) initKey(key, parent, security uint32, n name, flags uint16) error {
	nk, err := h.cell(key)
	if err != nil {
		return err
	}
	raw, latin1 := n.encode()
	if latin1 {
		flags |= nkFlagLatin1
	}
	copy(nk, "nk")
	put16(nk, nkFlags, flags)
	put64(nk, nkTime, filetime(h.Time))
	put32(nk, nkParent, parent)
	for _, field := range []int{nkSubkeyList, nkVolatileList, nkValueList, nkClass} {
		put32(nk, field, none)
	}
	put32(nk, nkSecurity, security)
	put16(nk, nkNameLength, uint16(len(raw)))
	copy(nk[nkName:], raw)
	return nil
}

// touch stamps a changed key.
func (h *Hive) touch(key uint32) error {
	h.changed = true
	if h.Time.IsZero() {
		return nil
	}
	nk, err := h.nk(key)
	if err != nil {
		return err
	}
	put64(nk, nkTime, filetime(h.Time))
	return nil
}

// Set writes values of the key at path, which it creates if it is missing. A value of the same name is replaced,
// whatever its type was. A value of more than [MaxValue] bytes is refused with [ErrLimit].
func (h *Hive) Set(path string, values ...Value) error {
	for _, v := range values {
		if err := v.check(); err != nil {
			return fmt.Errorf("set values of %q: %w", path, err)
		}
	}
	key, err := h.create(path)
	if err != nil {
		return err
	}
	for _, v := range values {
		if err := h.setValue(key, v); err != nil {
			return fmt.Errorf("set value %q of %q: %w", v.Name, path, err)
		}
	}
	return h.touch(key)
}

func (h *Hive) setValue(key uint32, v Value) error {
	n := newName(v.Name)
	off, err := h.valueCell(key, n)
	if errors.Is(err, ErrNotExist) {
		off, err = h.addValue(key, n)
	}
	if err != nil {
		return err
	}
	if err := h.setData(off, v); err != nil {
		return err
	}
	return h.noteLargest(key, n, v)
}

// noteLargest keeps the key's record of its longest value name and largest data.
func (h *Hive) noteLargest(key uint32, n name, v Value) error {
	nk, err := h.nk(key)
	if err != nil {
		return err
	}
	put32(nk, nkMaxValueName, max(u32(nk, nkMaxValueName), uint32(2*len(n))))
	put32(nk, nkMaxValueData, max(u32(nk, nkMaxValueData), uint32(len(v.Data))))
	return nil
}

// addValue makes a value without data and enters it at the end of the key's list.
func (h *Hive) addValue(key uint32, n name) (uint32, error) {
	off, err := h.newValue(n)
	if err != nil {
		return 0, err
	}
	list, err := h.valueList(key)
	if err != nil {
		return 0, err
	}
	return off, h.storeValueList(key, binary.LittleEndian.AppendUint32(slices.Clone(list), off))
}

// newValue makes the cell of a value without data.
func (h *Hive) newValue(n name) (uint32, error) {
	raw, latin1 := n.encode()
	off, err := h.alloc(vkName + len(raw))
	if err != nil {
		return 0, err
	}
	vk, err := h.cell(off)
	if err != nil {
		return 0, err
	}
	copy(vk, "vk")
	put16(vk, vkNameLength, uint16(len(raw)))
	put32(vk, vkDataSize, vkInline)
	if latin1 {
		put16(vk, vkFlags, vkFlagLatin1)
	}
	copy(vk[vkName:], raw)
	return off, nil
}

// storeValueList writes the offsets of a key's values; the list it had is used again or freed.
func (h *Hive) storeValueList(key uint32, offs []byte) error {
	nk, err := h.nk(key)
	if err != nil {
		return err
	}
	if u16(nk, nkFlags)&nkFlagPredefined != 0 {
		return fmt.Errorf("%w: predefined key", ErrUnsupported)
	}
	list := none
	if u32(nk, nkValues) > 0 {
		list = u32(nk, nkValueList)
	}
	switch {
	case len(offs) > 0:
		if list, err = h.fit(list, len(offs)); err != nil {
			return err
		}
		c, err := h.cell(list)
		if err != nil {
			return err
		}
		clear(c[copy(c, offs):])
	case list != none:
		if err := h.release(list); err != nil {
			return err
		}
		list = none
	}
	if nk, err = h.nk(key); err != nil {
		return err
	}
	put32(nk, nkValues, uint32(len(offs)/4))
	put32(nk, nkValueList, list)
	return nil
}

// setData replaces type and data of a value. A data cell that is large enough is used again.
func (h *Hive) setData(off uint32, v Value) error {
	vk, err := h.vk(off)
	if err != nil {
		return err
	}
	old, err := h.dataCells(vk)
	if err != nil {
		return err
	}
	if len(v.Data) > 4 && len(old) == 1 {
		at, err := h.fit(old[0], len(v.Data))
		if err != nil {
			return err
		}
		return h.putData(off, v, at)
	}
	for _, c := range old {
		if err := h.release(c); err != nil {
			return err
		}
	}
	at := none
	if len(v.Data) > 4 {
		if at, err = h.alloc(len(v.Data)); err != nil {
			return err
		}
	}
	return h.putData(off, v, at)
}

// putData writes the data into the cell at, or into the value itself if there is none.
func (h *Hive) putData(off uint32, v Value, at uint32) error {
	vk, err := h.vk(off)
	if err != nil {
		return err
	}
	put32(vk, vkType, uint32(v.Type))
	h.changed = true
	if at == none {
		put32(vk, vkDataSize, uint32(len(v.Data))|vkInline)
		clear(vk[vkDataOffset+copy(vk[vkDataOffset:vkType], v.Data) : vkType])
		return nil
	}
	put32(vk, vkDataSize, uint32(len(v.Data)))
	put32(vk, vkDataOffset, at)
	c, err := h.cell(at)
	if err != nil {
		return err
	}
	clear(c[copy(c, v.Data):])
	return nil
}
