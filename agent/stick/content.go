package stick

import "github.com/stickpress/stickpress/agent/volume"

// Content is what a Press puts onto sticks: a Master, or any other range of
// bytes that is written, read back and finished in the same order. A Press
// asks it what lies where and what the bytes are, and knows nothing else of it.
type Content interface {
	// Digest names the content in results, lower-case hex.
	Digest() string

	// Chunks are the ranges of a device that hold content: in rising order,
	// not overlapping, none longer than ChunkBytes, beginning and ending on
	// sectors of every device that Fit accepts. They are known before the
	// first byte is read, are the same for all sticks and never change.
	Chunks() []volume.Extent

	// Read fills buf, which is as long as chunk i, and returns the hash of
	// what it put there, or an error when the bytes are not those that belong
	// there: content that has hashes of its own checks them, other content
	// holds later readings of a chunk to the first one.
	//
	// Reading for the sticks that keep pace begins at chunk 0 and goes through
	// all chunks, one call after the other. A stick that falls behind by more
	// than the shared buffer calls for what it missed, in rising order too and
	// at the same time. So content that can only be read forward needs a
	// decoder for each place at which it is read, and no more of them than
	// there are sticks; it gives them up when the Press is over.
	Read(i int, buf []byte) (Sum, error)

	// Fit says how the content goes onto one stick, or why it does not, in a
	// fault. It is called before the device is touched and changes nothing.
	Fit(t *Target) (*Fit, error)
}

// Decoded is Content that has to be decoded, by as many decoders as there are
// places at which it is read.
type Decoded interface {
	// DecoderBytes is the memory of one decoder, 0 for content that lies there
	// as it is.
	DecoderBytes() int64
	// Readers is told before the first Read at how many places it will be
	// read at most.
	Readers(most int)
}

// Fit is what one stick has of its own. Ranges are on the device.
type Fit struct {
	// DiskID is the identity of the disk as written: the MBR signature in
	// hex, the disk GUID, or "" for content that has neither.
	DiskID string

	// Seed makes the marks of the capacity probe unlike those of an earlier
	// press of the same device: drawn anew for every Fit.
	Seed [16]byte
	// Probes are where those marks are put before any content, in rising
	// order, Alignment bytes each. None lies in Wipe; those outside all chunks
	// stay on the stick.
	Probes []int64

	// Wipe is zeroed before anything else, and again when the press fails:
	// everything by which firmware or a system would take the stick for a
	// finished one. Where no chunk lies it is zeros at the end, too, which is
	// verified, but for what Table puts there.
	Wipe []volume.Extent

	// Patches are laid over the chunks as they pass; each lies within them.
	Patches []volume.Patch

	// Table finishes the stick after all else was verified. Each patch is a
	// number of whole sectors, no longer than 1 MiB, and outside all chunks; the last one is written alone, when the others are on the
	// device, and without it no machine starts the stick.
	Table []volume.Patch
}
