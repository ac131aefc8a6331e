package stick

import (
	"errors"
	"slices"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
	"github.com/stickpress/stickpress/agent/volume"
)

// wrapped is a counterfeit that holds fewer bytes than it says: behind its
// end it begins at its start again.
type wrapped struct {
	*sticktest.Device
	real int64
}

func (w wrapped) ReadAt(p []byte, offset int64) (int, error) {
	return w.Device.ReadAt(p, offset%w.real)
}

func (w wrapped) WriteAt(p []byte, offset int64) (int, error) {
	return w.Device.WriteAt(p, offset%w.real)
}

// A stick that holds less than it says is refused, whichever way it lies, and
// even where none of the content is lost.
func TestCounterfeit(t *testing.T) {
	bothLayouts(t, func(t *testing.T, layout string) {
		m := newMaster(t, layout)
		for _, real := range []int64{gib / 4, 4 * gib, 8 * gib, 14 * gib, 27 * gib} {
			wraps, d, r := newTarget(t, layout, "stick_0")
			wraps.Device = wrapped{d, real}
			forgets, d2, _ := newTarget(t, layout, "stick_1")
			d2.Before = func(op sticktest.Op, _ int, offset, _ int64) error {
				if op == sticktest.Write && offset >= real {
					return sticktest.ErrLost
				}
				return nil
			}
			for i, o := range Press(t.Context(), m, []Target{wraps, forgets}) {
				if f := protocol.AsFault(o.Err); f == nil || f.Code != protocol.FaultCapacity || !f.Touched {
					t.Errorf("%d MiB, stick %d: %v", real/mib, i, o.Err)
				}
			}
			if bootable(d) || bootable(d2) {
				t.Errorf("%d MiB: the stick has a table", real/mib)
			}
			if c := r.check(protocol.CheckCapacity); c.Verdict != protocol.VerdictRefused || c.Params["offset"] == "" {
				t.Errorf("%d MiB: %+v", real/mib, c)
			}
		}
	})
}

// forgetful holds its newest writes in a cache that shows them and then loses
// them: only emptying that cache tells.
type forgetful struct {
	*sticktest.Device
	real    int64
	dropped bool
}

func (f *forgetful) DropCaches() error { f.dropped = true; return nil }

func (f *forgetful) ReadAt(p []byte, offset int64) (int, error) {
	n, err := f.Device.ReadAt(p, offset)
	if f.dropped && offset >= f.real {
		clear(p)
	}
	return n, err
}

func TestCounterfeitWithCache(t *testing.T) {
	t.Parallel()
	m := newMaster(t, protocol.LayoutMBRDual)
	target, d, _ := newTarget(t, protocol.LayoutMBRDual, "stick")
	target.Device = &forgetful{Device: d, real: 20 * gib}
	if o := Press(t.Context(), m, []Target{target})[0]; !errors.Is(o.Err, protocol.NewFault(protocol.FaultCapacity)) {
		t.Error(o.Err)
	}
}

// A stick that wraps around at an odd place loses no mark to another one; the
// content runs over those that it led there.
func TestCounterfeitAtAnOddPlace(t *testing.T) {
	t.Parallel()
	m := newMaster(t, protocol.LayoutMBRDual)
	target, d, r := newTarget(t, protocol.LayoutMBRDual, "stick")
	marks := Marks(deviceBytes, m.plan.wiped(deviceBytes))
	chunk := m.chunks[len(m.chunks)/2]
	// The mark before the last one falls upon the chunk.
	real := marks[len(marks)-2] - chunk.Offset
	d.Fail(sticktest.Discard, 1, errors.ErrUnsupported) // as on most sticks
	target.Device = wrapped{d, real}
	if overlap(m.chunks, volume.Extent{Offset: marks[len(marks)-2], Length: Alignment}) || chunk.End() > real {
		t.Fatal("the test says nothing")
	}
	o := Press(t.Context(), m, []Target{target})[0]
	if !errors.Is(o.Err, protocol.NewFault(protocol.FaultCapacity)) || r.checks[0].Verdict != protocol.VerdictOK {
		t.Error(o.Err)
	}
	if bootable(d) {
		t.Error("the stick has a table")
	}
}

// An admin lets a counterfeit pass whose real part takes the content.
func TestCounterfeitOverridden(t *testing.T) {
	t.Parallel()
	m := newMaster(t, protocol.LayoutMBRDual)
	target, d, r := newTarget(t, protocol.LayoutMBRDual, "stick")
	target.Demands.Waived = []string{protocol.FaultCapacity}
	d.Before = func(op sticktest.Op, _ int, offset, length int64) error {
		if op == sticktest.Write && length == Alignment && offset > 20*gib {
			return sticktest.ErrLost
		}
		return nil
	}
	o := Press(t.Context(), m, []Target{target})[0]
	if c := r.check(protocol.CheckCapacity); c.Verdict != protocol.VerdictOverridden {
		t.Errorf("%+v", c)
	}
	if errors.Is(o.Err, protocol.NewFault(protocol.FaultCapacity)) {
		t.Error(o.Err)
	}
}

// No mark lies where something must be zeros, and the last is near the end.
func TestMarks(t *testing.T) {
	t.Parallel()
	for _, layout := range []string{protocol.LayoutMBRDual, protocol.LayoutGPTUEFI} {
		for _, class := range Classes {
			plan, err := NewPlan(layout, class, 512)
			if err != nil {
				t.Fatal(err)
			}
			for _, size := range []int64{class, class + 777*mib + 5*512} {
				marks := Marks(size, plan.wiped(size))
				if len(marks) > 300 {
					t.Errorf("%s %d: %d marks", layout, size, len(marks))
				}
				for i, at := range marks {
					if at%Alignment != 0 || (i > 0 && at <= marks[i-1]) {
						t.Errorf("%s %d: mark %d at %d", layout, size, i, at)
					}
					if overlap(plan.wiped(size), volume.Extent{Offset: at, Length: Alignment}) {
						t.Errorf("%s %d: the mark at %d lies in what is wiped", layout, size, at)
					}
				}
				if last := marks[len(marks)-1]; last < size-3*mib || last+Alignment > size {
					t.Errorf("%s %d: the last mark is at %d", layout, size, last)
				}
				for distance := int64(4 * mib); distance < size/2; distance *= 2 {
					if !slices.ContainsFunc(marks, func(at int64) bool { return slices.Contains(marks, at+distance) }) {
						t.Errorf("%s %d: no two marks are %d apart", layout, size, distance)
					}
				}
			}
		}
	}
	for _, size := range []int64{0, mib, 64 * mib, gib} {
		for _, at := range Marks(size, nil) {
			if at < 0 || at+Alignment > size {
				t.Errorf("a stick of %d bytes is marked at %d", size, at)
			}
		}
	}
}
