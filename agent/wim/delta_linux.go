package wim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf16"

	"github.com/stickpress/stickpress/agent/protocol"
)

// errNoDelta says that a file's form does not allow a delta without copying.
var errNoDelta = errors.New("no delta can be made of this form of image file")

// WIM file header (Microsoft, "Windows Imaging File Format (WIM)"; wimlib's
// header.h for the pipable form).
const (
	headerSize     = 208
	headerChunk    = 20 // u32
	headerPart     = 40 // u16
	headerParts    = 42 // u16
	headerImages   = 44 // u32
	headerTable    = 48 // resource header: blob (lookup) table
	headerXML      = 72
	headerBoot     = 96  // metadata of the boot image
	headerBootNo   = 120 // u32
	headerCheck    = 124 // integrity table
	magicWIM       = "MSWIM\x00\x00\x00"
	magicPipable   = "WLPWM\x00\x00\x00"
	resourceHeader = 24
	tableEntry     = 50
	flagMetadata   = 0x02
	flagCompressed = 0x04
	maxTable       = 512 << 20
	maxMetadata    = 1 << 30
)

// resource is a resource header: where bytes lie and how they are stored.
type resource struct {
	stored int64 // bytes in the file
	flags  byte
	offset int64
	size   int64 // bytes when unpacked
}

func getResource(b []byte) resource {
	word := binary.LittleEndian.Uint64(b)
	return resource{
		int64(word & (1<<56 - 1)), byte(word >> 56),
		int64(binary.LittleEndian.Uint64(b[8:])), int64(binary.LittleEndian.Uint64(b[16:])),
	}
}

func (r resource) put(b []byte) {
	binary.LittleEndian.PutUint64(b, uint64(r.stored)|uint64(r.flags)<<56)
	binary.LittleEndian.PutUint64(b[8:], uint64(r.offset))
	binary.LittleEndian.PutUint64(b[16:], uint64(r.size))
}

// inside reports whether the stored bytes lie in a file of that size and
// within a limit that this program is ready to read.
func (r resource) inside(fileSize, limit int64) bool {
	return r.stored >= 0 && r.stored <= limit && r.offset >= headerSize && r.offset <= fileSize-r.stored
}

// writeDelta writes a WIM with one image that has the directory tree of an
// edition of src and no file data. The compressed tree is copied as it is, so
// this costs the same for every size and compression of image. It returns
// errNoDelta for a pipable file, whose trees are packed differently, and the
// faults image_corrupt and edition_missing.
func writeDelta(w io.Writer, src io.ReaderAt, size int64, edition int) error {
	header := make([]byte, headerSize)
	if _, err := src.ReadAt(header, 0); err != nil && (size >= headerSize || !errors.Is(err, io.EOF)) {
		return fmt.Errorf("read image header: %w", err)
	}
	switch string(header[:8]) {
	case magicPipable:
		return errNoDelta
	case magicWIM:
	default:
		return corrupt("this is no WIM or ESD file")
	}
	le := binary.LittleEndian
	if parts := le.Uint16(header[headerParts:]); parts != 1 {
		return corrupt("part %d of %d of a split image", le.Uint16(header[headerPart:]), parts)
	}
	if images := le.Uint32(header[headerImages:]); edition < 1 || int64(edition) > int64(images) {
		return protocol.NewFault(protocol.FaultEdition, "edition", edition, "editions", images)
	}
	entry, err := metadataEntry(src, size, getResource(header[headerTable:]), edition)
	if err != nil {
		return err
	}
	metadata := getResource(entry)
	if !metadata.inside(size, maxMetadata) {
		return corrupt("directory tree of edition %d lies at %d, past the end", edition, metadata.offset)
	}
	tree := io.NewSectionReader(src, metadata.offset, metadata.stored)

	metadata.offset = headerSize
	metadata.put(entry)
	binary.LittleEndian.PutUint16(entry[resourceHeader:], 1) // part number
	xml := utf16Bytes("\ufeff<WIM><IMAGE INDEX=\"1\"></IMAGE></WIM>")
	table := resource{stored: tableEntry, flags: flagMetadata, offset: headerSize + metadata.stored, size: tableEntry}
	table.put(header[headerTable:])
	resource{int64(len(xml)), flagMetadata, table.offset + tableEntry, int64(len(xml))}.put(header[headerXML:])
	le.PutUint32(header[headerImages:], 1)
	clear(header[headerBoot : headerCheck+resourceHeader])

	for _, part := range []io.Reader{bytes.NewReader(header), tree, bytes.NewReader(entry), bytes.NewReader(xml)} {
		if _, err := io.Copy(w, part); err != nil {
			return fmt.Errorf("write delta: %w", err)
		}
	}
	return nil
}

// metadataEntry returns the blob table's entry for the directory tree of an
// edition: trees are listed in the order of their editions.
func metadataEntry(src io.ReaderAt, size int64, table resource, edition int) ([]byte, error) {
	if table.flags&flagCompressed != 0 {
		return nil, errNoDelta
	}
	if !table.inside(size, maxTable) {
		return nil, corrupt("blob table of %d bytes at %d, past the end", table.stored, table.offset)
	}
	raw := make([]byte, table.stored)
	if _, err := src.ReadAt(raw, table.offset); err != nil {
		return nil, fmt.Errorf("read blob table: %w", err)
	}
	for ; len(raw) >= tableEntry; raw = raw[tableEntry:] {
		if getResource(raw).flags&flagMetadata == 0 {
			continue
		}
		if edition--; edition == 0 {
			return raw[:tableEntry:tableEntry], nil
		}
	}
	return nil, corrupt("the blob table lacks the directory tree of the edition")
}

// editions is how many images a file holds by its header, 0 when it cannot be
// read.
func editions(path string) int64 {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	header := make([]byte, headerSize)
	if _, err := f.ReadAt(header, 0); err != nil {
		return 0
	}
	return int64(binary.LittleEndian.Uint32(header[headerImages:]))
}

// stageFile writes the delta of an image file to path.
func stageFile(path string, src Source) error {
	in, err := os.Open(src.Path)
	if err != nil {
		return fmt.Errorf("open image: %w", err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return fmt.Errorf("open image: %w", err)
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("create delta: %w", err)
	}
	if err := errors.Join(writeDelta(out, in, info.Size(), src.Edition), out.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func corrupt(format string, args ...any) error {
	return protocol.NewFault(protocol.FaultImageCorrupt, "detail", fmt.Sprintf(format, args...))
}

func utf16Bytes(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}
