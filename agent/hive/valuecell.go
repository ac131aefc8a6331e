package hive

import "fmt"

// A valueCell is the payload of a vk cell.
type valueCell []byte

func (h *Hive) vk(off uint32) (valueCell, error) {
	c, err := h.signed(off, "vk", vkName)
	if err != nil {
		return nil, err
	}
	if int(u16(c, vkNameLength)) > len(c)-vkName {
		return nil, fmt.Errorf("%w: value at offset %#x has a name of %d bytes", ErrCorrupt, off, u16(c, vkNameLength))
	}
	return c, nil
}

func (v valueCell) name() name {
	return decodeName(v[vkName:vkName+int(u16(v, vkNameLength))], u16(v, vkFlags)&vkFlagLatin1 != 0)
}

func (v valueCell) typ() Type { return Type(u32(v, vkType)) }

func (v valueCell) inline() bool { return u32(v, vkDataSize)&vkInline != 0 }

func (v valueCell) dataSize() int { return int(u32(v, vkDataSize) &^ vkInline) }

// valueList returns the offsets of a key's values, encoded. Predefined keys, which exist in a running Windows only,
// have none.
func (h *Hive) valueList(key uint32) ([]byte, error) {
	nk, err := h.nk(key)
	if err != nil {
		return nil, err
	}
	count := int64(u32(nk, nkValues))
	if count == 0 || u16(nk, nkFlags)&nkFlagPredefined != 0 {
		return nil, nil
	}
	c, err := h.cell(u32(nk, nkValueList))
	if err != nil {
		return nil, fmt.Errorf("list of values: %w", err)
	}
	if 4*count > int64(len(c)) {
		return nil, fmt.Errorf("%w: a key counts %d values and lists fewer", ErrCorrupt, count)
	}
	return c[:4*count], nil
}

// valueCell finds a value of a key by name.
func (h *Hive) valueCell(key uint32, n name) (uint32, error) {
	list, err := h.valueList(key)
	if err != nil {
		return 0, err
	}
	for at := 0; at < len(list); at += 4 {
		vk, err := h.vk(u32(list, at))
		if err != nil {
			return 0, err
		}
		if vk.name().compare(n) == 0 {
			return u32(list, at), nil
		}
	}
	return 0, ErrNotExist
}

// data returns a copy of a value's data.
func (h *Hive) data(vk valueCell) ([]byte, error) {
	size, off := vk.dataSize(), u32(vk, vkDataOffset)
	switch {
	case vk.inline() && size > 4:
		return nil, fmt.Errorf("%w: %d bytes of data in a field of 4", ErrCorrupt, size)
	case vk.inline():
		return append([]byte(nil), vk[vkDataOffset:vkDataOffset+size]...), nil
	case size == 0:
		return nil, nil
	case h.isBig(vk):
		return h.bigData(off, size)
	}
	c, err := h.cell(off)
	if err != nil {
		return nil, err
	}
	if size > len(c) {
		return nil, fmt.Errorf("%w: %d bytes of data in a cell of %d", ErrCorrupt, size, len(c))
	}
	return append([]byte(nil), c[:size]...), nil
}

// isBig tells whether a value's data is cut into segments.
func (h *Hive) isBig(vk valueCell) bool {
	return !vk.inline() && vk.dataSize() > MaxValue && h.minor() >= 4
}

func (h *Hive) bigData(off uint32, size int) ([]byte, error) {
	_, segments, err := h.segments(off, size)
	if err != nil {
		return nil, err
	}
	var data []byte
	for _, s := range segments {
		c, err := h.cell(s)
		if err != nil {
			return nil, err
		}
		n := min(MaxValue, size-len(data))
		if n > len(c) {
			return nil, fmt.Errorf("%w: segment of %d bytes in a cell of %d", ErrCorrupt, n, len(c))
		}
		data = append(data, c[:n]...)
	}
	return data, nil
}

// segments returns the cells of a big value: the list, and the segments that it names, just as many as size needs.
func (h *Hive) segments(off uint32, size int) (list uint32, segments []uint32, err error) {
	db, err := h.signed(off, "db", dbHeader)
	if err != nil {
		return 0, nil, err
	}
	count := int(u16(db, dbSegments))
	list = u32(db, dbList)
	c, err := h.cell(list)
	if err != nil {
		return 0, nil, err
	}
	if 4*count > len(c) || count != (size+MaxValue-1)/MaxValue {
		return 0, nil, fmt.Errorf("%w: %d segments for %d bytes of data", ErrCorrupt, count, size)
	}
	for i := range count {
		segments = append(segments, u32(c, 4*i))
	}
	return list, segments, nil
}

// dataCells returns the cells that hold a value's data.
func (h *Hive) dataCells(vk valueCell) ([]uint32, error) {
	off := u32(vk, vkDataOffset)
	if vk.inline() || vk.dataSize() == 0 {
		return nil, nil
	}
	if !h.isBig(vk) {
		return []uint32{off}, nil
	}
	list, segments, err := h.segments(off, vk.dataSize())
	return append(segments, list, off), err
}
