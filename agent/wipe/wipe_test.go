package wipe

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"syscall"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
)

// size is no multiple of anything but the sector.
const size = 9*mib + 5*512

// recorder is a stick.Reporter.
type recorder struct {
	t       *testing.T
	steps   []string
	codes   []string
	touched error
	reached map[protocol.Step]int64
	totals  map[protocol.Step]int64
}

func (r *recorder) StepBegun(s protocol.Step) { r.steps = append(r.steps, "+"+string(s)) }
func (r *recorder) StepDone(s protocol.Step)  { r.steps = append(r.steps, "-"+string(s)) }
func (r *recorder) Touched() error            { return r.touched }
func (r *recorder) Log(l protocol.LogLine)    { r.codes = append(r.codes, l.Code) }
func (r *recorder) Checked(protocol.Check)    {}
func (r *recorder) Progress(s protocol.Step, done, total int64) {
	if done > total {
		r.t.Errorf("%s: %d bytes of %d", s, done, total)
	}
	r.reached[s], r.totals[s] = done, total
}

func newWipe(t *testing.T, d stick.Device, method protocol.WipeMethod, passes int) (*Wipe, *recorder) {
	r := &recorder{t: t, reached: map[protocol.Step]int64{}, totals: map[protocol.Step]int64{}}
	return &Wipe{
		Device: d, Report: r, Rand: rand.Reader,
		Options: protocol.WipeOptions{Method: method, Passes: passes},
	}, r
}

// contents is everything on the device.
func contents(d *sticktest.Device) []byte {
	b := make([]byte, d.Size())
	d.Peek(b, 0)
	return b
}

// old counts the sectors that nobody wrote.
func old(d *sticktest.Device) (n int) {
	b := contents(d)
	for at := 0; at < len(b); at += 512 {
		if bytes.Equal(b[at:at+512], bytes.Repeat([]byte{sticktest.Old}, 512)) {
			n++
		}
	}
	return n
}

func TestOverwrite(t *testing.T) {
	t.Parallel()
	for _, sector := range []int{512, 4096} {
		for passes := 1; passes <= protocol.MaxWipePasses; passes++ {
			t.Run(strconv.Itoa(sector)+" "+strconv.Itoa(passes), func(t *testing.T) {
				t.Parallel()
				size := int64(size) / int64(sector) * int64(sector)
				d := sticktest.New(size, sector)
				var written [][]byte // the bytes at 5 MiB, pass by pass
				d.Before = func(op sticktest.Op, _ int, at, _ int64) error {
					if op == sticktest.Drop {
						b := make([]byte, 64)
						d.Peek(b, 5*mib)
						written = append(written, b)
					}
					return nil
				}
				w, r := newWipe(t, d, protocol.WipeOverwrite, passes)
				result, err := w.Run(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				want := protocol.WipeResult{
					Asked: protocol.WipeOverwrite, Method: protocol.WipeOverwrite, Passes: passes, Bytes: size,
				}
				if *result.Wipe != want {
					t.Errorf("%+v, want %+v", *result.Wipe, want)
				}
				if result.BytesVerified != size || result.BytesWritten != int64(passes)*size+4*edgeBytes {
					t.Errorf("%d written, %d read back of %d", result.BytesWritten, result.BytesVerified, size)
				}
				if r.reached[protocol.StepErase] != int64(passes)*size || r.totals[protocol.StepErase] != int64(passes)*size ||
					r.reached[protocol.StepVerify] != size {
					t.Errorf("progress %v of %v", r.reached, r.totals)
				}
				b := contents(d)
				if old(d) != 0 {
					t.Errorf("%d sectors were not overwritten", old(d))
				}
				for _, end := range [][]byte{b[:edgeBytes], b[size-edgeBytes:]} {
					if !bytes.Equal(end, make([]byte, edgeBytes)) {
						t.Error("an end is not zeros")
					}
				}
				// zeros of the edges, the passes, zeros of the edges
				if len(written) != passes+2 {
					t.Fatalf("%d flushes", len(written))
				}
				if passes == 2 {
					for i := range written[1] {
						if written[1][i] != ^written[2][i] {
							t.Fatalf("the second pass is not the complement of the first: %x, %x", written[1], written[2])
						}
					}
				}
			})
		}
	}
}

// A discard counts only with proof; without it everything is overwritten.
func TestDiscard(t *testing.T) {
	t.Parallel()
	leave := func(at int64) func(*sticktest.Device) {
		return func(d *sticktest.Device) {
			d.Forgets = true
			var b [mib]byte
			for i := range b {
				b[i] = 7
			}
			d.Before = func(op sticktest.Op, n int, _, _ int64) error {
				if op == sticktest.Drop && n == 3 { // after the discard: the controller brings old bytes back
					d.Restore(b[:512], at)
				}
				return nil
			}
		}
	}
	for name, c := range map[string]struct {
		device   func(*sticktest.Device)
		fallback string
	}{
		"forgets":           {func(d *sticktest.Device) { d.Forgets = true }, ""},
		"ignores it":        {func(*sticktest.Device) {}, protocol.DiscardIgnored},
		"cannot":            {func(d *sticktest.Device) { d.Fail(sticktest.Discard, 1, errors.ErrUnsupported) }, protocol.DiscardUnsupported},
		"refuses":           {func(d *sticktest.Device) { d.Fail(sticktest.Discard, 1, syscall.EIO) }, protocol.DiscardFailed},
		"forgets but this":  {leave(6*mib + 8*kib + 512), protocol.DiscardNotZero},
		"forgets but first": {leave(0), protocol.DiscardNotZero},
		"forgets but last":  {leave(size - 512), protocol.DiscardNotZero},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := sticktest.New(size, 512)
			c.device(d)
			w, r := newWipe(t, d, protocol.WipeAuto, 1)
			result, err := w.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := result.Wipe
			if got.Fallback != c.fallback || got.Asked != protocol.WipeAuto || result.BytesVerified != size || old(d) != 0 {
				t.Errorf("%+v, %d bytes read back, %d old sectors", got, result.BytesVerified, old(d))
			}
			if c.fallback != "" {
				if got.Method != protocol.WipeOverwrite || got.Passes != 1 || len(r.codes) != 1 || r.codes[0] != "wipe_discard_"+c.fallback {
					t.Errorf("%+v, log %v", got, r.codes)
				}
			} else if got.Method != protocol.WipeDiscard || got.BytesDiscarded != size || got.Passes != 0 ||
				!bytes.Equal(contents(d), make([]byte, size)) {
				t.Errorf("%+v, or not zeros", got)
			}

			// Where nothing else was asked for, that is the end of it.
			again := sticktest.New(size, 512)
			c.device(again)
			w, _ = newWipe(t, again, protocol.WipeDiscard, 1)
			_, err = w.Run(t.Context())
			if f := protocol.AsFault(err); c.fallback == "" && err != nil ||
				c.fallback != "" && (f == nil || f.Code != protocol.FaultWipeDiscard || f.Params["reason"] != c.fallback || !f.Touched) {
				t.Errorf("discard only: %v", err)
			}
		})
	}
}

// secure is a card that erases what it discards.
type secure struct {
	*sticktest.Device
	err error
}

func (s *secure) SecureDiscard(at, n int64) error {
	if s.err != nil {
		return s.err
	}
	s.Forgets = true
	return s.Discard(at, n)
}

func TestSecureDiscard(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		secure bool
	}{"can": {nil, true}, "cannot": {errors.ErrUnsupported, false}, "fails": {syscall.EIO, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &secure{sticktest.New(size, 512), c.err}
			d.Forgets = true
			w, _ := newWipe(t, d, protocol.WipeAuto, 1)
			result, err := w.Run(t.Context())
			if err != nil || result.Wipe.Method != protocol.WipeDiscard || result.Wipe.Secure != c.secure {
				t.Errorf("%+v, %v", result.Wipe, err)
			}
		})
	}
}

func TestNotTouched(t *testing.T) {
	t.Parallel()
	d := sticktest.New(size, 512)
	w, r := newWipe(t, d, protocol.WipeAuto, 1)
	r.touched = protocol.NewFault(protocol.FaultJournal)
	_, err := w.Run(t.Context())
	if f := protocol.AsFault(err); f == nil || f.Code != protocol.FaultJournal || f.Touched || d.Operations() != 0 {
		t.Errorf("%v after %d operations", err, d.Operations())
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(protocol.NewFault(protocol.FaultCancelled))
	w, _ = newWipe(t, d, protocol.WipeAuto, 1)
	_, err = w.Run(ctx)
	if f := protocol.AsFault(err); f == nil || f.Code != protocol.FaultCancelled || f.Touched || d.Operations() != 0 {
		t.Errorf("%v after %d operations", err, d.Operations())
	}
}

// How fast a pattern is made: it must never be what a stick waits for.
func BenchmarkPattern(b *testing.B) {
	p, err := newPattern(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	p = p.complement()
	chunk := aligned(chunkBytes)
	b.SetBytes(chunkBytes)
	for i := 0; b.Loop(); i++ {
		p.fill(chunk, int64(i)*chunkBytes)
	}
}
