package stick

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/stickpress/stickpress/agent/partition"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stream"
	"github.com/stickpress/stickpress/agent/vdisk"
)

// errImage is wrapped by what is wrong with an image beyond its format.
var errImage = errors.New("disk image is not what was published")

// imageFault makes image_corrupt of what the file is to blame for.
func imageFault(err error) error {
	for _, reason := range []error{
		errImage, partition.ErrCorrupt,
		stream.ErrUnknown, stream.ErrTruncated, stream.ErrCorrupt, stream.ErrUnsupported, stream.ErrFilter, stream.ErrWindow,
		vdisk.ErrUnknown, vdisk.ErrTruncated, vdisk.ErrCorrupt, vdisk.ErrUnsupported, vdisk.ErrDifferencing, vdisk.ErrDirtyLog,
	} {
		if errors.Is(err, reason) {
			return protocol.WrapFault(err, protocol.FaultImageCorrupt, "detail", err)
		}
	}
	return err
}

// diskSource is where the bytes of a disk come from.
type diskSource interface {
	// start returns the disk's first n bytes.
	start(n int64) (io.ReaderAt, error)
	// read fills buf with what lies at an offset of the disk; what is behind
	// the disk's end is zeros. Chunks are read in their order from several
	// places at once, see Content.
	read(chunk int, at int64, buf []byte, last bool) error
	io.Closer
}

// openSource returns the source of an image, the size of its disk, -1 if only
// decoding tells, and its sector size, 512 where it does not say.
func openSource(f *os.File, spec RawSpec) (diskSource, int64, int, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, 0, 0, err
	}
	if spec.Compression != protocol.CompressionNone {
		s, err := stream.Open(f, info.Size())
		if err != nil {
			return nil, 0, 0, err
		}
		if string(s.Format()) != spec.Compression {
			return nil, 0, 0, fmt.Errorf("%w: compressed by %s", errImage, s.Format())
		}
		size, known := s.DecodedSize()
		if !known {
			size = -1
		}
		if s.Window() > flyWindow {
			return nil, 0, 0, fmt.Errorf("%w: a window of %d bytes, at most %d without expanding it", errImage, s.Window(), flyWindow)
		}
		return &decoders{file: f, stream: s, size: spec.DiskBytes, most: 1}, size, 512, nil
	}
	if spec.Format == protocol.FormatVHD || spec.Format == protocol.FormatVHDX {
		d, err := vdisk.Open(f, info.Size())
		if err != nil {
			return nil, 0, 0, err
		}
		return &inPlace{d, d.Size(), f}, d.Size(), d.SectorSize(), nil
	}
	return &inPlace{f, info.Size(), f}, info.Size(), 512, nil
}

// inPlace is a disk that can be read at an offset.
type inPlace struct {
	disk io.ReaderAt
	size int64
	io.Closer
}

func (s *inPlace) start(n int64) (io.ReaderAt, error) { return io.NewSectionReader(s.disk, 0, n), nil }

func (s *inPlace) read(_ int, at int64, buf []byte, _ bool) error {
	n := min(max(s.size-at, 0), int64(len(buf)))
	clear(buf[n:])
	if have, err := s.disk.ReadAt(buf[:n], at); int64(have) < n {
		if err == nil || errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: it ends at %d", errImage, at+int64(have))
		}
		return fmt.Errorf("read disk image at %d: %w", at, err)
	}
	return nil
}

// decoderOverhead is what a decoder takes beside its window.
const decoderOverhead = mib

// decoders is a disk that can only be read forward. Each place at which it is
// being read has a decoder of its own.
type decoders struct {
	file   *os.File
	stream *stream.File
	size   int64 // of the disk

	mu    sync.Mutex
	most  int // of them at once
	alive int
	idle  []*decoder
}

// decoder stands somewhere in the disk.
type decoder struct {
	io.ReadCloser
	next int   // chunk
	at   int64 // offset
}

func (s *decoders) start(n int64) (io.ReaderAt, error) {
	d, err := s.stream.NewReader()
	if err != nil {
		return nil, err
	}
	defer runtime.GC() // as in drop
	defer d.Close()
	head := make([]byte, n)
	if _, err := io.ReadFull(d, head); err != nil {
		return nil, s.ended(err)
	}
	return bytes.NewReader(head), nil
}

// ended is about a disk that is shorter than it was when it was published.
func (s *decoders) ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends before its %d bytes", errImage, s.size)
	}
	return err
}

func (s *decoders) readers(most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most = most
}

func (s *decoders) read(chunk int, at int64, buf []byte, last bool) error {
	d, err := s.take(chunk)
	if err != nil {
		return err
	}
	err = s.fill(d, at, buf)
	if err == nil && last {
		err = s.finish(d)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || last {
		s.drop(d)
		return err
	}
	d.next = chunk + 1
	s.idle = append(s.idle, d)
	return nil
}

// take returns a decoder that stands in front of a chunk: the one that does,
// or a new one. Where there are as many as may be, some belong to sticks that
// have ended, or have caught up: one of them goes on to the chunk, or gives its
// memory to a new one.
func (s *decoders) take(chunk int) (*decoder, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortFunc(s.idle, func(a, b *decoder) int { return a.next - b.next })
	behind := 0 // how many of them stand at the chunk or in front of it
	for behind < len(s.idle) && s.idle[behind].next <= chunk {
		behind++
	}
	full := s.alive >= s.most
	if behind > 0 && (full || s.idle[behind-1].next == chunk) {
		d := s.idle[behind-1]
		s.idle = slices.Delete(s.idle, behind-1, behind)
		return d, nil
	}
	if full && len(s.idle) > 0 {
		s.drop(s.idle[0])
		s.idle = slices.Delete(s.idle, 0, 1)
	}
	r, err := s.stream.NewReader()
	if err != nil {
		return nil, err
	}
	s.alive++
	return &decoder{ReadCloser: r}, nil
}

// drop gives a decoder's memory back at once: the garbage collector would take
// its time, and what the decoders hold is counted. s.mu is held.
func (s *decoders) drop(d *decoder) {
	d.Close()
	d.ReadCloser = nil
	s.alive--
	if s.stream.Window() >= mib {
		runtime.GC()
	}
}

// fill decodes up to a chunk, and then the chunk.
func (s *decoders) fill(d *decoder, at int64, buf []byte) error {
	skipped, err := io.CopyN(io.Discard, d, at-d.at)
	d.at += skipped
	if err != nil {
		return s.ended(err)
	}
	n := min(max(s.size-at, 0), int64(len(buf)))
	clear(buf[n:])
	read, err := io.ReadFull(d, buf[:n])
	d.at += int64(read)
	if err != nil {
		return s.ended(err)
	}
	return nil
}

// finish decodes what is left, so that the image's own checksums are checked
// to the end.
func (s *decoders) finish(d *decoder) error {
	rest, err := io.Copy(io.Discard, d)
	if err != nil {
		return err
	}
	if d.at+rest != s.size {
		return fmt.Errorf("%w: %d bytes come out of it, not %d", errImage, d.at+rest, s.size)
	}
	return nil
}

// Close implements io.Closer. Nobody reads any more.
func (s *decoders) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.idle {
		s.drop(d)
	}
	s.idle = nil
	return s.file.Close()
}
