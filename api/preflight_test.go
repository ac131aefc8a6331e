package api_test

import (
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
)

// What a host finds out about a stick is a part of the history, and the newest
// of each kind is shown with the build, until another attempt begins.
func TestPreflight(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	d := apitest.Stick("a")
	_, s := f.Connect(t, "bench", d)
	order := apitest.Order("win11-ent", "bench", d)
	order.Overrides = []string{protocol.FaultTooSlow}
	job := must[api.Job](t)(f.QueueJob(t.Context(), f.Admin, order))
	b := must[api.HostWork](t)(f.HostClaim(t.Context(), s)).Assigns[0].Builds[0]
	if len(b.Overrides) != 1 || b.Overrides[0] != protocol.FaultTooSlow {
		t.Errorf("the host is told to let pass: %v", b.Overrides)
	}
	ref := protocol.AttemptRef{BuildID: b.BuildID, Attempt: b.Attempt}
	events := []protocol.Event{
		{Type: protocol.EventAccepted},
		{Type: protocol.EventPreflight, Preflight: &protocol.Preflight{Checks: []protocol.Check{
			protocol.NewCheck(protocol.CheckSectors, protocol.VerdictOK, "sector_size", 512),
			protocol.NewCheck(protocol.CheckCapacity, protocol.VerdictOK, "device_bytes", d.Bytes, "marks", 36),
		}}},
		{Type: protocol.EventPreflight, Preflight: &protocol.Preflight{Checks: []protocol.Check{
			protocol.NewCheck(protocol.CheckCapacity, protocol.VerdictRefused, "device_bytes", d.Bytes, "marks", 36, "offset", 4096),
		}}},
	}
	for i := range events {
		events[i].AttemptRef, events[i].HostSeq = ref, int64(i+1)
	}
	must[api.HostWork](t)(f.HostEvents(t.Context(), s, events))
	checks := must[api.Job](t)(f.GetJob(t.Context(), f.Viewer, job.ID)).Builds[0].Preflight
	if len(checks) != 2 || checks[0].Name != protocol.CheckSectors || checks[1].Verdict != protocol.VerdictRefused || checks[1].Params["offset"] != "4096" {
		t.Errorf("checks %+v", checks)
	}
	history := must[[]api.JobEvent](t)(f.JobEvents(t.Context(), f.Viewer, job.ID, 0))
	if last := history[len(history)-1]; last.Type != "build_preflight" || last.Preflight == nil || len(last.Preflight.Checks) != 1 {
		t.Errorf("the last event is %+v", last)
	}
}
