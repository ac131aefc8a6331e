// Package wipe erases sticks, and proves it by reading all of them back.
//
// There are two ways. An overwrite writes a pattern to every address. The
// pattern is the keystream of a key that is made for this run and forgotten
// afterwards, so that no two places of a stick and no two runs have the same
// bytes: a stick that stores nothing, that stores one address over another
// (counterfeits do), or that gives back what an earlier run left there, is
// found out when it is read. A discard tells the stick that nothing on it is
// needed; that counts only if the stick proves that it forgets (see discard).
//
// Both speak of the addresses that a stick shows. Flash has more memory than
// that: spare blocks, blocks that were taken out of use, copies that wear
// levelling left behind. Nobody can write to those from outside, or read them
// without taking the stick apart. So neither way is what NIST SP 800-88 calls
// Purge, in Rev. 1 (2014) as in Rev. 2 (2025).
package wipe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30

	// chunkBytes is the size of one write and of one read.
	chunkBytes = 4 * mib
	// edgeBytes at both ends of a stick are zeroed first and last: every
	// partition table, and the signatures of most filesystems and arrays.
	edgeBytes = 1 * mib
)

// Wipe is one stick to be erased.
type Wipe struct {
	Device  stick.Device
	Options protocol.WipeOptions
	Report  stick.Reporter
	// Rand is where keys come from: crypto/rand.Reader.
	Rand io.Reader

	ctx     context.Context
	result  protocol.WipeResult
	written int64 // acknowledged, over all passes
	read    int64 // of the read-back that proved it
	wiped   int64 // how far from the start nothing old is left, as far as is known
	touched bool
	took    map[protocol.Step]time.Duration
	own     []byte // what is written, or expected
	back    []byte // what the stick gives back
}

// Run erases the stick and reads every byte of it back. The partition tables
// at both ends go first. What ends it early leaves a stick without them, and
// everything else as it was behind the point that it reached.
//
// It ends with ctx; context.Cause(ctx), where it is a *protocol.Fault, is then
// the fault. Errors are *protocol.Fault, and Touched says whether the stick
// may have changed: wipe_write_failed, wipe_verify_failed, and
// wipe_discard_failed where nothing but a discard was asked for; or what the
// device says of itself.
func (w *Wipe) Run(ctx context.Context) (protocol.Result, error) {
	w.ctx = ctx
	w.result = protocol.WipeResult{Asked: w.Options.Method, Bytes: w.Device.Size()}
	w.took = map[protocol.Step]time.Duration{}
	w.own, w.back = aligned(chunkBytes), aligned(chunkBytes)
	if err := w.run(); err != nil {
		if w.touched {
			w.log("warn", "wipe_stopped", "wiped_bytes", w.wiped, "total_bytes", w.Device.Size())
		}
		return protocol.Result{}, w.fault(err)
	}
	return protocol.Result{
		BytesWritten: w.written, BytesVerified: w.read,
		WriteMS: w.took[protocol.StepErase].Milliseconds(), VerifyMS: w.took[protocol.StepVerify].Milliseconds(),
		Wipe: &w.result,
	}, nil
}

func (w *Wipe) run() error {
	if err := w.ended(); err != nil {
		return err
	}
	if err := w.Report.Touched(); err != nil {
		return fmt.Errorf("before the first byte: %w", err)
	}
	if w.Options.Method != protocol.WipeOverwrite {
		err := w.discard()
		var no *forgetError
		if !errors.As(err, &no) {
			return err
		}
		if w.Options.Method == protocol.WipeDiscard {
			return protocol.WrapFault(no.err, protocol.FaultWipeDiscard, "reason", no.reason)
		}
		w.result.Fallback = no.reason
		w.log("warn", "wipe_discard_"+no.reason)
	}
	return w.overwrite()
}

// step runs one part of the work. A wipe that falls back has each twice.
func (w *Wipe) step(s protocol.Step, do func() error) error {
	w.Report.StepBegun(s)
	begun := time.Now()
	err := do()
	w.took[s] += time.Since(begun)
	if err == nil {
		w.Report.StepDone(s)
	}
	return err
}

// edges zeroes both ends and returns when that is on the device.
func (w *Wipe) edges() error {
	for _, at := range w.ends() {
		b := w.own[:min(edgeBytes, w.Device.Size()-at)]
		clear(b)
		if err := w.write(b, at); err != nil {
			return err
		}
	}
	return w.sync()
}

// ends are where the zeroed parts begin. They may overlap on a tiny device.
func (w *Wipe) ends() []int64 { return []int64{0, max(0, w.Device.Size()-edgeBytes)} }

// chunks calls do for every piece of the device, in order.
func (w *Wipe) chunks(do func(at, length int64) error) error {
	size := w.Device.Size()
	for at := int64(0); at < size; at += chunkBytes {
		if err := do(at, min(chunkBytes, size-at)); err != nil {
			return err
		}
	}
	return nil
}

// write writes whole sectors, unless the wipe was told to end.
func (w *Wipe) write(b []byte, at int64) error {
	if err := w.ended(); err != nil {
		return err
	}
	n, err := w.Device.WriteAt(b, at)
	if n > 0 || changed(err) {
		w.touched = true
	}
	w.written += int64(n)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return w.writeFault(err, at+int64(n))
}

// sync empties the stick's own cache, too, which the kernel may not know of: what
// is read next is not what the stick only has in mind.
func (w *Wipe) sync() error { return w.writeFault(w.Device.DropCaches(), w.Device.Size()) }

// changed reports whether an operation that ended with err may have changed
// the device. One that refuses because it is not the confirmed one says so.
func changed(err error) bool {
	var f *protocol.Fault
	return !errors.As(err, &f) || f.Touched
}

// writeFault gives an error its place. A stick that is gone, or is another
// one, has said what is the matter; write_failed of a device says no more
// than that, and becomes ours.
func (w *Wipe) writeFault(err error, at int64) error {
	var f *protocol.Fault
	if err == nil || errors.As(err, &f) && f.Code != protocol.FaultWrite {
		return err
	}
	return protocol.WrapFault(err, protocol.FaultWipeWrite, "offset", at, "wiped_bytes", w.wiped, "total_bytes", w.Device.Size())
}

// ended returns why the wipe was told to end, nil while it was not.
func (w *Wipe) ended() error {
	if w.ctx.Err() == nil {
		return nil
	}
	cause := context.Cause(w.ctx)
	var f *protocol.Fault
	if errors.As(cause, &f) {
		return cause
	}
	return protocol.WrapFault(cause, protocol.FaultCancelled)
}

// fault is what is reported of err.
func (w *Wipe) fault(err error) error {
	f := protocol.AsFault(err)
	reported := *f // its maker may use it for other sticks
	reported.Touched = w.touched
	return &reported
}

func (w *Wipe) log(level, code string, pairs ...any) {
	w.Report.Log(protocol.LogLine{Level: level, Code: code, Params: protocol.NewFault(code, pairs...).Params})
}
