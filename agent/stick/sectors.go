package stick

import (
	"fmt"
	"io"
)

// Source is a device open for reading. Offsets and lengths are multiples of the
// sector size and buffers are aligned for direct I/O, as for a Device.
type Source interface {
	io.ReaderAt
	Size() int64     // bytes
	SectorSize() int // logical, bytes
}

// blockBytes is what sectors reads at once.
const blockBytes = 64 * kib

// sectors reads any bytes of a Source for readers of filesystems, which ask for
// a few at a time: it keeps the block that was read last.
type sectors struct {
	src   Source
	block []byte
	at    int64 // of the block, when n > 0
	n     int
}

func newSectors(src Source) *sectors { return &sectors{src: src, block: alignedBuffer(blockBytes)} }

// ReadAt implements io.ReaderAt; it is not safe for concurrent use.
func (s *sectors) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 || offset > s.src.Size()-int64(len(p)) {
		return 0, fmt.Errorf("read %d bytes at %d: %w", len(p), offset, io.ErrUnexpectedEOF)
	}
	done := 0
	for done < len(p) {
		at := offset + int64(done)
		if err := s.load(at / blockBytes * blockBytes); err != nil {
			return done, err
		}
		done += copy(p[done:], s.block[at-s.at:s.n])
	}
	return done, nil
}

func (s *sectors) load(at int64) error {
	if s.n > 0 && s.at == at {
		return nil
	}
	n := int(min(blockBytes, s.src.Size()-at))
	s.n = 0
	if err := readFull(s.src, s.block[:n], at); err != nil {
		return err
	}
	s.at, s.n = at, n
	return nil
}

// readFull fills b from a device. The end of the device right behind it is no
// error.
func readFull(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %d bytes at %d: %w", len(b), at, err)
}
