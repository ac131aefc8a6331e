package imagefile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/stickpress/stickpress/agent/bmap"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stream"
	"github.com/stickpress/stickpress/agent/vdisk"
)

// MapError says that a block map is not of this disk.
type MapError struct {
	Offset int64 // of the first range that differs; -1 when the sizes do
}

// Error implements error.
func (e *MapError) Error() string {
	if e.Offset < 0 {
		return "the block map is of a disk of another size"
	}
	return fmt.Sprintf("the disk's bytes at %d are not those of the block map", e.Offset)
}

// CompareMap reads all ranges of a block map from the disk in an image file and
// compares their SHA-256. It returns a *MapError when they are others.
func CompareMap(ctx context.Context, path, format string, d Disk, m *bmap.Map) error {
	if m.ImageBytes != d.Bytes {
		return &MapError{Offset: -1}
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("compare a block map: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("compare a block map: %w", err)
	}
	disk, err := diskReader(contextReader{ctx, f}, st.Size(), format, d)
	if err != nil {
		return fmt.Errorf("compare a block map: %w", err)
	}
	defer disk.Close()
	at := int64(0)
	for _, r := range m.Ranges {
		h := sha256.New()
		err := skip(disk, r.Offset-at)
		if err == nil {
			_, err = io.CopyN(h, disk, r.Length)
		}
		if err != nil {
			return fmt.Errorf("compare a block map: %w", errors.Join(err, ctx.Err()))
		}
		if [sha256.Size]byte(h.Sum(nil)) != r.SHA256 {
			return &MapError{Offset: r.Offset}
		}
		at = r.End()
	}
	return nil
}

// skip leaves n bytes out.
func skip(r io.Reader, n int64) error {
	if s, ok := r.(io.Seeker); ok {
		_, err := s.Seek(n, io.SeekCurrent)
		return err
	}
	_, err := io.CopyN(io.Discard, r, n)
	return err
}

// diskReader reads the disk in a file from its start.
func diskReader(r io.ReaderAt, size int64, format string, d Disk) (io.ReadCloser, error) {
	if d.Compression != protocol.CompressionNone {
		f, err := stream.Open(r, size)
		if err != nil {
			return nil, err
		}
		return f.NewReader()
	}
	if format == protocol.FormatVHD || format == protocol.FormatVHDX {
		v, err := vdisk.Open(r, size)
		if err != nil {
			return nil, err
		}
		r = v
	}
	return inPlace{io.NewSectionReader(r, 0, d.Bytes)}, nil
}

// inPlace is a disk that is read where it lies.
type inPlace struct{ *io.SectionReader }

// Close implements io.Closer.
func (inPlace) Close() error { return nil }
