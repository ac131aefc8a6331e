package wipe

import (
	"errors"
	"fmt"

	"github.com/stickpress/stickpress/agent/protocol"
)

const (
	// discardBytes is how much one discard asks for: little enough that a
	// cancellation is heard and progress is seen.
	discardBytes = 1 * gib
	// markBytes are written in up to maxMarks places before a discard, and must
	// be gone after it.
	markBytes = 4 * kib
	maxMarks  = 128
)

// forgetError says that a discard does not erase this stick. It is no fault
// of the stick: most cannot.
type forgetError struct {
	reason string // a protocol.Discard reason
	err    error  // may be nil
}

func (e *forgetError) Error() string {
	return fmt.Sprintf("discard is not enough (%s): %v", e.reason, e.err)
}

func (e *forgetError) Unwrap() error { return e.err }

// secureEraser is a device that may be able to erase what it discards, and
// all copies of it, before it returns (the kernel's BLKSECDISCARD; cards in a
// slot of their own, never a USB stick). It returns errors.ErrUnsupported
// where it cannot.
type secureEraser interface {
	SecureDiscard(offset, length int64) error
}

// discard has the stick forget everything. What a stick returns for a range
// that it was told to forget is its own choice, so it has to prove itself:
// marks are written all over it and read back, then everything is discarded,
// then the marks must be gone, and then every byte must read as zero. Where
// one of that is not so the error is *forgetError.
func (w *Wipe) discard() error {
	w.result.Method, w.result.Passes = protocol.WipeDiscard, 0
	at := w.marks()
	err := w.step(protocol.StepErase, func() error {
		if err := w.edges(); err != nil {
			return err
		}
		if err := w.mark(at); err != nil {
			return err
		}
		if err := w.forget(); err != nil {
			return err
		}
		return w.gone(at)
	})
	if err != nil {
		return err
	}
	return w.step(protocol.StepVerify, func() error {
		err := w.readBack(zeros{})
		w.wiped = w.read
		return w.zeroed(err, protocol.DiscardNotZero)
	})
}

// marks are the offsets of the marks, the lowest first. Memory chips come in
// powers of two, and so does the distance between marks: where a counterfeit
// wraps around, one mark lies over another.
func (w *Wipe) marks() []int64 {
	size := w.Device.Size()
	step := int64(markBytes)
	for size/step > maxMarks {
		step *= 2
	}
	var marks []int64
	for at := edgeBytes / step * step; at+markBytes <= size-edgeBytes; at += step {
		if at >= edgeBytes {
			marks = append(marks, at)
		}
	}
	return marks
}

// mark writes the marks and reads them back: a stick that does not keep what
// is written would seem to forget it.
func (w *Wipe) mark(at []int64) error {
	p, err := newPattern(w.Rand)
	if err != nil {
		return err
	}
	for _, at := range at {
		b := w.own[:markBytes]
		p.fill(b, at)
		if err := w.write(b, at); err != nil {
			return err
		}
	}
	if err := w.sync(); err != nil {
		return err
	}
	for _, at := range at {
		if err := w.compare(p, at, markBytes); err != nil {
			return err
		}
	}
	return nil
}

// forget discards everything, securely where the device can.
func (w *Wipe) forget() error {
	if s, ok := w.Device.(secureEraser); ok {
		err := w.forgetBy(s.SecureDiscard)
		if err == nil {
			w.result.Secure = true
			return w.sync()
		}
		var no *forgetError
		if !errors.As(err, &no) {
			return err
		}
	}
	if err := w.forgetBy(w.Device.Discard); err != nil {
		return err
	}
	return w.sync()
}

func (w *Wipe) forgetBy(discard func(offset, length int64) error) error {
	size := w.Device.Size()
	w.result.BytesDiscarded = 0
	for at := int64(0); at < size; at += discardBytes {
		if err := w.ended(); err != nil {
			return err
		}
		length := min(discardBytes, size-at)
		err := discard(at, length)
		var f *protocol.Fault
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			return &forgetError{protocol.DiscardUnsupported, err}
		case errors.As(err, &f) && f.Code != protocol.FaultWrite:
			return err
		case err != nil:
			return &forgetError{protocol.DiscardFailed, err}
		}
		w.result.BytesDiscarded += length
		w.Report.Progress(protocol.StepErase, w.result.BytesDiscarded, size)
	}
	return nil
}

// gone looks at the places of the marks.
func (w *Wipe) gone(at []int64) error {
	for _, at := range at {
		if err := w.zeroed(w.compare(zeros{}, at, markBytes), protocol.DiscardIgnored); err != nil {
			return err
		}
	}
	return nil
}

// zeroed turns what a comparison with zeros found into forgetError, unless
// the stick could not be read at all.
func (w *Wipe) zeroed(err error, reason string) error {
	var f *protocol.Fault
	if errors.As(err, &f) && f.Code == protocol.FaultWipeVerify && f.Err == nil {
		return &forgetError{reason, err}
	}
	return err
}
