package view

import (
	"math"
	"testing"
)

func TestNiceMax(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, 2},
		{[]float64{0, 0}, 2},
		{[]float64{math.NaN(), 3.5}, 4},
		{[]float64{1}, 2},
		{[]float64{1.01, 0.5}, 2},
		{[]float64{99}, 100},
		{[]float64{0.041}, 0.05},
		{[]float64{5}, 6},
		{[]float64{10}, 10},
		{[]float64{25}, 30},
		{[]float64{math.Inf(1)}, 2},
	} {
		if got := niceMax(c.values); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("niceMax(%v) = %v, want %v", c.values, got, c.want)
		}
	}
}

func TestLinePath(t *testing.T) {
	t.Parallel()
	gap := math.NaN()
	for _, c := range []struct {
		values     []float64
		line, area string
	}{
		{nil, "", ""},
		{[]float64{gap, gap}, "", ""},
		{[]float64{0, 5, 10}, "M0 100L50 50L100 0", "M0 100L0 100L50 50L100 0L100 100z"},
		{[]float64{10, gap, 5}, "M0 0h.5M100 50h.5", "M0 100L0 0L0 100zM100 100L100 50L100 100z"},
	} {
		line, area := linePath(c.values, 10)
		if line != c.line || area != c.area {
			t.Errorf("linePath(%v) = %q, %q; want %q, %q", c.values, line, area, c.line, c.area)
		}
	}
}

// The parts of a bar lie on each other and end where their sum is.
func TestStackAddsUp(t *testing.T) {
	t.Parallel()
	c := StackChart{
		Series: []Series{{Tone: "good"}, {Tone: "bad"}},
		Labels: []string{"a", "b"}, Values: [][]float64{{3, 1}, {0, 10}},
	}
	if top := c.top(); top != 10 {
		t.Fatalf("the axis ends at %v", top)
	}
	got := c.stack(0, 10)
	if len(got) != 2 || got[0] != (segment{at: 70, size: 30, tone: "good"}) || got[1] != (segment{at: 60, size: 10, tone: "bad"}) {
		t.Errorf("%+v", got)
	}
	if got := c.stack(1, 10); len(got) != 1 || got[0].at != 0 || got[0].size != 100 {
		t.Errorf("%+v", got)
	}
}
