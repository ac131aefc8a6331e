package wipe

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"
	"unsafe"
)

// A pattern is what an overwrite writes: bytes that depend on where they are
// and on a key that nobody keeps. It is the keystream of AES-128 in counter
// mode, block n of the stick under counter n, which a processor makes faster
// than any stick takes it.
type pattern struct {
	block cipher.Block
	base  byte // 0, or 0xFF for the complement
}

func newPattern(rand io.Reader) (*pattern, error) {
	key := make([]byte, 16)
	if _, err := io.ReadFull(rand, key); err != nil {
		return nil, fmt.Errorf("make the key of a pattern: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return &pattern{block: block}, nil
}

// complement is the same pattern with every bit turned over.
func (p *pattern) complement() *pattern { return &pattern{block: p.block, base: ^p.base} }

// fill makes the bytes, at least one, that belong at offset, a multiple of 16.
func (p *pattern) fill(b []byte, offset int64) {
	b[0] = p.base
	for n := 1; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
	var counter [aes.BlockSize]byte
	binary.BigEndian.PutUint64(counter[8:], uint64(offset/aes.BlockSize))
	cipher.NewCTR(p.block, counter[:]).XORKeyStream(b, b)
}

// zeros is the pattern of a stick that forgot everything.
type zeros struct{}

func (zeros) fill(b []byte, _ int64) { clear(b) }

// aligned returns n bytes that direct I/O accepts on every device: they begin
// on a page.
func aligned(n int) []byte {
	const page = 4 * kib
	b := make([]byte, n+page)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (page - 1))
	return b[skip : skip+n : skip+n]
}
