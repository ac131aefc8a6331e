// Package vdisk reads virtual hard disks, VHD and VHDX, fixed and dynamic, in place: what a program inside the virtual
// machine would see as its disk is read at an offset, without converting the file and without a tool.
//
// A fixed disk is its content and a little around it. A dynamic one grows by blocks: a block allocation table says where
// in the file each block of the disk lies, and a block that has no place is zeros. Everything that says where bytes lie
// is checked once, when a file is opened: its checksums, and that no block lies outside the file, which is how a file
// that was cut off is found before anything relies on it. Differencing disks are refused: half of their content is
// in another file. A VHDX that was not closed has a log of changes that may not have reached its tables: they are laid
// over the file as it is read, and the file stays as it is.
//
// Sources: Microsoft, "Virtual Hard Disk Image Format Specification" 1.0 (VHD); [MS-VHDX] 6.0 (VHDX).
package vdisk

import (
	"errors"
	"fmt"
	"io"
	"iter"
)

// The reasons for which a file is refused. Each error of [Open] wraps one of them, or is the reader's own.
var (
	// ErrUnknown means that the file is neither a VHD nor a VHDX.
	ErrUnknown = errors.New("not a virtual disk")
	// ErrTruncated means that the file ends before its content does.
	ErrTruncated = errors.New("virtual disk is truncated")
	// ErrCorrupt means that the file contradicts itself.
	ErrCorrupt = errors.New("virtual disk is corrupt")
	// ErrUnsupported means a version or a size that is not known here.
	ErrUnsupported = errors.New("virtual disk is of an unsupported kind")
	// ErrDifferencing means that the file holds only what differs from another file.
	ErrDifferencing = errors.New("virtual disk is a differencing disk")
	// ErrDirtyLog means that a VHDX was not closed, and that what its log says of it cannot be made out.
	ErrDirtyLog = errors.New("virtual disk has a log that cannot be applied")
)

func corrupt(format string, args ...any) error { return refuse(ErrCorrupt, format, args...) }

func refuse(reason error, format string, args ...any) error {
	return fmt.Errorf("%w: %s", reason, fmt.Sprintf(format, args...))
}

// Format is the format of a file.
type Format string

// The formats.
const (
	VHD  Format = "vhd"
	VHDX Format = "vhdx"
)

// Extent is a range of bytes of the disk.
type Extent struct {
	Offset int64
	Length int64 // above 0
}

// Disk is the content of a file. It may be read by several goroutines at once if the file may.
type Disk interface {
	// ReadAt reads the disk, not the file. What lies in no extent is zeros.
	io.ReaderAt
	Format() Format
	Size() int64     // of the disk, bytes; a multiple of 512
	SectorSize() int // logical, 512 or 4096
	// Extents are the parts of the disk that the file has bytes for, in order and not touching. They may hold zeros.
	Extents() iter.Seq[Extent]
}

// maxTable bounds the memory that a block allocation table takes, against hostile files: enough for 8 TiB of the
// smallest blocks that VHDX allows, and for its largest disk with the blocks that Windows makes.
const maxTable = 64 << 20

// Open reads the tables of a file of size bytes.
func Open(r io.ReaderAt, size int64) (Disk, error) {
	magic := make([]byte, len(vhdxMagic))
	if n, err := r.ReadAt(magic, 0); n < len(magic) {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read a virtual disk: %w", err)
		}
		return nil, refuse(ErrUnknown, "%d bytes", size)
	}
	if string(magic) == vhdxMagic {
		return openVHDX(r, size)
	}
	return openVHD(r, size)
}

// readFull reads len(p) bytes of the file, and calls it truncated if it does not have them.
func readFull(r io.ReaderAt, p []byte, at int64) error {
	n, err := r.ReadAt(p, at)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return refuse(ErrTruncated, "%d of %d bytes at %d", n, len(p), at)
	default:
		return fmt.Errorf("read a virtual disk at %d: %w", at, err)
	}
}

// within is the part of p that can be read at an offset of a disk of size bytes, with the error that ReadAt ends with.
func within(p []byte, at, size int64) ([]byte, error) {
	if at < 0 {
		return nil, fmt.Errorf("read a virtual disk at %d", at)
	}
	if left := max(size-at, 0); int64(len(p)) > left {
		return p[:left], io.EOF
	}
	return p, nil
}

// blocks lists the extents of a disk of equal blocks, of which has tells which lie in the file.
func blocks(size, block int64, count int, has func(int) bool) iter.Seq[Extent] {
	return func(yield func(Extent) bool) {
		for i := 0; i < count; i++ {
			if !has(i) {
				continue
			}
			first := i
			for i+1 < count && has(i+1) {
				i++
			}
			e := Extent{Offset: int64(first) * block}
			e.Length = min(int64(i+1)*block, size) - e.Offset
			if !yield(e) {
				return
			}
		}
	}
}
