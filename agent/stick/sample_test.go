package stick

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
)

// paced gives a target a clock of its own, on which every write takes as long
// as at bytes per second it would, and tick more.
func timedTarget(t *testing.T, rate int64, tick time.Duration) (Target, *sticktest.Device, *reporter) {
	t.Helper()
	target, d, r := newTarget(t, protocol.LayoutMBRDual, "stick")
	now := time.Unix(1_700_000_000, 0)
	target.Now = func() time.Time { return now }
	d.Before = func(op sticktest.Op, _ int, _, length int64) error {
		if op == sticktest.Write || op == sticktest.Read {
			now = now.Add(tick + time.Duration(float64(length)/float64(rate)*float64(time.Second)))
		}
		return nil
	}
	return target, d, r
}

func TestDemands(t *testing.T) {
	t.Parallel()
	m := newMaster(t, protocol.LayoutMBRDual)
	for name, c := range map[string]struct {
		demands Demands
		tick    time.Duration
		fault   string
		check   protocol.CheckName
		verdict protocol.Verdict
	}{
		"nothing demanded":  {Demands{}, time.Second, "", protocol.CheckRandomIO, protocol.VerdictOK},
		"fast enough":       {Demands{WriteRate: 15 * mib, RandomIOPS: 90}, 10 * time.Millisecond, "", protocol.CheckWriteRate, protocol.VerdictOK},
		"slow stream":       {Demands{WriteRate: 21 * mib}, 0, protocol.FaultTooSlow, protocol.CheckWriteRate, protocol.VerdictRefused},
		"slow small writes": {Demands{RandomIOPS: 90}, 20 * time.Millisecond, protocol.FaultTooSlowRandom, protocol.CheckRandomIO, protocol.VerdictRefused},
		"slow stream, let pass": {
			Demands{WriteRate: 21 * mib, Waived: []string{protocol.FaultTooSlow}}, 0, "", protocol.CheckWriteRate, protocol.VerdictOverridden,
		},
		"slow small writes, let pass": {
			Demands{RandomIOPS: 90, Waived: []string{protocol.FaultTooSlowRandom}}, 20 * time.Millisecond, "", protocol.CheckRandomIO, protocol.VerdictOverridden,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target, d, r := timedTarget(t, 20*mib, c.tick)
			target.Demands = c.demands
			o := Press(t.Context(), m, []Target{target})[0]
			if f := protocol.AsFault(o.Err); (f == nil) != (c.fault == "") || f != nil && (f.Code != c.fault || !f.Touched) {
				t.Errorf("%v, want %q", o.Err, c.fault)
			}
			if got := r.check(c.check); got.Verdict != c.verdict {
				t.Errorf("%+v, want %s", got, c.verdict)
			}
			if bootable(d) != (c.fault == "") {
				t.Errorf("has a table: %v", bootable(d))
			}
			if measured := r.check(protocol.CheckWriteRate).Name != ""; measured != (c.demands.WriteRate > 0) {
				t.Errorf("a stream was measured: %v", measured)
			}
		})
	}
}

// What is measured is what the device did: 50 small transfers a second, and
// the stream at its rate, in no more time than it may take.
func TestSampleMeasures(t *testing.T) {
	t.Parallel()
	m := newMaster(t, protocol.LayoutMBRDual)
	target, d, r := timedTarget(t, 8*mib, 20*time.Millisecond)
	target.Demands.WriteRate = 1
	if o := Press(t.Context(), m, []Target{target})[0]; o.Err != nil {
		t.Fatal(o.Err)
	}
	random, stream := r.check(protocol.CheckRandomIO), r.check(protocol.CheckWriteRate)
	between(t, "small writes per second", random.Params["write_iops"], 48, 50)
	between(t, "small reads per second", random.Params["read_iops"], 48, 50)
	between(t, "microseconds of one", random.Params["write_us"], 20_000, 21_000)
	between(t, "bytes per second", stream.Params["write_rate"], 7.5*mib, 8*mib)
	between(t, "bytes", stream.Params["sample_bytes"], 32*mib, 36*mib) // four seconds of 8 MiB
	if !slices.Contains(d.Written(), deviceBytes/8*4/ChunkBytes*ChunkBytes) {
		t.Error("nothing was written in the middle")
	}
}

func between(t *testing.T, what, text string, low, high float64) {
	t.Helper()
	if n, err := strconv.ParseFloat(text, 64); err != nil || n < low || n > high {
		t.Errorf("%s: %q, want %v to %v", what, text, low, high)
	}
}
