package web_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/web/webtest"
)

// Whatever a host says, the pages about it can be shown: an agent of another
// version, or one that is broken, must not take the console's pages away.
func TestOddHost(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	s.Publish(t, "win11-ent", "1.0.0")
	a, b, c := apitest.Stick("a"), apitest.Stick("b"), apitest.Stick("c")
	odd := protocol.Device{
		Identity: protocol.Identity{Port: "odd", Bytes: -1, LUN: -1}, Path: "<script>", SectorSize: -7, SpeedMbps: -1,
		Refusals: []*protocol.Fault{{Code: "no such code", Params: map[string]string{"<b>": "</script>"}}},
	}
	zero := protocol.Device{Identity: protocol.Identity{Port: "zero"}}
	_, session := s.Connect(t, "bench", a, b, c, odd, zero)
	nameless := odd
	nameless.Refusals = []*protocol.Fault{nil}
	if err := s.HostInventory(t.Context(), session, &protocol.Inventory{Devices: []protocol.Device{nameless}}); err == nil {
		t.Error("a refusal without a reason was taken")
	}
	for _, d := range []protocol.Device{odd, zero} {
		if _, err := s.QueueJob(t.Context(), s.Helpdesk, apitest.Order("win11-ent", "bench", d)); err == nil {
			t.Errorf("a job for %q was queued", d.Port)
		}
	}
	job, err := s.QueueJob(t.Context(), s.Helpdesk, apitest.Order("win11-ent", "bench", a, b, c))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.HostClaim(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	far := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	report := func(b api.Build, events ...protocol.Event) {
		t.Helper()
		for i := range events {
			events[i].AttemptRef = protocol.AttemptRef{BuildID: b.ID, Attempt: 1}
			events[i].HostSeq, events[i].At = int64(i+1), far
		}
		if _, err := s.HostEvents(t.Context(), session, events); err != nil {
			t.Fatal(err)
		}
	}
	accepted := protocol.Event{Type: protocol.EventAccepted}
	report(job.Builds[0], accepted, protocol.Event{Type: protocol.EventStepBegun, Step: "no such step"},
		protocol.Event{Type: protocol.EventStepDone}, protocol.Event{Type: protocol.EventLog}, protocol.Event{Type: "no such event"},
		protocol.Event{Type: protocol.EventLog, Log: &protocol.LogLine{Level: "no such level", Code: "no such code"}},
		protocol.Event{Type: protocol.EventFailed})
	report(job.Builds[1], accepted, protocol.Event{Type: protocol.EventTouched})
	visitor := signedIn(t, s, string(api.RoleAdmin), "en")
	pages := func() {
		t.Helper()
		for _, path := range []string{
			"/", "/jobs", "/jobs/" + job.ID, "/hosts", "/hosts/" + job.HostID, "/sticks", "/sticks/" + job.Builds[0].StickID,
			"/sticks/" + job.Builds[1].StickID, "/jobs/new?host=" + job.HostID,
		} {
			// Not visitor.get: what the host made up has no sentences.
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, visitor.url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := visitor.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK || strings.Contains(string(raw), "<script>") {
				t.Errorf("%s: status %d, %v\n%s", path, resp.StatusCode, err, raw)
			}
		}
	}
	progress := &protocol.Progress{Attempts: []protocol.AttemptProgress{
		{AttemptRef: protocol.AttemptRef{BuildID: job.Builds[1].ID, Attempt: 1}, Step: "no such step", Done: -5, Total: -9, Rate: -1},
	}}
	if err := s.HostProgress(t.Context(), session, progress); err != nil {
		t.Fatal(err)
	}
	pages()
	report(job.Builds[2], accepted, protocol.Event{Type: protocol.EventVerified})
	if _, err := s.HostEvents(t.Context(), session, []protocol.Event{{
		AttemptRef: protocol.AttemptRef{BuildID: job.Builds[1].ID, Attempt: 1}, HostSeq: 3, Type: protocol.EventCancelled, At: far,
	}}); err != nil {
		t.Fatal(err)
	}
	pages()
}
