package wipe

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"

	"github.com/zeebo/xxh3"

	"github.com/stickpress/stickpress/agent/protocol"
)

// filler makes the bytes that should be found at an offset.
type filler interface {
	fill(b []byte, offset int64)
}

// readBack reads the whole device, past every cache that the host knows of,
// and compares it with what should be there. It ends at the first sector that
// differs.
func (w *Wipe) readBack(want filler) error {
	size := w.Device.Size()
	w.Report.Progress(protocol.StepVerify, 0, size)
	w.read = 0
	return w.chunks(func(at, length int64) error {
		if err := w.compare(want, at, length); err != nil {
			return err
		}
		w.read += length
		w.Report.Progress(protocol.StepVerify, at+length, size)
		return nil
	})
}

// compare reads a range, no longer than a chunk. What differs is the fault
// wipe_verify_failed with the sector and the hashes of what should be there
// and what is: the bytes themselves may be somebody's.
func (w *Wipe) compare(want filler, at, length int64) error {
	if err := w.ended(); err != nil {
		return err
	}
	own, back := w.own[:length], w.back[:length]
	want.fill(own, at)
	n, err := w.Device.ReadAt(back, at)
	if err != nil && (n < len(back) || !errors.Is(err, io.EOF)) {
		var f *protocol.Fault
		if errors.As(err, &f) {
			return err
		}
		return w.unreadable(err, at, length)
	}
	if bytes.Equal(own, back) {
		return nil
	}
	sector := w.Device.SectorSize()
	for i := 0; ; i += sector {
		if s, have := own[i:i+sector], back[i:i+sector]; !bytes.Equal(s, have) {
			return protocol.NewFault(protocol.FaultWipeVerify, "offset", at+int64(i), "want", hash(s), "have", hash(have))
		}
	}
}

// unreadable finds the first sector of a range that cannot be read. Where each
// can by itself, the range is named: a stick that answers now and then is no
// better.
func (w *Wipe) unreadable(err error, at, length int64) error {
	sector := int64(w.Device.SectorSize())
	bad := at
	for i := int64(0); i < length; i += sector {
		if err := w.ended(); err != nil {
			return err
		}
		if _, again := w.Device.ReadAt(w.back[i:i+sector], at+i); again != nil {
			var f *protocol.Fault
			if errors.As(again, &f) {
				return again
			}
			err, bad = again, at+i
			break
		}
	}
	return protocol.WrapFault(err, protocol.FaultWipeVerify, "offset", bad, "want", "", "have", "unreadable")
}

func hash(b []byte) string {
	h := xxh3.Hash128(b).Bytes()
	return hex.EncodeToString(h[:])
}
