package vdisk

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"io"
	"strings"
)

// Layout of the start of a VHDX ([MS-VHDX] 2.2): the file type identifier, two headers and two region tables, of
// which one each may be damaged.
const (
	headerMagic      = "head"
	headerSize       = 4 << 10
	headerSequence   = 8  // u64
	headerLogGUID    = 48 // 16 bytes
	headerLogVersion = 64 // u16
	headerVersion    = 66 // u16
	headerLogLength  = 68 // u32
	headerLogOffset  = 72 // u64
	vhdxChecksum     = 4  // u32, CRC-32C with itself as zero

	regionMagic     = "regi"
	regionTableSize = 64 << 10
	regionCount     = 8 // u32
	regionHead      = 16
	regionEntrySize = 32
	regionMax       = 2047
	regionOffset    = 16 // u64
	regionLength    = 24 // u32
	regionRequired  = 28 // u32
)

var (
	headersAt      = [2]int64{64 << 10, 128 << 10}
	regionTablesAt = [2]int64{192 << 10, 256 << 10}
	castagnoli     = crc32.MakeTable(crc32.Castagnoli)

	regionBAT      = guid("2DC27766-F623-4200-9D64-115E9BFD4A08")
	regionMetadata = guid("8B7CA206-4790-4B9A-B8FE-575F050F886E")
)

// guid is a GUID in its stored form: the first three parts little-endian.
func guid(text string) (g [16]byte) {
	raw, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(raw) != len(g) {
		panic("vdisk: GUID " + text)
	}
	for i, from := range []int{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15} {
		g[i] = raw[from]
	}
	return g
}

// vhdxValid checks magic and checksum of a header or a region table.
func vhdxValid(b []byte, magic string) bool {
	sum := crc32.Update(0, castagnoli, b[:vhdxChecksum])
	sum = crc32.Update(sum, castagnoli, make([]byte, 4))
	sum = crc32.Update(sum, castagnoli, b[vhdxChecksum+4:])
	return string(b[:4]) == magic && binary.LittleEndian.Uint32(b[vhdxChecksum:]) == sum
}

// header is the part of a VHDX's current header that says where its log is.
type header struct {
	logGUID [16]byte
	log     region
}

// region is a part of the file.
type region struct{ offset, length int64 }

// currentHeader returns the valid header with the higher number ([MS-VHDX] 2.2.2).
func currentHeader(r io.ReaderAt, size int64) (h header, err error) {
	le := binary.LittleEndian
	var current []byte
	for _, at := range headersAt {
		b := make([]byte, headerSize)
		if err := readFull(r, b, at); err != nil {
			return h, err
		}
		if vhdxValid(b, headerMagic) && (current == nil || le.Uint64(b[headerSequence:]) > le.Uint64(current[headerSequence:])) {
			current = b
		}
	}
	if current == nil {
		return h, corrupt("neither of its headers is valid")
	}
	if v := le.Uint16(current[headerVersion:]); v != 1 {
		return h, refuse(ErrUnsupported, "VHDX version %d", v)
	}
	if v := le.Uint16(current[headerLogVersion:]); v != 0 {
		return h, refuse(ErrUnsupported, "VHDX log version %d", v)
	}
	h.logGUID = [16]byte(current[headerLogGUID:])
	h.log, err = newRegion(le.Uint64(current[headerLogOffset:]), le.Uint32(current[headerLogLength:]), size)
	return h, err
}

// newRegion checks that a region lies in the file and not on its headers ([MS-VHDX] 2.2.3.2).
func newRegion(offset uint64, length uint32, size int64) (region, error) {
	if offset%mib != 0 || length%mib != 0 || (length > 0 && offset < mib) {
		return region{}, corrupt("%d bytes of it at %d", length, offset)
	}
	if offset > uint64(size) || int64(offset)+int64(length) > size {
		return region{}, refuse(ErrTruncated, "%d bytes of it at %d of %d", length, offset, size)
	}
	return region{int64(offset), int64(length)}, nil
}

// regions returns where the block allocation table and the metadata lie.
func regions(r io.ReaderAt, size int64) (bat, metadata region, err error) {
	var table []byte
	for _, at := range regionTablesAt {
		b := make([]byte, regionTableSize)
		if err := readFull(r, b, at); err != nil {
			return bat, metadata, err
		}
		if vhdxValid(b, regionMagic) {
			table = b
			break
		}
	}
	le := binary.LittleEndian
	if table == nil || le.Uint32(table[regionCount:]) > regionMax {
		return bat, metadata, corrupt("neither of its region tables is valid")
	}
	for i := range int(le.Uint32(table[regionCount:])) {
		e := table[regionHead+i*regionEntrySize:][:regionEntrySize]
		id := [16]byte(e[:16])
		if id != regionBAT && id != regionMetadata {
			if le.Uint32(e[regionRequired:])&1 != 0 {
				return bat, metadata, refuse(ErrUnsupported, "required region %x", id)
			}
			continue
		}
		where, err := newRegion(le.Uint64(e[regionOffset:]), le.Uint32(e[regionLength:]), size)
		if err != nil {
			return bat, metadata, err
		}
		if id == regionBAT {
			bat = where
		} else {
			metadata = where
		}
	}
	if bat.length == 0 || metadata.length == 0 {
		return bat, metadata, corrupt("it has no block table or no metadata")
	}
	return bat, metadata, nil
}
