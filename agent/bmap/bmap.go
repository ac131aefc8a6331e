// Package bmap reads block maps, which say what of a disk image is content.
//
// A raw image of 8 GB may hold 1 GB of files; the rest are blocks that its filesystems never used. Only the program that
// made the image knows which. It says so in a block map, a small XML file beside the image: the ranges of blocks that
// must be written, each with the SHA-256 of its bytes. What lies in no range may hold anything on the stick, so that a
// wrong map makes a broken one: the console uses a map only when somebody vouched for it.
//
// Source: bmaptool's documentation and the comments in the files that it writes (Yocto Project, bmaptool 2.0 to 3.6).
package bmap

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The reasons for which a map is refused. Each error of [Parse] wraps one of them.
var (
	// ErrUnknown means that it is no block map.
	ErrUnknown = errors.New("not a block map")
	// ErrCorrupt means that it contradicts itself, or its own checksum.
	ErrCorrupt = errors.New("block map is corrupt")
	// ErrUnsupported means another version, or checksums other than SHA-256.
	ErrUnsupported = errors.New("block map is of an unsupported kind")
)

// MaxBytes is how long a map may be. Real ones have some 100 bytes for each gap in the image.
const MaxBytes = 16 << 20

// Map is a block map.
type Map struct {
	ImageBytes int64
	Ranges     []Range // in order, not overlapping
}

// Range is a part of the image that must be written.
type Range struct {
	Offset int64
	Length int64 // bytes, above 0
	SHA256 [sha256.Size]byte
}

// End is the first byte after the range.
func (r Range) End() int64 { return r.Offset + r.Length }

// MappedBytes is how much is written with the map.
func (m *Map) MappedBytes() (n int64) {
	for _, r := range m.Ranges {
		n += r.Length
	}
	return n
}

type document struct {
	XMLName      xml.Name `xml:"bmap"`
	Version      string   `xml:"version,attr"`
	ImageSize    number   `xml:"ImageSize"`
	BlockSize    number   `xml:"BlockSize"`
	Blocks       number   `xml:"BlocksCount"`
	Mapped       number   `xml:"MappedBlocksCount"`
	ChecksumType string   `xml:"ChecksumType"`
	Checksum     string   `xml:"BmapFileChecksum"`
	Ranges       []struct {
		Checksum string `xml:"chksum,attr"`
		Blocks   string `xml:",chardata"`
	} `xml:"BlockMap>Range"`
}

// number is an integer with spaces around it.
type number int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *number) UnmarshalText(b []byte) error {
	v, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	*n = number(v)
	return err
}

// Limits on what a map may say: no disk is larger, no block smaller or larger than any that bmaptool makes.
const (
	maxImage = 1 << 50
	minBlock = 512
	maxBlock = 64 << 20
)

// Parse reads a map and checks its checksum. Maps older than version 2.0 have no SHA-256 of their ranges and are not
// supported.
func Parse(data []byte) (*Map, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes", ErrUnknown, len(data))
	}
	var d document
	if err := xml.Unmarshal(data, &d); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	d.Checksum, d.ChecksumType = strings.TrimSpace(d.Checksum), strings.TrimSpace(d.ChecksumType)
	if major, _, _ := strings.Cut(strings.TrimSpace(d.Version), "."); major != "2" || !strings.EqualFold(d.ChecksumType, "sha256") {
		return nil, fmt.Errorf("%w: version %q with checksums %q", ErrUnsupported, d.Version, d.ChecksumType)
	}
	if err := checkSum(data, d.Checksum); err != nil {
		return nil, err
	}
	if d.ImageSize < 1 || d.ImageSize > maxImage || d.BlockSize < minBlock || d.BlockSize > maxBlock {
		return nil, fmt.Errorf("%w: %d bytes in blocks of %d", ErrCorrupt, d.ImageSize, d.BlockSize)
	}
	if blocks := (d.ImageSize + d.BlockSize - 1) / d.BlockSize; d.Blocks != blocks {
		return nil, fmt.Errorf("%w: %d blocks, its size makes %d", ErrCorrupt, d.Blocks, blocks)
	}
	return d.decode()
}

// checkSum compares the file's SHA-256, which it was made of with zeros in its own place.
func checkSum(data []byte, want string) error {
	sum, err := hex.DecodeString(want)
	if err != nil || len(sum) != sha256.Size || bytes.Count(data, []byte(want)) != 1 {
		return fmt.Errorf("%w: its checksum is %q", ErrCorrupt, want)
	}
	zeros := bytes.Repeat([]byte("0"), len(want))
	if have := sha256.Sum256(bytes.Replace(data, []byte(want), zeros, 1)); !bytes.Equal(have[:], sum) {
		return fmt.Errorf("%w: its checksum is %s, its content has %x", ErrCorrupt, want, have)
	}
	return nil
}

func (d *document) decode() (*Map, error) {
	m := &Map{ImageBytes: int64(d.ImageSize)}
	next, mapped := int64(0), int64(0)
	for _, r := range d.Ranges {
		first, last, err := span(r.Blocks)
		sum, sumErr := hex.DecodeString(strings.TrimSpace(r.Checksum))
		if err != nil || sumErr != nil || len(sum) != sha256.Size || first < next || last < first || last >= int64(d.Blocks) {
			return nil, fmt.Errorf("%w: range %q with checksum %q", ErrCorrupt, r.Blocks, r.Checksum)
		}
		next = last + 1
		mapped += last - first + 1
		e := Range{Offset: first * int64(d.BlockSize), SHA256: [sha256.Size]byte(sum)}
		e.Length = min(next*int64(d.BlockSize), m.ImageBytes) - e.Offset
		m.Ranges = append(m.Ranges, e)
	}
	if mapped != int64(d.Mapped) {
		return nil, fmt.Errorf("%w: %d mapped blocks, its ranges have %d", ErrCorrupt, d.Mapped, mapped)
	}
	return m, nil
}

// span is "5-7", or "244" for one block.
func span(text string) (first, last int64, err error) {
	from, to, several := strings.Cut(strings.TrimSpace(text), "-")
	if !several {
		to = from
	}
	first, err = strconv.ParseInt(strings.TrimSpace(from), 10, 64)
	last, err2 := strconv.ParseInt(strings.TrimSpace(to), 10, 64)
	return first, last, errors.Join(err, err2)
}
