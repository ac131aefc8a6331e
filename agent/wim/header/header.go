// Package header reads what a WIM file says about itself: its header, and the XML document that describes its images.
//
// A WIM (Windows imaging format; install.wim, or install.esd in its solid form) is an archive of file trees, called
// images here as in the format; Stickpress calls an image of a file an edition. Content is left to wimlib. What a
// console needs before that, the list of editions with their names, builds and sizes, lies in two places that are
// simple to read, and is read here without wimlib, on any platform, from anything that can be read at an offset.
//
// Truncated files are found out too, which an interrupted download or copy leaves behind: each part of the file that
// the header or an uncompressed lookup table mentions must lie within it.
//
// Sources: Microsoft, "Windows Imaging File Format (WIM)"; wimlib include/wimlib/header.h, resource.h, lookup_table.c.
package header

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// The reasons for which a file is refused. Each error of [Read] wraps one of them, or is the reader's own.
var (
	// ErrNotWIM means that the file does not begin, or end, as a WIM does.
	ErrNotWIM = errors.New("not a WIM file")
	// ErrTruncated means that the file ends before its content does.
	ErrTruncated = errors.New("WIM file is truncated")
	// ErrCorrupt means that the file contradicts itself, or that its last writer did not finish.
	ErrCorrupt = errors.New("WIM file is corrupt")
	// ErrUnsupported means a version, a compression or a size that is not known here.
	ErrUnsupported = errors.New("WIM file is of an unsupported kind")
)

// Compression is the compression of a file's content.
type Compression string

// The compressions of the format.
const (
	None   Compression = "none"
	XPRESS Compression = "XPRESS"
	LZX    Compression = "LZX"
	LZMS   Compression = "LZMS"
)

// The versions of the format.
const (
	VersionWIM uint32 = 0x10d00
	VersionESD uint32 = 0xe00 // may have solid resources
)

// Info is what a file says about itself.
type Info struct {
	GUID        string // of the set of parts, "33221100-5544-7766-8899-aabbccddeeff"
	Version     uint32 // VersionWIM or VersionESD
	Flags       uint32 // as stored
	Pipable     bool   // laid out for reading from a pipe; wimlib's own variant
	Compression Compression
	ChunkSize   uint32 // bytes that are compressed together
	Part        int    // of a split file (SWM), from 1
	Parts       int
	BootIndex   int  // index of the image that a PE boots from, 0 for none
	Integrity   bool // has a table of checksums
	XML         []byte
	TotalBytes  uint64 // bytes of the file as its XML has it
	Images      []Image
}

// Limits against hostile files. Real XML documents have some kilobytes per image.
const (
	maxXML    = 64 << 20
	maxImages = 4096
)

// Layout of the header, little-endian.
const (
	headerSize = 208
	magicWIM   = "MSWIM\x00\x00\x00"
	magicPipe  = "WLPWM\x00\x00\x00"

	atSize        = 8
	atVersion     = 12
	atFlags       = 16
	atChunkSize   = 20
	atGUID        = 24
	atPart        = 40
	atParts       = 42
	atImages      = 44
	atLookupTable = 48
	atXML         = 72
	atBoot        = 96
	atBootIndex   = 120
	atIntegrity   = 124
)

const (
	flagCompressed = 0x2
	flagUnfinished = 0x40
	flagXPRESS     = 0x20000
	flagLZX        = 0x40000
	flagLZMS       = 0x80000
	flagXPRESS2    = 0x200000
)

// Read reads header and XML of a WIM file of size bytes, and checks that the file is complete as far as the
// package comment says. Contents are not read; a damaged one is found by wimlib or by the file's digest only.
func Read(r io.ReaderAt, size int64) (*Info, error) {
	h, pipable, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	info := &Info{
		GUID:      guid(h[atGUID:]),
		Version:   u32(h, atVersion),
		Flags:     u32(h, atFlags),
		Pipable:   pipable,
		ChunkSize: u32(h, atChunkSize),
		Part:      int(u16(h, atPart)),
		Parts:     int(u16(h, atParts)),
		BootIndex: int(u32(h, atBootIndex)),
	}
	if info.Version != VersionWIM && info.Version != VersionESD {
		return nil, fmt.Errorf("%w: version %#x", ErrUnsupported, info.Version)
	}
	if info.Compression, err = compression(info.Flags); err != nil {
		return nil, err
	}
	if info.Flags&flagUnfinished != 0 {
		return nil, fmt.Errorf("%w: it was being written to and its writer did not finish", ErrCorrupt)
	}
	if info.Part < 1 || info.Part > info.Parts {
		return nil, fmt.Errorf("%w: part %d of %d", ErrCorrupt, info.Part, info.Parts)
	}
	images := u32(h, atImages)
	if images > maxImages {
		return nil, fmt.Errorf("%w: %d images, at most %d", ErrUnsupported, images, maxImages)
	}
	if u32(h, atBootIndex) > images {
		return nil, fmt.Errorf("%w: boots image %d of %d", ErrCorrupt, u32(h, atBootIndex), images)
	}
	table, doc, boot := newResource(h[atLookupTable:]), newResource(h[atXML:]), newResource(h[atBoot:])
	integrity := newResource(h[atIntegrity:])
	info.Integrity = integrity.size > 0
	for what, res := range map[string]resource{
		"lookup table": table, "XML document": doc, "metadata of the boot image": boot, "integrity table": integrity,
	} {
		if err := res.within(size); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
	}
	if err := checkLookupTable(r, table, uint16(info.Part), size); err != nil {
		return nil, fmt.Errorf("lookup table: %w", err)
	}
	if err := info.readXML(r, doc, int(images)); err != nil {
		return nil, fmt.Errorf("XML document: %w", err)
	}
	return info, nil
}

// readHeader returns the header that counts: of a pipable file that is the one at its end.
func readHeader(r io.ReaderAt, size int64) (h []byte, pipable bool, err error) {
	magic := make([]byte, len(magicWIM))
	if size < int64(len(magic)) {
		return nil, false, fmt.Errorf("%w: it has %d bytes", ErrNotWIM, size)
	}
	if err := readAt(r, magic, 0); err != nil {
		return nil, false, fmt.Errorf("read magic: %w", err)
	}
	var at int64
	switch string(magic) {
	case magicWIM:
	case magicPipe:
		pipable, at = true, size-headerSize
	default:
		return nil, false, fmt.Errorf("%w: it begins with %q", ErrNotWIM, magic)
	}
	if size < headerSize || pipable && size < 2*headerSize {
		return nil, false, fmt.Errorf("%w: it has %d bytes", ErrTruncated, size)
	}
	if err := readAt(r, make([]byte, 1), size-1); err != nil {
		return nil, false, fmt.Errorf("read last byte: %w", err)
	}
	h = make([]byte, headerSize)
	if err := readAt(r, h, at); err != nil {
		return nil, false, fmt.Errorf("read header: %w", err)
	}
	if string(h[:len(magic)]) != string(magic) {
		return nil, false, fmt.Errorf("%w: a pipable file without the header at its end", ErrTruncated)
	}
	if n := u32(h, atSize); n != headerSize {
		return nil, false, fmt.Errorf("%w: header of %d bytes, expected %d", ErrCorrupt, n, headerSize)
	}
	return h, pipable, nil
}

func compression(flags uint32) (Compression, error) {
	if flags&flagCompressed == 0 {
		return None, nil
	}
	switch flags & (flagXPRESS | flagXPRESS2 | flagLZX | flagLZMS) {
	case flagXPRESS, flagXPRESS2:
		return XPRESS, nil
	case flagLZX:
		return LZX, nil
	case flagLZMS:
		return LZMS, nil
	}
	return "", fmt.Errorf("%w: compression flags %#x", ErrUnsupported, flags)
}

// guid prints a GUID, whose first three groups are little-endian.
func guid(b []byte) string {
	p := []byte{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6]}
	return hex.EncodeToString(p[:4]) + "-" + hex.EncodeToString(p[4:6]) + "-" + hex.EncodeToString(p[6:8]) + "-" +
		hex.EncodeToString(b[8:10]) + "-" + hex.EncodeToString(b[10:16])
}

// readAt fills b. A file that ends earlier than the caller said is truncated.
func readAt(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: it ends at byte %d", ErrTruncated, at+int64(n))
	}
	return err
}

func u16(b []byte, at int) uint16 { return binary.LittleEndian.Uint16(b[at:]) }
func u32(b []byte, at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
func u64(b []byte, at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
