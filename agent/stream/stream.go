// Package stream decodes compressed disk images: gzip, xz and Zstandard, told apart by their first bytes and never by a
// name.
//
// A compressed image cannot be read at an offset. What can be known before it is decoded is read when it is opened,
// from anything that can be read at an offset: whether all of it is there, how many bytes it becomes where its format
// says so, and how much memory its decoder needs, which is bounded by MaxWindow so that a few hundred bytes cannot ask
// for gigabytes. Each [File.NewReader] then decodes from the beginning, checks what the format's checksums say, and
// ends with io.EOF only when it has seen the proper end of the file.
//
// Sources: RFC 1952 (gzip), RFC 8878 (Zstandard), "The .xz File Format" 1.2.1.
package stream

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// The reasons for which a file is refused. An error of this package wraps one of them, or is the file's own.
var (
	// ErrUnknown means that the file is compressed in none of the formats.
	ErrUnknown = errors.New("not a compressed image")
	// ErrTruncated means that the file ends before its content does.
	ErrTruncated = errors.New("compressed image is truncated")
	// ErrCorrupt means that the file contradicts itself.
	ErrCorrupt = errors.New("compressed image is corrupt")
	// ErrUnsupported means a kind of the format that is not known here.
	ErrUnsupported = errors.New("compressed image is of an unsupported kind")
	// ErrFilter means an xz that was made with a filter for programs (BCJ) or for samples (delta).
	ErrFilter = errors.New("compressed image needs a filter")
	// ErrWindow means that decoding would take more memory than MaxWindow.
	ErrWindow = errors.New("compressed image needs too much memory")
)

func refuse(reason error, format string, args ...any) error {
	return fmt.Errorf("%w: %s", reason, fmt.Sprintf(format, args...))
}

// MaxWindow bounds how far back content may refer to itself, and with that a decoder's memory. It is what `zstd -d`
// accepts when nothing else is said, and twice what `xz -9` uses.
const MaxWindow = 128 << 20

// Format is how a file is compressed, as the end of its name would say.
type Format string

// The formats.
const (
	Gzip Format = "gz"
	XZ   Format = "xz"
	Zstd Format = "zst"
)

var magics = []struct {
	magic  string
	format Format
}{
	{"\x1f\x8b\x08", Gzip},
	{xzMagic, XZ},
	{"\x28\xb5\x2f\xfd", Zstd},
}

// Detect says how a file is compressed by its first bytes, at least 6 of them. It returns "" when it is not.
func Detect(head []byte) Format {
	for _, m := range magics {
		if len(head) >= len(m.magic) && string(head[:len(m.magic)]) == m.magic {
			return m.format
		}
	}
	return ""
}

// File is a compressed file. It may be decoded several times at once.
type File struct {
	r      io.ReaderAt
	size   int64
	format Format

	decoded int64 // -1 if unknown
	window  int64
	xz      []xzBlock
}

// Open looks at the structure of a compressed file of size bytes. Nothing is decoded.
func Open(r io.ReaderAt, size int64) (*File, error) {
	head := make([]byte, 6)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read a compressed image: %w", err)
	}
	f := &File{r: r, size: size, format: Detect(head[:n]), decoded: -1}
	switch f.format {
	case Gzip:
		// Its last four bytes are the size of its last member, modulo 4 GiB: no use.
		f.window = gzipWindow
		return f, nil
	case XZ:
		f.xz, err = readIndexes(r, size)
		f.decoded = 0
		for _, b := range f.xz {
			f.decoded += b.decoded
			f.window = max(f.window, int64(b.dict))
		}
		return f, err
	case Zstd:
		f.decoded, f.window, err = walkFrames(r, size)
		return f, err
	}
	return nil, refuse(ErrUnknown, "it begins with % x", head[:n])
}

// Format is how the file is compressed.
func (f *File) Format() Format { return f.format }

// DecodedSize is how many bytes the file becomes, as far as it says so: always with xz, mostly with Zstandard, never
// with gzip. A reader fails when it is not what comes out.
func (f *File) DecodedSize() (bytes int64, known bool) { return max(f.decoded, 0), f.decoded >= 0 }

// Window is how far back the content refers to itself, in bytes: a reader takes that much memory, and some hundred KiB.
func (f *File) Window() int64 { return f.window }

// NewReader decodes from the beginning. Close gives its memory back; until then it may be read by one goroutine.
func (f *File) NewReader() (io.ReadCloser, error) {
	src := &source{r: f.r}
	file := io.NewSectionReader(src, 0, f.size)
	d := &reader{src: src, want: f.decoded, close: func() {}}
	switch f.format {
	case Gzip:
		z, err := newGzipReader(file)
		if err != nil {
			return nil, d.reason(err)
		}
		d.r = z
	case XZ:
		d.r = &xzReader{r: src, blocks: f.xz}
	case Zstd:
		z, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(MaxWindow), zstd.WithDecoderMaxMemory(1<<62))
		if err != nil {
			return nil, d.reason(err)
		}
		d.r, d.close = z, z.Close
	}
	return d, nil
}

// source is the file. It remembers that reading it failed, which is no fault of what is in it.
type source struct {
	r   io.ReaderAt
	err error
}

// ReadAt implements io.ReaderAt.
func (s *source) ReadAt(p []byte, at int64) (int, error) {
	n, err := s.r.ReadAt(p, at)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// reader counts what comes out of a decoder and names what went wrong in it.
type reader struct {
	r     io.Reader
	src   *source
	close func()
	want  int64 // bytes in all, -1 if unknown
	done  int64
	err   error
}

// Read implements io.Reader.
func (d *reader) Read(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	n, err := d.r.Read(p)
	d.done += int64(n)
	switch {
	case d.want >= 0 && (d.done > d.want || errors.Is(err, io.EOF) && d.done < d.want):
		d.err = refuse(ErrCorrupt, "%d bytes came out of it, it says %d", d.done, d.want)
		return 0, d.err
	case err != nil:
		d.err = d.reason(err)
	}
	return n, d.err
}

// Close implements io.Closer.
func (d *reader) Close() error {
	d.close()
	d.err = io.ErrClosedPipe
	return nil
}

func (d *reader) reason(err error) error {
	switch {
	case err == io.EOF: //nolint:errorlint // the decoder's own word for its end
		return io.EOF
	case d.src.err != nil:
		return fmt.Errorf("read a compressed image: %w", d.src.err)
	case errors.Is(err, ErrCorrupt), errors.Is(err, ErrTruncated), errors.Is(err, ErrWindow), errors.Is(err, ErrUnsupported), errors.Is(err, ErrFilter):
		return err
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return fmt.Errorf("%w: %w", ErrWindow, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", ErrTruncated, err)
	default:
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
}
