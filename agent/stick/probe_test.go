package stick

import (
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
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
		for _, real := range []int64{4 * gib, 8 * gib, 14 * gib, 27 * gib} {
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
				if f := protocol.AsFault(o.Err); f == nil || f.Code != protocol.FaultVerify || !f.Touched {
					t.Errorf("%d GiB, stick %d: %v", real/gib, i, o.Err)
				}
			}
			if bootable(d) || bootable(d2) {
				t.Errorf("%d GiB: the stick has a table", real/gib)
			}
			if len(r.logs) == 0 {
				t.Errorf("%d GiB: the log does not say what that means", real/gib)
			}
		}
	})
}

// No mark lies where something must be zeros, and the last is near the end.
func TestProbes(t *testing.T) {
	t.Parallel()
	for _, layout := range []string{protocol.LayoutMBRDual, protocol.LayoutGPTUEFI} {
		for _, class := range Classes {
			plan, err := NewPlan(layout, class, 512)
			if err != nil {
				t.Fatal(err)
			}
			for _, size := range []int64{class, class + 777*mib + 5*512} {
				marks := probesOf(size)
				for i, at := range marks {
					if at%Alignment != 0 || (i > 0 && at <= marks[i-1]) {
						t.Errorf("%s %d: mark %d at %d", layout, size, i, at)
					}
					for _, e := range plan.wiped(size) {
						if at < e.End() && e.Offset < at+Alignment {
							t.Errorf("%s %d: the mark at %d lies in the wiped bytes at %d", layout, size, at, e.Offset)
						}
					}
				}
				if last := marks[len(marks)-1]; last < size-3*mib || last+Alignment > size {
					t.Errorf("%s %d: the last mark is at %d", layout, size, last)
				}
			}
		}
	}
}
