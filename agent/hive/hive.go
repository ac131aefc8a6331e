// Package hive reads, writes and edits Windows registry hives as bytes, without Windows.
//
// A hive is a file of 4096-byte blocks. The first one, the base block, names the root key and carries a checksum.
// Behind it lie hive bins, each a header and a row of cells; a cell is a length and a payload, allocated or free.
// Everything else is cells that point at each other by their offset from the first bin: keys (nk), lists of
// subkeys (lf, lh, li, and ri over several of them), lists of values, values (vk), security descriptors (sk).
//
// There are two ways in. [Write] makes a new hive from a tree of keys, as a boot store needs it. [Open] takes the
// bytes of an existing hive, whose keys and values are then read and changed in place; [Hive.Bytes] gives the file
// back. What an edit does not touch stays as it was, byte for byte: freed cells are used again, and new bins are
// appended when they do not suffice. A hive that its owner did not close properly is refused with [ErrDirty]: part
// of its content is in transaction logs that this package does not replay.
//
// Paths are names joined by backslashes, compared without regard to case; the empty path is the root key.
// There is no CurrentControlSet in a file: Windows makes that link when it boots.
//
// The format is described in https://github.com/msuhanov/regf, "Windows registry file format specification".
// The foreign readers that judge this package are hivex, libregf and Velocidex regparser.
package hive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// The reasons for which a hive, or a change to it, is refused. Each error returned wraps one of them.
var (
	// ErrNotHive means that the bytes do not begin as a registry hive does.
	ErrNotHive = errors.New("not a registry hive")
	// ErrDirty means that the hive was not closed properly: its two sequence numbers differ, and its newest changes
	// are in log files. Start and shut down the Windows it belongs to, or take an image that was shut down properly.
	ErrDirty = errors.New("registry hive was not closed properly")
	// ErrCorrupt means that the hive contradicts itself: a wrong checksum, a truncated file, a cell that is none.
	ErrCorrupt = errors.New("registry hive is corrupt")
	// ErrUnsupported means a valid hive of a kind that this package does not handle.
	ErrUnsupported = errors.New("registry hive is of an unsupported kind")
	// ErrNotExist means that there is no such key or value.
	ErrNotExist = errors.New("no such registry key or value")
	// ErrLimit means that a name, a value or the hive would exceed what the format can hold.
	ErrLimit = errors.New("beyond the limits of a registry hive")
	// ErrType means that a value is not of the type asked for.
	ErrType = errors.New("registry value has another type")
)

// Hive is a registry hive in memory. It is not safe for concurrent use.
// After a failed change the hive must be thrown away: a part of the change may have been made.
type Hive struct {
	// Time is stamped on keys that later edits create or change.
	// With the zero time changed keys keep their stamp, and new ones get none.
	Time time.Time

	base    []byte   // the base block
	bins    []byte   // all hive bins; cell offsets count from here
	tail    []byte   // what the file holds behind the bins, which Windows ignores
	starts  []uint64 // one bit per 8 bytes of bins: a cell, free or not, begins here
	free    []uint32 // offsets of the free cells, ascending
	changed bool
}

// Open reads a hive from the bytes of its file, which it copies. Errors wrap [ErrNotHive], [ErrDirty],
// [ErrCorrupt] or [ErrUnsupported].
func Open(file []byte) (*Hive, error) {
	if len(file) < 4 || string(file[:4]) != "regf" {
		return nil, fmt.Errorf("%w: the file does not begin with \"regf\"", ErrNotHive)
	}
	if len(file) < blockSize {
		return nil, fmt.Errorf("%w: the base block ends after %d bytes", ErrCorrupt, len(file))
	}
	base := file[:blockSize]
	if got, want := u32(base, baseChecksum), checksum(base); got != want {
		return nil, fmt.Errorf("%w: base block checksum is %#08x, expected %#08x", ErrCorrupt, got, want)
	}
	if a, b := u32(base, baseSequence1), u32(base, baseSequence2); a != b {
		return nil, fmt.Errorf("%w: sequence numbers are %d and %d", ErrDirty, a, b)
	}
	if major, minor := u32(base, baseMajor), u32(base, baseMinor); major != 1 || minor < 3 || minor > 6 {
		return nil, fmt.Errorf("%w: version %d.%d, expected 1.3 to 1.6", ErrUnsupported, major, minor)
	}
	if typ, format := u32(base, baseType), u32(base, baseFormat); typ != 0 || format != 1 {
		return nil, fmt.Errorf("%w: file type %d, format %d", ErrUnsupported, typ, format)
	}
	size := u32(base, baseBinsSize)
	if size == 0 || size%blockSize != 0 || size > maxBins {
		return nil, fmt.Errorf("%w: the bins take %d bytes", ErrCorrupt, size)
	}
	if int64(len(file)) < blockSize+int64(size) {
		return nil, fmt.Errorf("%w: the file has %d of %d bytes", ErrCorrupt, len(file), blockSize+int64(size))
	}
	own := append([]byte(nil), file...)
	h := &Hive{
		base: own[:blockSize:blockSize],
		bins: own[blockSize : blockSize+size : blockSize+size],
		tail: own[blockSize+size:],
	}
	if err := h.scan(); err != nil {
		return nil, err
	}
	if _, err := h.nk(h.root()); err != nil {
		return nil, fmt.Errorf("read root key: %w", err)
	}
	return h, nil
}

// Bytes returns the file of the hive, in memory of its own. A changed hive has both sequence numbers raised by one,
// so that logs of an older state can never be replayed over it; an unchanged one is returned byte for byte.
func (h *Hive) Bytes() []byte {
	out := make([]byte, 0, len(h.base)+len(h.bins)+len(h.tail))
	out = append(out, h.base...)
	if h.changed {
		seq := u32(out, baseSequence1) + 1
		put32(out, baseSequence1, seq)
		put32(out, baseSequence2, seq)
		put32(out, baseBinsSize, uint32(len(h.bins)))
		if !h.Time.IsZero() {
			put64(out, baseTime, filetime(h.Time))
		}
		put32(out, baseChecksum, checksum(out))
	}
	out = append(out, h.bins...)
	return append(out, h.tail...)
}

// root is the offset of the root key's cell.
func (h *Hive) root() uint32 { return u32(h.base, baseRoot) }

// minor is the minor version of the format, 3 to 6.
func (h *Hive) minor() uint32 { return u32(h.base, baseMinor) }

func u16(b []byte, at int) uint16 { return binary.LittleEndian.Uint16(b[at:]) }
func u32(b []byte, at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }

func put16(b []byte, at int, v uint16) { binary.LittleEndian.PutUint16(b[at:], v) }
func put32(b []byte, at int, v uint32) { binary.LittleEndian.PutUint32(b[at:], v) }
func put64(b []byte, at int, v uint64) { binary.LittleEndian.PutUint64(b[at:], v) }
