package api

import (
	"testing"
	"time"
)

func TestInspectionRate(t *testing.T) {
	t.Parallel()
	begun := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	var r inspectionRates
	for _, step := range []struct {
		after time.Duration
		done  int64
		want  int64
	}{
		{0, 0, 0},
		{time.Second, 100e6, 0}, // too soon to tell
		{4 * time.Second, 400e6, 100e6},
		{4 * time.Second, 400e6, 100e6}, // asked twice
		{20 * time.Second, 2000e6, 100e6},
		{40 * time.Second, 2200e6, 50e6}, // since the fourth second
		{70 * time.Second, 2500e6, 10e6}, // slower lately
		{71 * time.Second, 50e6, 0},      // the program was started again
		{76 * time.Second, 300e6, 50e6},
	} {
		if got := r.note("u", step.done, begun.Add(step.after)); got != step.want {
			t.Errorf("after %v, at %d bytes: %d bytes per second, want %d", step.after, step.done, got, step.want)
		}
	}
	if got := r.note("other", 7, begun.Add(time.Hour)); got != 0 || len(r.seen) != 1 {
		t.Errorf("an hour later: rate %d, %d uploads are remembered", got, len(r.seen))
	}
}

func TestInspectionLeft(t *testing.T) {
	t.Parallel()
	in := Inspection{Bytes: 5_000_000_000, DoneBytes: 2_000_000_000, Rate: 100_000_000}
	if got := in.Left(); got != 30*time.Second {
		t.Errorf("%v are left", got)
	}
	u := Upload{Bytes: in.Bytes, InspectedBytes: in.DoneBytes}
	if u.pace(in.Rate); u.InspectRate != in.Rate || u.InspectLeftSeconds != 30 {
		t.Errorf("an upload is inspected with %d bytes per second, %d s are left", u.InspectRate, u.InspectLeftSeconds)
	}
	if u.pace(0); u.InspectRate != 0 || u.InspectLeftSeconds != 0 {
		t.Errorf("an upload whose pace nobody knows: %+v", u)
	}
	in.Rate = 0
	if got := in.Left(); got != 0 {
		t.Errorf("%v are left, at no rate", got)
	}
}
