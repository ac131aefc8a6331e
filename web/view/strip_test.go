package view

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
)

// What happened at the same time on two sticks stands at the same place; what
// runs ends now, and goes on for as long as its rate says.
func TestStripsOf(t *testing.T) {
	t.Parallel()
	at := func(seconds int) *time.Time { x := uiTime.Add(time.Duration(seconds) * time.Second); return &x }
	j := api.Job{Kind: protocol.JobPress, Builds: []api.Build{
		{
			ID: "a", State: "running", Identity: protocol.Identity{Port: "1-1"}, PortLabel: "7",
			Steps: []api.BuildStep{
				{Step: protocol.StepPreflight, BegunAt: at(0), DoneAt: at(4)},
				{Step: protocol.StepWrite, BegunAt: at(4)},
				{Step: protocol.StepVerify},
			},
			Progress: &api.Progress{Step: protocol.StepWrite, Done: 100, Total: 400, Rate: 10},
		},
		{
			ID: "b", State: "failed", Identity: protocol.Identity{Port: "1-2"}, EndedAt: at(9),
			Steps: []api.BuildStep{{Step: protocol.StepPreflight, BegunAt: at(2)}, {Step: protocol.StepWrite}},
		},
		{ID: "c", State: "queued", Identity: protocol.Identity{Port: "1-3"}, Steps: []api.BuildStep{{Step: protocol.StepPreflight}}},
		{ // pulled out when the next step was about to begin
			ID: "d", State: "failed", Holder: "Ada", Identity: protocol.Identity{Port: "1-4"}, EndedAt: at(9), Step: protocol.StepMaster,
			Steps: []api.BuildStep{{Step: protocol.StepPreflight, BegunAt: at(0), DoneAt: at(2)}, {Step: protocol.StepMaster, BegunAt: at(2), DoneAt: at(8)}, {Step: protocol.StepWrite}},
		},
	}}
	all := StripsOf(Frame{}, j, *at(20))
	second := time.Second
	want := [][]StripStep{
		{{"Check", "done", 0, 4 * second}, {"Write", "running", 4 * second, 20 * second}, {"Write", "expected", 20 * second, 50 * second}},
		{{"Check", "failed", 2 * second, 9 * second}},
		nil,
		{{"Check", "done", 0, 2 * second}, {"Prepare", "failed", 2 * second, 8 * second}},
	}
	for i, line := range all.Lines {
		if d := cmp.Diff(want[i], line.Steps); d != "" {
			t.Errorf("line %d (-want +got):\n%s", i, d)
		}
	}
	if all.Span != 50*second || all.Lines[0].Took != "0:20" || all.Lines[1].Took != "0:07" || all.Lines[2].Took != "" || all.Lines[0].Port != "7" {
		t.Errorf("%+v", all)
	}
	if all.Lines[3].Name != "Ada" {
		t.Errorf("of a stick for somebody it says %q", all.Lines[3].Name)
	}
	if said := all.Lines[1].said(Frame{}); said != "Check: failed, 0:07" {
		t.Errorf("the failed one says %q", said)
	}
}

// What stands in a segment fits into it; what went wrong is told by more than a
// colour, however narrow it is.
func TestStripTexts(t *testing.T) {
	t.Parallel()
	second := time.Second
	for _, x := range []struct {
		step         StripStep
		wide, narrow string
	}{
		{StripStep{"Write", "done", 0, 74 * second}, "Write 1:14", "Write 1:14"},
		{StripStep{"Verify", "done", 0, 40 * second}, "Verify 0:40", "Verify"},
		{StripStep{"Get image", "done", 0, 21 * second}, "0:21", ""},
		{StripStep{"验证", "done", 0, 21 * second}, "验证", ""},
		{StripStep{"Write", "expected", 0, 40 * second}, "+0:40", "+0:40"},
		{StripStep{"Verify", "failed", 0, 12 * second}, "✗", "✗"},
		{StripStep{"Write", "cancelled", 0, 12 * second}, "–", "–"},
	} {
		if wide, narrow := x.step.text(200*second, stripWide), x.step.text(200*second, stripNarrow); wide != x.wide || narrow != x.narrow {
			t.Errorf("%s of %v says %q, and %q where it is narrow", x.step.Name, x.step.End, wide, narrow)
		}
	}
}

// The axis names few times, round ones, and none where it ends.
func TestStripTicks(t *testing.T) {
	t.Parallel()
	for span, want := range map[time.Duration]string{
		10 * time.Second:                "[2s 4s 6s 8s]",
		50 * time.Second:                "[10s 20s 30s 40s]",
		3*time.Minute + 20*time.Second:  "[1m0s 2m0s]",
		26 * time.Hour:                  "[6h0m0s 12h0m0s 18h0m0s]",
		11*time.Minute + 40*time.Second: "[5m0s]",
	} {
		if got := fmt.Sprint(Strips{Span: span}.ticks()); got != want {
			t.Errorf("%v: %s, want %s", span, got, want)
		}
	}
}
