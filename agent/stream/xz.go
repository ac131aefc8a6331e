package stream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
)

// Parts of an xz file (The .xz File Format, 2 and 4). A file is streams one after the other, a stream is blocks and an
// index that lists them, from which they can be found without decoding any.
const (
	xzMagic       = "\xfd7zXZ\x00"
	xzFooterMagic = "YZ"
	xzHeadSize    = 12 // of a stream's header and of its footer
	xzMaxIndex    = 1 << 20
	xzMaxPadding  = 64 << 10 // zeros behind a stream; more of them are a file that was cut off
	xzMaxVLI      = 9        // bytes
	xzMaxBlocks   = 1 << 20  // of a file: 64 MiB of memory; xz -T makes one of 24 MiB at least at its default
)

// xzBlock is a block as the index of its stream lists it.
type xzBlock struct {
	offset   int64 // in the file
	unpadded int64 // bytes in the file, without the padding at its end
	decoded  int64
	check    byte // kind of checksum
	dict     int  // bytes that its decoder needs
	header   int64
}

func pad4(n int64) int64 { return (n + 3) &^ 3 }

// readIndexes finds all blocks of a file of size bytes, from its end to its start, and reads their headers.
func readIndexes(r io.ReaderAt, size int64) ([]xzBlock, error) {
	var all []xzBlock
	for end, padding := size, 0; end > 0; {
		word := make([]byte, 4)
		if err := readFull(r, word, end-4, size); err != nil {
			return nil, err
		}
		if allZero(word) && padding < xzMaxPadding {
			padding += 4
			end -= 4
			continue
		}
		padding = 0
		blocks, start, err := readStream(r, end, size)
		if err != nil {
			return nil, err
		}
		if len(all)+len(blocks) > xzMaxBlocks {
			return nil, refuse(ErrUnsupported, "more than %d blocks", xzMaxBlocks)
		}
		all = append(all, blocks...) // those of a stream are last first
		end = start
	}
	slices.Reverse(all)
	if len(all) == 0 {
		return nil, refuse(ErrCorrupt, "no content")
	}
	for i := range all {
		if err := all[i].readHeader(r, size); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// readStream reads the footer and the index of the stream that ends at end. It returns its blocks, last first, and where
// it starts.
func readStream(r io.ReaderAt, end, size int64) (blocks []xzBlock, start int64, err error) {
	foot := make([]byte, xzHeadSize)
	if end < 2*xzHeadSize {
		return nil, 0, refuse(ErrTruncated, "%d bytes", end)
	}
	if err := readFull(r, foot, end-xzHeadSize, size); err != nil {
		return nil, 0, err
	}
	le := binary.LittleEndian
	if string(foot[10:]) != xzFooterMagic || crc32.ChecksumIEEE(foot[4:10]) != le.Uint32(foot) {
		return nil, 0, refuse(ErrTruncated, "no end of a stream at %d", end)
	}
	length := (int64(le.Uint32(foot[4:])) + 1) * 4
	if length > xzMaxIndex || length > end-2*xzHeadSize {
		return nil, 0, refuse(ErrCorrupt, "an index of %d bytes", length)
	}
	index := make([]byte, length)
	indexAt := end - xzHeadSize - length
	if err := readFull(r, index, indexAt, size); err != nil {
		return nil, 0, err
	}
	if blocks, err = decodeIndex(index); err != nil {
		return nil, 0, err
	}
	start = indexAt
	for i := range slices.Backward(blocks) {
		start -= pad4(blocks[i].unpadded)
		blocks[i].offset, blocks[i].check = start, foot[9]
	}
	if start -= xzHeadSize; start < 0 {
		return nil, 0, refuse(ErrCorrupt, "its index lists %d bytes too many", -start)
	}
	head := make([]byte, xzHeadSize)
	if err := readFull(r, head, start, size); err != nil {
		return nil, 0, err
	}
	if string(head[:6]) != xzMagic || crc32.ChecksumIEEE(head[6:8]) != le.Uint32(head[8:]) || !bytes.Equal(head[6:8], foot[8:10]) {
		return nil, 0, refuse(ErrCorrupt, "no start of a stream at %d", start)
	}
	if head[6] != 0 || head[7] > 15 {
		return nil, 0, refuse(ErrUnsupported, "stream flags % x", head[6:8])
	}
	if _, err := newCheck(head[7]); err != nil {
		return nil, 0, err
	}
	slices.Reverse(blocks)
	return blocks, start, nil
}

// decodeIndex reads the records of an index.
func decodeIndex(b []byte) ([]xzBlock, error) {
	body := b[:len(b)-4]
	if b[0] != 0 || crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(b[len(body):]) {
		return nil, refuse(ErrCorrupt, "its index is damaged")
	}
	v := vliReader{b: body[1:]}
	count := v.next()
	if v.bad || count > int64(len(body)) {
		return nil, refuse(ErrCorrupt, "an index of %d records", count)
	}
	var blocks []xzBlock
	var sum int64
	for range count {
		blk := xzBlock{unpadded: v.next(), decoded: v.next()}
		if v.bad || blk.unpadded < 5 || blk.unpadded > 1<<60 || blk.decoded > 1<<60 || sum > 1<<60 {
			return nil, refuse(ErrCorrupt, "its index is damaged")
		}
		sum += pad4(blk.unpadded) + blk.decoded
		blocks = append(blocks, blk)
	}
	if len(v.b) > 3 || !allZero(v.b) {
		return nil, refuse(ErrCorrupt, "its index is damaged")
	}
	return blocks, nil
}

// Filters of a block (5.3).
const (
	filterLZMA2 = 0x21
	maxDictBits = 40
)

// readHeader reads what the block's decoder needs (3.1).
func (b *xzBlock) readHeader(r io.ReaderAt, size int64) error {
	h := make([]byte, 1)
	if err := readFull(r, h, b.offset, size); err != nil {
		return err
	}
	b.header = (int64(h[0]) + 1) * 4
	if h[0] == 0 || b.header > b.unpadded {
		return refuse(ErrCorrupt, "block at %d", b.offset)
	}
	h = make([]byte, b.header)
	if err := readFull(r, h, b.offset, size); err != nil {
		return err
	}
	body := h[:len(h)-4]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(h[len(body):]) {
		return refuse(ErrCorrupt, "the header of the block at %d is damaged", b.offset)
	}
	flags := body[1]
	v := vliReader{b: body[2:]}
	if flags&0x40 != 0 {
		v.next() // compressed size; the index has it too
	}
	if flags&0x80 != 0 && v.next() != b.decoded {
		return refuse(ErrCorrupt, "block at %d", b.offset)
	}
	id, length := v.next(), v.next()
	switch {
	case v.bad || length > int64(len(v.b)):
		return refuse(ErrCorrupt, "block at %d", b.offset)
	case flags&0x3f != 0 || id != filterLZMA2:
		return refuse(ErrFilter, "filter %#x; only LZMA2 alone is read", id)
	case length != 1 || v.b[0] > maxDictBits || !allZero(v.b[1:]):
		return refuse(ErrCorrupt, "block at %d", b.offset)
	}
	dict := int64(2|v.b[0]&1) << (v.b[0]/2 + 11)
	// Content does not refer to what is before it.
	if dict = min(dict, max(b.decoded, 4<<10)); dict > MaxWindow {
		return refuse(ErrWindow, "a dictionary of %d bytes, at most %d", dict, int64(MaxWindow))
	}
	b.dict = int(dict)
	return nil
}

// vliReader reads integers of seven bits a byte (1.2).
type vliReader struct {
	b   []byte
	bad bool
}

func (v *vliReader) next() (n int64) {
	for i := range xzMaxVLI {
		if i >= len(v.b) {
			break
		}
		n |= int64(v.b[i]&0x7f) << (7 * i)
		if v.b[i] < 0x80 {
			v.bad = v.bad || i > 0 && v.b[i] == 0
			v.b = v.b[i+1:]
			return n
		}
	}
	v.bad, v.b = true, nil
	return 0
}

func allZero(b []byte) bool { return bytes.Count(b, []byte{0}) == len(b) }

// readFull reads len(p) bytes of a file of size bytes.
func readFull(r io.ReaderAt, p []byte, at, size int64) error {
	if at < 0 || at+int64(len(p)) > size {
		return refuse(ErrTruncated, "%d bytes at %d of %d", len(p), at, size)
	}
	n, err := r.ReadAt(p, at)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return refuse(ErrTruncated, "%d of %d bytes at %d", n, len(p), at)
	default:
		return fmt.Errorf("read a compressed image at %d: %w", at, err)
	}
}
