package stream

import (
	"bufio"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
)

// gzipWindow is that of deflate (RFC 1951, 2).
const gzipWindow = 32 << 10

// gzipReader decodes the members of a file one after the other. Zeros behind the last one are no content: tapes and disks
// pad files with them, and gzip(1) passes over them, too.
type gzipReader struct {
	file   *bufio.Reader
	member *gzip.Reader
}

func newGzipReader(file io.Reader) (*gzipReader, error) {
	g := &gzipReader{file: bufio.NewReaderSize(file, 1<<20)}
	var err error
	if g.member, err = gzip.NewReader(g.file); err != nil {
		return nil, err
	}
	g.member.Multistream(false)
	return g, nil
}

// Read implements io.Reader.
func (g *gzipReader) Read(p []byte) (int, error) {
	for {
		n, err := g.member.Read(p)
		if errors.Is(err, io.EOF) {
			err = g.next()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// next goes to the next member, or returns io.EOF behind the last one.
func (g *gzipReader) next() error {
	first, err := g.file.Peek(1)
	if err != nil {
		return err
	}
	if first[0] != 0 {
		if err := g.member.Reset(g.file); err != nil {
			return cut(err)
		}
		g.member.Multistream(false)
		return nil
	}
	for {
		b, err := g.file.ReadByte()
		switch {
		case err != nil:
			return err
		case b != 0:
			return refuse(ErrCorrupt, "garbage behind the zeros at its end")
		}
	}
}

// cut is a header that ends early: no end of the content.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
