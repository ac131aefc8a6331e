package capture

import (
	"errors"
	"fmt"
	"io"
)

// window is a part of a source. It may be read at any offset: it widens reads
// to whole sectors, which direct I/O needs.
type window struct {
	src            Source
	offset, length int64 // whole sectors, within the source
}

// ReadAt implements io.ReaderAt.
func (w window) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at %d", off)
	}
	var end error
	if left := max(w.length-off, 0); int64(len(p)) > left {
		p, end = p[:left], io.EOF
	}
	if len(p) == 0 {
		return 0, end
	}
	sector := int64(w.src.SectorSize)
	from := (w.offset + off) / sector * sector
	to := (w.offset + off + int64(len(p)) + sector - 1) / sector * sector
	if from == w.offset+off && to-from == int64(len(p)) {
		n, err := w.src.ReadAt(p, from)
		return n, whole(n, len(p), err, end)
	}
	wide := make([]byte, to-from)
	n, err := w.src.ReadAt(wide, from)
	n = max(min(n-int(w.offset+off-from), len(p)), 0)
	copy(p[:n], wide[w.offset+off-from:])
	return n, whole(n, len(p), err, end)
}

// whole is the error of a read of n of want bytes: a reader may or may not
// tell of an end that it met exactly.
func whole(n, want int, err, end error) error {
	switch {
	case n == want:
		return end
	case err == nil || errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return err
}
