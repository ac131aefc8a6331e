package header

import (
	"fmt"
	"io"
	"math"
)

// A resource is a range of the file, as header and lookup table describe them: 7 bytes of size, a byte of flags,
// offset, and the size when expanded (wimlib resource.h, wim_reshdr_disk).
type resource struct {
	size, offset, expanded uint64
	flags                  byte
}

const (
	resourceCompressed = 0x4
	resourceSolid      = 0x10

	// A solid resource holds many contents. It has an entry of its own with this as its expanded size; the entries
	// of its contents count their offset within it (wimlib SOLID_RESOURCE_MAGIC_NUMBER).
	solidItself = 0x100000000

	// Entry of the lookup table: resource, part number, reference count, SHA-1.
	entrySize = 50
	entryPart = 24
)

func newResource(b []byte) resource {
	return resource{
		size:     u64(b, 0) & (1<<56 - 1),
		flags:    b[7],
		offset:   u64(b, 8),
		expanded: u64(b, 16),
	}
}

func (res resource) within(size int64) error {
	if res.size == 0 {
		return nil
	}
	if res.offset > math.MaxInt64 {
		return fmt.Errorf("%w: offset %#x", ErrCorrupt, res.offset)
	}
	if end := res.offset + res.size; end > uint64(size) { // cannot overflow: 63 and 56 bits
		return fmt.Errorf("%w: it needs %d bytes and has %d", ErrTruncated, end, size)
	}
	return nil
}

// checkLookupTable checks that all contents of this part lie within the file. A compressed table, which none of
// the usual programs write, is not looked into.
func checkLookupTable(r io.ReaderAt, table resource, part uint16, size int64) error {
	if table.flags&resourceCompressed != 0 {
		return nil
	}
	if table.size%entrySize != 0 {
		return fmt.Errorf("%w: %d bytes are no whole number of entries", ErrCorrupt, table.size)
	}
	buf := make([]byte, 1024*entrySize)
	for at, end := int64(table.offset), int64(table.offset+table.size); at < end; at += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), end-at)]
		if err := readAt(r, buf, at); err != nil {
			return err
		}
		for e := buf; len(e) > 0; e = e[entrySize:] {
			res := newResource(e)
			if u16(e, entryPart) != part || res.flags&resourceSolid != 0 && res.expanded != solidItself {
				continue
			}
			if err := res.within(size); err != nil {
				return fmt.Errorf("content at offset %d: %w", res.offset, err)
			}
		}
	}
	return nil
}
