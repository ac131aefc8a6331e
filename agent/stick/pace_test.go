package stick

import (
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

// at writes count chunks of which each takes so long, and reports at which of
// them the stick was found too slow, or -1.
func (p *pace) at(count int, each time.Duration) int {
	for i := range count {
		if !p.wrote(ChunkBytes, each) {
			return i
		}
	}
	return -1
}

func TestPace(t *testing.T) {
	t.Parallel()
	const need = 20 * mib
	fast, slow := 100*time.Millisecond, 400*time.Millisecond // 40 and 10 MiB/s
	t.Run("keeps up", func(t *testing.T) {
		t.Parallel()
		p := pace{need: need}
		if i := p.at(10_000, fast); i >= 0 || p.lowest < 39*mib || p.lowest > 40*mib {
			t.Errorf("too slow at %d, lowest %d", i, p.lowest)
		}
	})
	t.Run("slow from the start", func(t *testing.T) {
		t.Parallel()
		// Ten seconds to get warm, ten more to be judged by.
		if p := (pace{need: need}); p.at(1000, slow) != 49 {
			t.Errorf("%+v", p)
		}
	})
	t.Run("fast until its cache is full", func(t *testing.T) {
		t.Parallel()
		p := pace{need: need}
		if i := p.at(64+200, fast); i >= 0 {
			t.Fatalf("too slow at %d while it was fast", i)
		}
		// The window holds fast ones at first: 100 MiB of 5 seconds and 100 of 10.
		if i := p.at(1000, slow); i < 15 || i > 26 {
			t.Errorf("too slow at %d", i)
		}
	})
	t.Run("pauses now and then", func(t *testing.T) {
		t.Parallel()
		p := pace{need: need}
		for range 40 {
			if i := p.at(80, fast) + p.at(1, 3*time.Second); i != -2 {
				t.Fatalf("a pause of three seconds in eight is too slow: %+v", p)
			}
		}
	})
	t.Run("too little to tell", func(t *testing.T) {
		t.Parallel()
		if p := (pace{need: need}); p.at(40, slow) >= 0 || p.lowest != 0 {
			t.Errorf("%+v", p)
		}
	})
}

// A stick that gets slow in the middle of its content ends there, unless an
// admin let that pass.
func TestTooSlowInTheMiddle(t *testing.T) {
	t.Parallel()
	m := newMaster(t, protocol.LayoutMBRDual)
	run := func(waived ...string) (Outcome, *reporter) {
		target, _, r := newTarget(t, protocol.LayoutMBRDual, "stick")
		target.Demands = Demands{WriteRate: 20 * mib, Waived: waived}
		now := time.Unix(1_700_000_000, 0)
		target.Now = func() time.Time {
			if r.step == protocol.StepWrite && r.total > 0 { // content is written
				now = now.Add(11 * time.Second)
			}
			return now
		}
		return Press(t.Context(), m, []Target{target})[0], r
	}
	o, r := run()
	if f := protocol.AsFault(o.Err); f == nil || f.Code != protocol.FaultTooSlow || !f.Touched {
		t.Errorf("%v", o.Err)
	}
	if c := r.check(protocol.CheckSustained); c.Verdict != protocol.VerdictRefused || c.Params["lowest_rate"] == "" {
		t.Errorf("%+v", c)
	}
	o, r = run(protocol.FaultTooSlow)
	if c := r.check(protocol.CheckSustained); o.Err != nil || c.Verdict != protocol.VerdictOverridden {
		t.Errorf("%v, %+v", o.Err, c)
	}
}
