// Package capture makes an image file of a Windows that lies on a disk: a
// stick, or a virtual disk or volume in a file. The disk is only read, and
// nothing of it is mounted.
//
//   - Look (look.go) finds the NTFS volume with a Windows on it (table.go
//     reads the partition table) and decides whether it may be captured: what
//     is encrypted, was not left in order, or is bound to its PC is refused
//     (windows.go).
//   - Copy (copy.go) takes the volume's used clusters into a file. So the source
//     is read once, from front to back, and may go away afterwards; whatever it
//     is, partition or part of a virtual disk, the image is made of a copy that
//     nobody else changes. It costs one more pass over the used bytes, and room
//     for them; page and hibernation files are not copied when they are left out
//     anyway. On Linux the copy is the sparse volume, on Windows a virtual disk
//     (copy_file.go).
//   - Pack (pack.go) makes the WIM file from that copy: wimlib on Linux; on
//     Windows DISM, of the attached disk (attach.go).
package capture

import (
	"io"

	"github.com/stickpress/stickpress/agent/volume"
)

// Source is a disk, or a bare volume, as bytes. Reads are made in whole
// sectors, at multiples of them.
type Source struct {
	io.ReaderAt
	Bytes      int64
	SectorSize int // logical: 512 or 4096
}

// Options say what of a source is captured.
type Options struct {
	// Partition is the number in the partition table, from 1; 0 is the only
	// one that holds a Windows.
	Partition int
	// Exclude are globs as exclusion.Parse returns them.
	Exclude []string
	// AnyState takes a Windows that is not generalized too.
	AnyState bool
}

// Volume is a Windows that may be captured.
type Volume struct {
	Windows   Windows
	Partition int // 0 for a source without a partition table

	src     window
	size    int64           // of the volume
	sector  int             // that it was formatted for
	extents []volume.Extent // what Copy takes, relative to the volume
	exclude []string
}

// Bytes is how much Copy reads and writes.
func (v *Volume) Bytes() int64 { return volume.Total(v.extents) }
