package wipe

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
)

// Any one operation that fails is found, is never a success, and is told with
// how far the wipe got.
func TestEveryOperation(t *testing.T) {
	t.Parallel()
	for _, method := range []protocol.WipeMethod{protocol.WipeOverwrite, protocol.WipeDiscard} {
		good := sticktest.New(size, 512)
		good.Forgets = true
		w, _ := newWipe(t, good, method, 2)
		if _, err := w.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			op    sticktest.Op
			err   error
			codes []string
		}{
			{sticktest.Write, syscall.EIO, []string{protocol.FaultWipeWrite}},
			{sticktest.Write, sticktest.ErrShort, []string{protocol.FaultWipeWrite}},
			{sticktest.Drop, syscall.EIO, []string{protocol.FaultWipeWrite}},
			{sticktest.Read, syscall.EIO, []string{protocol.FaultWipeVerify}},
			{sticktest.Discard, syscall.EIO, []string{protocol.FaultWipeDiscard}},
		} {
			for n := 1; n <= good.Count(c.op); n++ {
				d := sticktest.New(size, 512)
				d.Forgets = true
				d.Fail(c.op, n, c.err)
				w, r := newWipe(t, d, method, 2)
				_, err := w.Run(t.Context())
				f := protocol.AsFault(err)
				if f == nil || !slices.Contains(c.codes, f.Code) || !f.Touched {
					t.Errorf("%s: %s %d of %d, %v: %v", method, c.op, n, good.Count(c.op), c.err, err)
				}
				if !slices.Contains(r.codes, "wipe_stopped") {
					t.Errorf("%s: %s %d: nobody was told how far it got", method, c.op, n)
				}
			}
		}
	}
}

// A write that is acknowledged and not stored leaves old bytes behind; the
// read-back names the first of them, unless a later write covers it.
func TestStale(t *testing.T) {
	t.Parallel()
	good := sticktest.New(size, 512)
	w, _ := newWipe(t, good, protocol.WipeOverwrite, 1)
	if _, err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= good.Count(sticktest.Write); n++ {
		d := sticktest.New(size, 512)
		var lost [2]int64
		d.Before = func(op sticktest.Op, i int, at, length int64) error {
			if op == sticktest.Write && i == n {
				lost = [2]int64{at, length}
				return sticktest.ErrLost
			}
			return nil
		}
		w, _ := newWipe(t, d, protocol.WipeOverwrite, 1)
		_, err := w.Run(t.Context())
		f := protocol.AsFault(err)
		if n <= 2 { // the first zeros, which the pass goes over
			if err != nil {
				t.Errorf("write %d: %v", n, err)
			}
			continue
		}
		if f == nil || f.Code != protocol.FaultWipeVerify || f.Params["offset"] != strconv.FormatInt(lost[0], 10) {
			t.Errorf("write %d, at %d, was lost: %v", n, lost[0], err)
		}
	}
}

// What an earlier run left on a stick does not pass for this one's.
func TestSecondRun(t *testing.T) {
	t.Parallel()
	d := sticktest.New(size, 512)
	w, _ := newWipe(t, d, protocol.WipeOverwrite, 1)
	if _, err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.Before = func(op sticktest.Op, _ int, _, _ int64) error {
		if op == sticktest.Write {
			return sticktest.ErrLost
		}
		return nil
	}
	for _, method := range protocol.WipeMethods {
		w, _ = newWipe(t, d, method, 2)
		_, err := w.Run(t.Context())
		if f := protocol.AsFault(err); f == nil || f.Code != protocol.FaultWipeVerify {
			t.Errorf("%s on a stick that stores nothing: %v", method, err)
		}
	}
}

// counterfeit says that it holds more than it does.
type counterfeit struct {
	*sticktest.Device // what is really there
	says              int64
	wraps             bool // writes behind the end go to the front; else they are forgotten
}

func (c *counterfeit) Size() int64 { return c.says }

func (c *counterfeit) transfer(b []byte, at int64, do func([]byte, int64) (int, error)) (int, error) {
	real := c.Device.Size()
	for n := 0; n < len(b); n += 512 {
		o := at + int64(n)
		if o >= real && !c.wraps {
			continue
		}
		// Sectors of an aligned buffer are aligned.
		if m, err := do(b[n:n+512], o%real); err != nil {
			return n + m, err
		}
	}
	return len(b), nil
}

func (c *counterfeit) WriteAt(b []byte, at int64) (int, error) {
	return c.transfer(b, at, c.Device.WriteAt)
}

func (c *counterfeit) ReadAt(b []byte, at int64) (int, error) {
	clear(b) // what a stick gives back for what it forgot
	return c.transfer(b, at, c.Device.ReadAt)
}

func (c *counterfeit) Discard(at, length int64) error {
	c.Forgets = true
	return c.Device.Discard(0, c.Device.Size())
}

func TestCounterfeit(t *testing.T) {
	t.Parallel()
	const real = 8 * mib
	for _, method := range protocol.WipeMethods {
		for _, wraps := range []bool{true, false} {
			d := &counterfeit{sticktest.New(real, 512), 24 * mib, wraps}
			w, _ := newWipe(t, d, method, 1)
			_, err := w.Run(t.Context())
			f := protocol.AsFault(err)
			if f == nil || f.Code != protocol.FaultWipeVerify {
				t.Errorf("%s, wraps %v: %v", method, wraps, err)
				continue
			}
			want := "0" // written over by what came later
			if !wraps {
				want = strconv.Itoa(real)
			}
			if method == protocol.WipeOverwrite && f.Params["offset"] != want {
				t.Errorf("wraps %v: the first bad offset is %s, want %s", wraps, f.Params["offset"], want)
			}
		}
	}
}

// One that refuses what it does not have says how much was reached.
func TestSmaller(t *testing.T) {
	t.Parallel()
	d := sticktest.New(size, 512)
	d.Before = func(op sticktest.Op, _ int, at, length int64) error {
		if at < size-2*mib && at+length > 4*mib { // the far end still answers
			return syscall.ENOSPC
		}
		return nil
	}
	w, _ := newWipe(t, d, protocol.WipeOverwrite, 1)
	_, err := w.Run(t.Context())
	f := protocol.AsFault(err)
	if f == nil || f.Code != protocol.FaultWipeWrite || f.Params["wiped_bytes"] != strconv.Itoa(4*mib) ||
		f.Params["total_bytes"] != strconv.Itoa(size) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
}

// The sector that cannot be read is named, not the chunk.
func TestUnreadableSector(t *testing.T) {
	t.Parallel()
	const bad = 5*mib + 3*512
	for _, method := range protocol.WipeMethods {
		d := sticktest.New(size, 512)
		d.Forgets = true
		d.Before = func(op sticktest.Op, _ int, at, length int64) error {
			if op == sticktest.Read && at <= bad && bad < at+length {
				return syscall.EIO
			}
			return nil
		}
		w, _ := newWipe(t, d, method, 1)
		_, err := w.Run(t.Context())
		f := protocol.AsFault(err)
		if f == nil || f.Code != protocol.FaultWipeVerify || f.Params["offset"] != strconv.Itoa(bad) || !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// A device's own word is reported as it is.
func TestDeviceFault(t *testing.T) {
	t.Parallel()
	for _, op := range []sticktest.Op{sticktest.Write, sticktest.Read, sticktest.Discard, sticktest.Drop} {
		d := sticktest.New(size, 512)
		d.Forgets = true
		gone := protocol.NewFault(protocol.FaultDeviceGone, "port", "1-2")
		d.Fail(op, 1, gone)
		w, _ := newWipe(t, d, protocol.WipeAuto, 1)
		_, err := w.Run(t.Context())
		f := protocol.AsFault(err)
		if f == nil || f.Code != protocol.FaultDeviceGone || f.Touched != (op != sticktest.Write) {
			t.Errorf("%s: %v", op, err)
		}
		if gone.Touched {
			t.Error("the device's fault was changed")
		}
	}
}

// Cancelled at any operation: nothing is written afterwards, the tables are
// gone.
func TestCancel(t *testing.T) {
	t.Parallel()
	for _, method := range []protocol.WipeMethod{protocol.WipeOverwrite, protocol.WipeDiscard} {
		good := sticktest.New(size, 512)
		good.Forgets = true
		w, _ := newWipe(t, good, method, 2)
		if _, err := w.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		for n := 1; n < good.Operations(); n++ {
			d := sticktest.New(size, 512)
			d.Forgets = true
			ctx, cancel := context.WithCancelCause(t.Context())
			d.Before = func(op sticktest.Op, _ int, _, _ int64) error {
				if d.Operations() == n {
					cancel(protocol.NewFault(protocol.FaultCancelled))
				} else if d.Operations() > n && op != sticktest.Drop {
					t.Errorf("%s: %s after the end", method, op)
				}
				return nil
			}
			w, _ := newWipe(t, d, method, 2)
			_, err := w.Run(ctx)
			f := protocol.AsFault(err)
			if f == nil || f.Code != protocol.FaultCancelled || !f.Touched {
				t.Errorf("%s, operation %d of %d: %v", method, n, good.Operations(), err)
			}
			if head := contents(d)[:512]; n > 2 && bytes.Equal(head, bytes.Repeat([]byte{sticktest.Old}, 512)) {
				t.Errorf("%s, operation %d: the old table is still there", method, n)
			}
		}
	}
}

// oblivious has lost what was written behind an offset when its own cache is
// emptied.
type oblivious struct {
	*sticktest.Device
	from int64
}

func (o *oblivious) DropCaches() error {
	if _, err := o.Device.WriteAt(bytes.Repeat([]byte{sticktest.Old}, 512), o.from); err != nil {
		return err
	}
	return o.Device.DropCaches()
}

// What a stick only has in mind is not taken for erased.
func TestReadBackFromACacheOfTheStick(t *testing.T) {
	t.Parallel()
	d := sticktest.New(size, 512)
	w, _ := newWipe(t, &oblivious{d, 5 * mib}, protocol.WipeOverwrite, 1)
	if _, err := w.Run(t.Context()); !errors.Is(err, protocol.NewFault(protocol.FaultWipeVerify)) {
		t.Error(err)
	}
}
