package blob

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Hasher makes a BlobRecord of the bytes written to it. It can be saved as
// JSON in the middle and go on later, in another process, without the bytes
// that it has seen. It must be made by NewHasher or by json.Unmarshal.
type Hasher struct {
	whole  hash.Hash
	block  hash.Hash
	bytes  int64
	blocks []string // of full blocks
}

// NewHasher has seen no bytes.
func NewHasher() *Hasher { return &Hasher{whole: sha256.New(), block: sha256.New()} }

// Bytes is how many bytes were written.
func (h *Hasher) Bytes() int64 { return h.bytes }

// Write never fails.
func (h *Hasher) Write(p []byte) (int, error) {
	h.add(p)
	return len(p), nil
}

func (h *Hasher) add(p []byte) {
	h.whole.Write(p)
	for len(p) > 0 {
		room := protocol.BlockSize - int(h.bytes%protocol.BlockSize)
		part := p[:min(room, len(p))]
		h.block.Write(part)
		h.bytes += int64(len(part))
		p = p[len(part):]
		if len(part) == room {
			h.blocks = append(h.blocks, hex.EncodeToString(h.block.Sum(nil)))
			h.block.Reset()
		}
	}
}

// Record is the record of the bytes so far. Writing may go on.
func (h *Hasher) Record() protocol.BlobRecord {
	blocks := slices.Clone(h.blocks)
	if h.bytes%protocol.BlockSize != 0 {
		blocks = append(blocks, hex.EncodeToString(h.block.Sum(nil)))
	}
	return protocol.BlobRecord{SHA256: hex.EncodeToString(h.whole.Sum(nil)), Bytes: h.bytes, Blocks: blocks}
}

// saved is a Hasher as JSON; the states are those of crypto/sha256's
// MarshalBinary, which promises to read them back in later releases.
type saved struct {
	Whole  []byte   `json:"whole"`
	Block  []byte   `json:"block"`
	Bytes  int64    `json:"bytes"`
	Blocks []string `json:"blocks"`
}

// MarshalJSON saves the state.
func (h *Hasher) MarshalJSON() ([]byte, error) {
	s := saved{Bytes: h.bytes, Blocks: h.blocks}
	var err error
	if s.Whole, err = h.whole.(encoding.BinaryMarshaler).MarshalBinary(); err != nil {
		return nil, fmt.Errorf("save the hash: %w", err)
	}
	if s.Block, err = h.block.(encoding.BinaryMarshaler).MarshalBinary(); err != nil {
		return nil, fmt.Errorf("save the block's hash: %w", err)
	}
	return json.Marshal(s)
}

// UnmarshalJSON goes on from a saved state.
func (h *Hasher) UnmarshalJSON(raw []byte) error {
	var s saved
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("read a saved hash: %w", err)
	}
	if s.Bytes < 0 || int64(len(s.Blocks)) != s.Bytes/protocol.BlockSize {
		return fmt.Errorf("read a saved hash: %d blocks of %d bytes", len(s.Blocks), s.Bytes)
	}
	fresh := NewHasher()
	if err := fresh.whole.(encoding.BinaryUnmarshaler).UnmarshalBinary(s.Whole); err != nil {
		return fmt.Errorf("read a saved hash: %w", err)
	}
	if err := fresh.block.(encoding.BinaryUnmarshaler).UnmarshalBinary(s.Block); err != nil {
		return fmt.Errorf("read a saved hash: %w", err)
	}
	fresh.bytes, fresh.blocks = s.Bytes, s.Blocks
	*h = *fresh
	return nil
}

// Compare reads r to its end and returns blob_corrupt if it is not what rec
// says. Backends build Verify on it.
func Compare(r io.Reader, rec protocol.BlobRecord) error {
	h := NewHasher()
	if _, err := io.Copy(h, r); err != nil {
		return fmt.Errorf("read blob %s: %w", rec.SHA256, err)
	}
	got := h.Record()
	for i := range max(len(got.Blocks), len(rec.Blocks)) {
		if i >= len(got.Blocks) || i >= len(rec.Blocks) || got.Blocks[i] != rec.Blocks[i] {
			return Corrupt(rec.SHA256, int64(i)*protocol.BlockSize)
		}
	}
	if got.SHA256 != rec.SHA256 || got.Bytes != rec.Bytes {
		return Corrupt(rec.SHA256, 0) // the record itself is wrong
	}
	return nil
}
