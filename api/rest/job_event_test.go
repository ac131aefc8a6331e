package rest_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/rest"
	"github.com/stickpress/stickpress/api/rest/resttest"
)

// open opens the stream of a job and returns a function that reads the next
// event: its ID and data, or false at the end.
func open(t *testing.T, s *resttest.Server, id, last string) func() (string, api.JobUpdate, bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+rest.Prefix+"/jobs/"+id+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Token(viewer))
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || kind != "text/event-stream" {
		t.Fatalf("status %d, %s", resp.StatusCode, kind)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	return func() (event string, u api.JobUpdate, ok bool) {
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				event = value
			case "data":
				if err := json.Unmarshal([]byte(value), &u); err != nil {
					t.Fatal(err)
				}
				ok = true
			case "":
				if ok {
					return event, u, true
				}
			}
		}
		return "", u, false
	}
}

// A stream begins with a snapshot, tells what happens, and ends with the job;
// a reader that comes back gets what it missed.
func TestWatchJob(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	s.Publish(t, "win11-ent", "1.0.0")
	stick := apitest.Stick("a.img")
	_, session := s.Connect(t, "bench", stick)
	job, err := s.QueueJob(t.Context(), s.Helpdesk, apitest.Order("win11-ent", "bench", stick))
	if err != nil {
		t.Fatal(err)
	}
	next := open(t, s, job.ID, "")
	id, u, ok := next()
	if !ok || id != "1" || u.Job.State != "queued" || len(u.Events) != 1 {
		t.Fatalf("the snapshot is %s %+v %v", id, u, ok)
	}

	work, err := s.HostClaim(t.Context(), session)
	if err != nil || len(work.Assigns) != 1 {
		t.Fatalf("work is %+v, %v", work, err)
	}
	b := work.Assigns[0].Builds[0]
	ref := protocol.AttemptRef{BuildID: b.BuildID, Attempt: b.Attempt}
	report := func(seq int64, e protocol.Event) {
		t.Helper()
		e.AttemptRef, e.HostSeq = ref, seq
		if _, err := s.HostEvents(t.Context(), session, []protocol.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
	report(1, protocol.Event{Type: protocol.EventAccepted})
	report(2, protocol.Event{Type: protocol.EventStepBegun, Step: protocol.StepPreflight})
	var seqs []int64
	for u.Job.LastSeq < 4 || len(seqs) == 0 {
		if id, u, ok = next(); !ok {
			t.Fatal("the stream ended before the job")
		}
		for _, e := range u.Events {
			seqs = append(seqs, e.Seq)
		}
	}
	seen := id
	report(3, protocol.Event{Type: protocol.EventFailed, Fault: protocol.NewFault(protocol.FaultDeviceGone, "port", "a.img")})
	for ok {
		if _, u, ok = next(); ok {
			for _, e := range u.Events {
				seqs = append(seqs, e.Seq)
			}
			if u.Job.State == "failed" && u.Job.Builds[0].Fault.Code != protocol.FaultDeviceGone {
				t.Errorf("build is %+v", u.Job.Builds[0])
			}
		}
	}
	for i, seq := range seqs {
		if seq != int64(i)+2 {
			t.Fatalf("events %v, want 2 and on without a gap", seqs)
		}
	}

	// Back again, with what was seen last.
	_, u, ok = open(t, s, job.ID, seen)()
	last, _ := strconv.ParseInt(seen, 10, 64)
	if !ok || u.Job.State != "failed" || len(u.Events) == 0 || u.Events[0].Seq != last+1 {
		t.Errorf("after %s comes %+v", seen, u)
	}
}

// A stream ends with its token.
func TestStreamEndsWithItsToken(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	s.Publish(t, "win11-ent", "1.0.0")
	stick := apitest.Stick("a.img")
	s.Connect(t, "bench", stick)
	job, err := s.QueueJob(t.Context(), s.Helpdesk, apitest.Order("win11-ent", "bench", stick))
	if err != nil {
		t.Fatal(err)
	}
	next := open(t, s, job.ID, "")
	if _, _, ok := next(); !ok {
		t.Fatal("there is no snapshot")
	}
	if _, err := s.SetUserDisabled(t.Context(), s.Admin, s.Viewer.UserID, true); err != nil {
		t.Fatal(err)
	}
	if _, u, ok := next(); ok {
		t.Fatalf("it goes on with %+v", u)
	}
}
