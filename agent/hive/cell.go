package hive

import (
	"fmt"
	"slices"
)

// scan walks all bins and their cells once, so that later every offset can be checked to be the start of a cell.
func (h *Hive) scan() error {
	h.starts = make([]uint64, (len(h.bins)/8+63)/64)
	for at := 0; at < len(h.bins); {
		header := h.bins[at:]
		if string(header[:4]) != "hbin" || u32(header, binOffset) != uint32(at) {
			return fmt.Errorf("%w: no hive bin at offset %#x", ErrCorrupt, at)
		}
		size := int(u32(header, binSize))
		if size == 0 || size%blockSize != 0 || size > len(h.bins)-at {
			return fmt.Errorf("%w: hive bin at offset %#x has size %d", ErrCorrupt, at, size)
		}
		end := at + size
		for cell := at + binHeader; cell < end; {
			length := int(int32(u32(h.bins, cell)))
			if length > 0 {
				h.free = append(h.free, uint32(cell))
			} else {
				length = -length
			}
			if length < 8 || length%8 != 0 || length > end-cell {
				return fmt.Errorf("%w: cell at offset %#x has size %d", ErrCorrupt, cell, length)
			}
			h.mark(uint32(cell), true)
			cell += length
		}
		at = end
	}
	return nil
}

// mark notes whether a cell begins at off.
func (h *Hive) mark(off uint32, start bool) {
	if start {
		h.starts[off/512] |= 1 << (off / 8 % 64)
	} else {
		h.starts[off/512] &^= 1 << (off / 8 % 64)
	}
}

// isStart tells whether a cell begins at off. The end of a bin's last cell is none: there the next bin's header is.
func (h *Hive) isStart(off uint32) bool {
	return off%8 == 0 && int64(off) < int64(len(h.bins)) && h.starts[off/512]&(1<<(off/8%64)) != 0
}

// cell returns the payload of an allocated cell. The slice is valid until the next call of alloc.
func (h *Hive) cell(off uint32) ([]byte, error) {
	if !h.isStart(off) {
		return nil, fmt.Errorf("%w: no cell at offset %#x", ErrCorrupt, off)
	}
	size := int32(u32(h.bins, int(off)))
	if size > 0 {
		return nil, fmt.Errorf("%w: the cell at offset %#x is free", ErrCorrupt, off)
	}
	return h.bins[off+4 : off+uint32(-size)], nil
}

// signed returns the payload of an allocated cell that begins with sign and has at least min bytes.
func (h *Hive) signed(off uint32, sign string, min int) ([]byte, error) {
	c, err := h.cell(off)
	if err != nil {
		return nil, err
	}
	if len(c) < min || string(c[:2]) != sign {
		return nil, fmt.Errorf("%w: no %q cell at offset %#x", ErrCorrupt, sign, off)
	}
	return c, nil
}

// alloc takes n payload bytes, all zero, from the first free cell that is large enough, or from a new bin.
// Slices that cell returned before are stale afterwards.
func (h *Hive) alloc(n int) (uint32, error) {
	need := (n + 4 + 7) &^ 7
	i := slices.IndexFunc(h.free, func(off uint32) bool { return int(u32(h.bins, int(off))) >= need })
	if i < 0 {
		if err := h.grow(need); err != nil {
			return 0, err
		}
		i = len(h.free) - 1
	}
	off := h.free[i]
	if rest := u32(h.bins, int(off)) - uint32(need); rest > 0 {
		h.free[i] = off + uint32(need)
		put32(h.bins, int(h.free[i]), rest)
		h.mark(h.free[i], true)
	} else {
		h.free = slices.Delete(h.free, i, i+1)
	}
	put32(h.bins, int(off), uint32(-need))
	clear(h.bins[off+4 : off+uint32(need)])
	h.changed = true
	return off, nil
}

// grow appends a bin whose only cell is free and has at least need bytes.
func (h *Hive) grow(need int) error {
	at, size := len(h.bins), (need+binHeader+blockSize-1)/blockSize*blockSize
	if at+size > maxBins {
		return fmt.Errorf("%w: the hive would exceed 2 GiB", ErrLimit)
	}
	h.bins = append(h.bins, make([]byte, size)...)
	h.tail = h.tail[min(len(h.tail), size):]
	h.starts = append(h.starts, make([]uint64, size/512)...)
	header := h.bins[at:]
	copy(header, "hbin")
	put32(header, binOffset, uint32(at))
	put32(header, binSize, uint32(size))
	put32(header, binHeader, uint32(size-binHeader))
	h.mark(uint32(at+binHeader), true)
	h.free = append(h.free, uint32(at+binHeader))
	h.changed = true
	return nil
}

// release frees an allocated cell, clears it and joins it with free neighbours in its bin.
func (h *Hive) release(off uint32) error {
	c, err := h.cell(off)
	if err != nil {
		return err
	}
	clear(c)
	size := uint32(len(c) + 4)
	i, _ := slices.BinarySearch(h.free, off)
	if i < len(h.free) && h.free[i] == off+size {
		size += u32(h.bins, int(h.free[i]))
		h.mark(h.free[i], false)
		put32(h.bins, int(h.free[i]), 0)
		h.free = slices.Delete(h.free, i, i+1)
	}
	if i > 0 && h.free[i-1]+u32(h.bins, int(h.free[i-1])) == off {
		h.mark(off, false)
		put32(h.bins, int(off), 0)
		off = h.free[i-1]
		size += u32(h.bins, int(off))
	} else {
		h.free = slices.Insert(h.free, i, off)
	}
	put32(h.bins, int(off), size)
	h.changed = true
	return nil
}
