package stream

import (
	"io"

	"github.com/klauspost/compress/zstd"
)

// Parts of a Zstandard file (RFC 8878, 3.1.1).
const (
	zstdMaxHeader   = 18
	zstdBlockHeader = 3
	zstdMaxBlock    = 128 << 10
	zstdBlockRLE    = 1
	zstdBlockNone   = 3 // reserved
	zstdChecksum    = 4
)

// walkFrames goes from block to block through all frames. It returns the decoded size, -1 if a frame does not say it,
// and the largest window.
func walkFrames(r io.ReaderAt, size int64) (decoded, window int64, err error) {
	frames := 0
	for at := int64(0); at < size; {
		head := make([]byte, min(zstdMaxHeader, size-at))
		if err := readFull(r, head, at, size); err != nil {
			return 0, 0, err
		}
		var h zstd.Header
		if err := h.Decode(head); err != nil {
			if len(head) < zstdMaxHeader {
				return 0, 0, refuse(ErrTruncated, "frame at %d: %v", at, err)
			}
			return 0, 0, refuse(ErrCorrupt, "frame at %d: %v", at, err)
		}
		at += int64(h.HeaderSize)
		if h.Skippable {
			if at += int64(h.SkippableSize); at > size {
				return 0, 0, refuse(ErrTruncated, "its last frame ends at %d of %d", at, size)
			}
			continue
		}
		frames++
		w, err := frameWindow(&h)
		if err != nil {
			return 0, 0, err
		}
		window = max(window, w)
		if !h.HasFCS {
			decoded = -1
		} else if decoded >= 0 {
			if h.FrameContentSize > 1<<60 || decoded > 1<<60 {
				return 0, 0, refuse(ErrCorrupt, "a frame of %d bytes", h.FrameContentSize)
			}
			decoded += int64(h.FrameContentSize)
		}
		if at, err = walkBlocks(r, at, size); err != nil {
			return 0, 0, err
		}
		if h.HasCheckSum {
			at += zstdChecksum
		}
		if at > size {
			return 0, 0, refuse(ErrTruncated, "its last frame ends at %d of %d", at, size)
		}
	}
	if frames == 0 {
		return 0, 0, refuse(ErrCorrupt, "no frame with content")
	}
	return decoded, window, nil
}

// frameWindow is how far back a frame refers to itself.
func frameWindow(h *zstd.Header) (int64, error) {
	if h.DictionaryID != 0 {
		return 0, refuse(ErrUnsupported, "it needs dictionary %d", h.DictionaryID)
	}
	window := h.WindowSize
	if h.SingleSegment {
		window = h.FrameContentSize
	}
	if window > MaxWindow {
		return 0, refuse(ErrWindow, "a window of %d bytes, at most %d", window, int64(MaxWindow))
	}
	return int64(window), nil
}

// walkBlocks returns where the blocks of a frame end.
func walkBlocks(r io.ReaderAt, at, size int64) (int64, error) {
	b := make([]byte, zstdBlockHeader)
	for last := false; !last; {
		if err := readFull(r, b, at, size); err != nil {
			return 0, err
		}
		h := int64(b[0]) | int64(b[1])<<8 | int64(b[2])<<16
		last = h&1 != 0
		length := h >> 3
		switch h >> 1 & 3 {
		case zstdBlockRLE:
			length = 1
		case zstdBlockNone:
			return 0, refuse(ErrCorrupt, "block at %d", at)
		}
		if length > zstdMaxBlock {
			return 0, refuse(ErrCorrupt, "block of %d bytes at %d", length, at)
		}
		if at += zstdBlockHeader + length; at > size {
			return 0, refuse(ErrTruncated, "block ends at %d of %d", at, size)
		}
	}
	return at, nil
}
