package view

import (
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
	}}
	all := StripsOf(Frame{}, j, *at(20))
	second := time.Second
	want := [][]StripStep{
		{{"Check", "done", 0, 4 * second}, {"Write", "running", 4 * second, 20 * second}, {"Write", "expected", 20 * second, 50 * second}},
		{{"Check", "failed", 2 * second, 9 * second}},
		nil,
	}
	for i, line := range all.Lines {
		if d := cmp.Diff(want[i], line.Steps); d != "" {
			t.Errorf("line %d (-want +got):\n%s", i, d)
		}
	}
	if all.Span != 50*second || all.Lines[0].Took != "0:20" || all.Lines[1].Took != "0:07" || all.Lines[2].Took != "" || all.Lines[0].Port != "7" {
		t.Errorf("%+v", all)
	}
	if said := all.Lines[1].said(Frame{}); said != "Check: failed, 0:07" {
		t.Errorf("the failed one says %q", said)
	}
}
