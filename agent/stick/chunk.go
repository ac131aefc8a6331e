package stick

import (
	"encoding/hex"
	"fmt"
	"unsafe"

	"github.com/zeebo/xxh3"

	"github.com/stickpress/stickpress/agent/volume"
)

const (
	// ChunkBytes is the size of one read, one write and one hash. Larger
	// writes are no faster on USB, smaller ones cost cheap sticks an erase
	// block each.
	ChunkBytes = 4 * mib
	// Alignment of a master's offsets and lengths, and of all buffers: the
	// sector of a 4Kn device, the page of the host, and NTFS's clusters.
	Alignment = 4 * kib
	// joinGap: used extents no further apart are written as one. The unused
	// bytes between them cost less than another request.
	joinGap = 64 * kib
)

// Sum is the XXH3 of a chunk: quick enough for every byte of every stick, and
// 128 bits long, so that a damaged chunk does not pass. It is no defence
// against a forger: what an image holds is proven by its SHA-256, when it comes
// to the host.
type Sum [16]byte

// SumOf returns the hash of a chunk.
func SumOf(b []byte) Sum {
	h := xxh3.Hash128(b)
	return h.Bytes()
}

func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// MarshalText writes the sum in hex.
func (s Sum) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads it back.
func (s *Sum) UnmarshalText(text []byte) error { return unhex(s[:], text) }

// digest is a SHA-256 that is written in hex.
type digest [32]byte

func (d digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText writes the digest in hex.
func (d digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads it back.
func (d *digest) UnmarshalText(text []byte) error { return unhex(d[:], text) }

func unhex(to, text []byte) error {
	if len(text) != 2*len(to) {
		return fmt.Errorf("hash of %d digits, want %d", len(text), 2*len(to))
	}
	_, err := hex.Decode(to, text)
	return err
}

// chunk is a piece of a master's content.
type chunk struct {
	volume.Extent     // on the device
	XXH3          Sum `json:"xxh3"`
}

// split cuts extents at multiples of ChunkBytes, so that no chunk is longer
// and writes begin where a stick's erase blocks do.
func split(extents []volume.Extent) []chunk {
	var chunks []chunk
	for _, e := range extents {
		for e.Length > 0 {
			n := min(e.Length, ChunkBytes-e.Offset%ChunkBytes)
			chunks = append(chunks, chunk{Extent: volume.Extent{Offset: e.Offset, Length: n}})
			e.Offset += n
			e.Length -= n
		}
	}
	return chunks
}

// zeros are what is written where nothing is to be left, and what is expected
// there.
var zeros = alignedBuffer(ChunkBytes)

// alignedBuffer returns n bytes that direct I/O accepts.
func alignedBuffer(n int) []byte {
	b := make([]byte, n+Alignment)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (Alignment - 1))
	return b[skip : skip+n : skip+n]
}
