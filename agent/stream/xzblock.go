package stream

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"runtime"
	"slices"

	"github.com/ulikunitz/xz/lzma"
)

// xzReader decodes blocks one after the other. The LZMA2 in them is ulikunitz's; its reader of whole files is not used,
// because that takes as much memory as a header asks for.
type xzReader struct {
	r       io.ReaderAt
	blocks  []xzBlock
	block   *blockReader
	decoded bool // a block was
}

// manyBytes is a dictionary that is not left to the garbage collector's own time: each block has one of its own, and two
// of them at once are more than a reader says that it takes.
const manyBytes = 1 << 20

// Read implements io.Reader.
func (x *xzReader) Read(p []byte) (int, error) {
	for {
		if x.block == nil {
			if len(x.blocks) == 0 {
				return 0, io.EOF
			}
			if x.decoded && x.blocks[0].dict >= manyBytes {
				runtime.GC()
			}
			var err error
			if x.block, err = x.blocks[0].open(x.r); err != nil {
				return 0, err
			}
			x.decoded = true
			x.blocks = x.blocks[1:]
		}
		n, err := x.block.Read(p)
		if errors.Is(err, io.EOF) {
			x.block, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// blockReader decodes one block and checks it at its end.
type blockReader struct {
	xzBlock
	file io.ReaderAt
	rest *bufio.Reader // of the compressed bytes
	lzma io.Reader
	sum  hash.Hash
	done int64
}

func (b xzBlock) open(r io.ReaderAt) (*blockReader, error) {
	sum, err := newCheck(b.check)
	if err != nil {
		return nil, err
	}
	length := b.unpadded - b.header - int64(checkSize(b.check))
	if length < 1 {
		return nil, refuse(ErrCorrupt, "block at %d", b.offset)
	}
	d := &blockReader{xzBlock: b, file: r, sum: sum}
	d.rest = bufio.NewReaderSize(io.NewSectionReader(r, b.offset+b.header, length), 64<<10)
	d.lzma, err = lzma.Reader2Config{DictCap: b.dict}.NewReader2(d.rest)
	return d, d.reason(err)
}

// Read implements io.Reader.
func (d *blockReader) Read(p []byte) (int, error) {
	n, err := d.lzma.Read(p)
	d.done += int64(n)
	d.sum.Write(p[:n])
	if d.done > d.decoded {
		return 0, refuse(ErrCorrupt, "the block at %d becomes more than %d bytes", d.offset, d.decoded)
	}
	if errors.Is(err, io.EOF) {
		if err := d.end(); err != nil {
			return 0, err
		}
		return n, io.EOF
	}
	return n, d.reason(err)
}

// end checks what follows the compressed bytes: nothing, padding, and the checksum.
func (d *blockReader) end() error {
	if _, err := d.rest.ReadByte(); !errors.Is(err, io.EOF) || d.done != d.decoded {
		return refuse(ErrCorrupt, "the block at %d becomes %d bytes, not %d", d.offset, d.done, d.decoded)
	}
	want := make([]byte, checkSize(d.check))
	// The padding comes in front of it.
	end := d.offset + pad4(d.unpadded)
	if err := readFull(d.file, want, end-int64(len(want)), end); err != nil {
		return err
	}
	sum := d.sum.Sum(nil)
	if d.check != checkSHA256 {
		slices.Reverse(sum) // stored little-endian
	}
	if !bytes.Equal(sum, want) {
		return refuse(ErrCorrupt, "the checksum of the block at %d is wrong", d.offset)
	}
	return nil
}

func (d *blockReader) reason(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return refuse(ErrCorrupt, "the block at %d ends early", d.offset)
	case errors.Is(err, ErrCorrupt), errors.Is(err, ErrTruncated):
		return err
	default:
		return fmt.Errorf("%w: block at %d: %w", ErrCorrupt, d.offset, err)
	}
}

// Kinds of checksums (2.1.1.2).
const (
	checkNone   = 0
	checkCRC32  = 1
	checkCRC64  = 4
	checkSHA256 = 10
)

// checkSize is what a checksum takes in the file.
func checkSize(kind byte) int {
	return [16]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}[kind&15]
}

// noCheck is for files that have no checksum.
type noCheck struct{ hash.Hash }

// Write implements io.Writer.
func (noCheck) Write(p []byte) (int, error) { return len(p), nil }

// Sum is empty.
func (noCheck) Sum(b []byte) []byte { return b }

func newCheck(kind byte) (hash.Hash, error) {
	switch kind {
	case checkNone:
		return noCheck{}, nil
	case checkCRC32:
		return crc32.NewIEEE(), nil
	case checkCRC64:
		return crc64.New(crc64.MakeTable(crc64.ECMA)), nil
	case checkSHA256:
		return sha256.New(), nil
	}
	return nil, refuse(ErrUnsupported, "checksum %d", kind)
}
