package hub_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
)

func TestEnroll(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, url := serve(t, f.Console)
	e, err := f.CreateEnrolment(t.Context(), f.Admin, api.CreateEnrolmentInput{})
	if err != nil {
		t.Fatal(err)
	}
	public, _, _ := ed25519.GenerateKey(nil)
	in := protocol.EnrollRequest{Token: e.Token, Name: "bench", PublicKey: public[:31]}
	var no protocol.Reject
	if s := post(t, url+protocol.PathEnroll, in, &no); s != 422 || no.Fault.Code != "host_key_invalid" {
		t.Errorf("a short key: %d %v", s, no.Fault)
	}
	in.PublicKey = public
	var yes protocol.EnrollResponse
	if s := post(t, url+protocol.PathEnroll, in, &yes); s != http.StatusCreated || yes.HostID == "" || len(yes.ServerKey) != ed25519.PublicKeySize {
		t.Fatalf("enrolment: %d %+v", s, yes)
	}
	if s := post(t, url+protocol.PathEnroll, in, &no); s != http.StatusUnauthorized || no.Fault.Code != "token_invalid" {
		t.Errorf("the token again: %d %v", s, no.Fault)
	}
	in.Name = strings.Repeat("x", 20<<10)
	if s := post(t, url+protocol.PathEnroll, in, &no); s != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of 20 KiB: %d", s)
	}
}

// TestJob takes a job the whole way: assigned after it was queued, sent again
// to a host that lost it, reported, verified.
func TestJob(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, url := serve(t, f.Console)
	f.Publish(t, "win11-ent", "1.0.0")
	host := f.Enroll(t, "bench")
	d := apitest.Stick("a")

	a := connect(t, url, host)
	a.resume()
	a.send(&protocol.Inventory{Devices: []protocol.Device{d}, CacheLimit: 7})
	waitHost(t, f, "bench", func(h *api.Host) bool { return h.Online && len(h.Devices) == 1 && h.CacheLimit == 7 })
	order := apitest.Order("win11-ent", "bench", d)
	order.Variables = map[string]string{"computer_name": "PC-77"}
	job, err := f.QueueJob(t.Context(), f.Helpdesk, order)
	if err != nil {
		t.Fatal(err)
	}
	assign := want[*protocol.Assign](a)
	if assign.JobID != job.ID || len(assign.Builds) != 1 || assign.Builds[0].Identity != d.Identity || assign.Builds[0].Attempt != 1 {
		t.Fatalf("assigned %+v", assign)
	}
	if assign.Recipe.Layout != protocol.LayoutMBRDual || assign.Recipe.Edition != 1 || assign.Image.Name != "win11-ent" {
		t.Errorf("recipe %+v, image %+v", assign.Recipe, assign.Image)
	}
	if !strings.Contains(assign.Builds[0].AnswerFile, "PC-77") {
		t.Errorf("answer file lacks the computer's name: %s", assign.Builds[0].AnswerFile)
	}
	checkBlob(t, url, assign)

	// The host dies with the assignment and comes back without it.
	_ = a.ws.Close()
	a = connect(t, url, host)
	a.resume()
	again := want[*protocol.Assign](a)
	if again.Builds[0].BuildID != assign.Builds[0].BuildID || again.Builds[0].Attempt != 1 {
		t.Fatalf("sent again: %+v, want attempt 1 of the same build", again.Builds[0])
	}
	b := again.Builds[0]

	a.send(&protocol.Events{Events: []protocol.Event{event(b, 1, protocol.EventAccepted), event(b, 2, protocol.EventTouched)}})
	if ack := want[*protocol.Ack](a); ack.HostSeq != 2 {
		t.Errorf("acknowledged up to %d, want 2", ack.HostSeq)
	}
	// Doubled ones are ignored, what comes after a gap waits.
	a.send(&protocol.Events{Events: []protocol.Event{event(b, 1, protocol.EventAccepted), event(b, 2, protocol.EventTouched), event(b, 4, protocol.EventVerified)}})
	if ack := want[*protocol.Ack](a); ack.HostSeq != 2 {
		t.Errorf("acknowledged up to %d after a gap, want 2", ack.HostSeq)
	}
	progress := protocol.AttemptProgress{AttemptRef: protocol.AttemptRef{BuildID: b.BuildID, Attempt: 1}, Step: protocol.StepWrite, Done: 5, Total: 10, Rate: 2}
	a.send(&protocol.Progress{Attempts: []protocol.AttemptProgress{progress}})
	waitJob(t, f.Console, f.Viewer, job.ID, func(j *api.Job) bool {
		p := j.Builds[0].Progress
		return j.State == "running" && p != nil && p.Done == 5 && p.Step == protocol.StepWrite
	})
	a.send(&protocol.Refresh{JobID: job.ID})
	if ticket := want[*protocol.Ticket](a); ticket.JobID != job.ID || ticket.Ticket == "" {
		t.Errorf("ticket %+v", ticket)
	}
	// A resume that names it acknowledges it and does not assign it again.
	a.resume(protocol.AttemptState{AttemptRef: progress.AttemptRef, HostSeq: 4})
	if ack := want[*protocol.Ack](a); ack.HostSeq != 2 {
		t.Errorf("resumed at %d, want 2", ack.HostSeq)
	}
	a.send(&protocol.Events{Events: []protocol.Event{event(b, 3, protocol.EventLog), event(b, 4, protocol.EventVerified)}})
	if ack := want[*protocol.Ack](a); ack.HostSeq != 4 {
		t.Errorf("acknowledged up to %d, want 4", ack.HostSeq)
	}
	done := waitJob(t, f.Console, f.Viewer, job.ID, func(j *api.Job) bool { return j.Ended() })
	if done.State != "succeeded" || done.Builds[0].Result == nil || done.Builds[0].Result.BytesWritten != 10 {
		t.Errorf("job is %s, build %+v", done.State, done.Builds[0])
	}
	stick, err := f.GetStick(t.Context(), f.Viewer, b.StickID)
	if err != nil || stick.State != "verified" || stick.Version != "1.0.0" || stick.ImageName != "win11-ent" {
		t.Errorf("stick is %+v (%v)", stick, err)
	}
	for _, m := range a.pending {
		if _, ok := m.(*protocol.Assign); ok {
			t.Error("the work was assigned twice on one connection")
		}
	}
}

// checkBlob downloads the image with the ticket, whole and in part.
func checkBlob(t *testing.T, url string, a *protocol.Assign) {
	t.Helper()
	get := func(path, ticket, span string) (int, []byte) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+ticket)
		if span != "" {
			req.Header.Set("Range", span)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, raw
	}
	whole := apitest.WIM(t)
	if s, raw := get(protocol.PathBlob+a.Image.SHA256, a.Ticket, ""); s != http.StatusOK || !bytes.Equal(raw, whole) {
		t.Errorf("the blob: status %d, %d bytes, want %d", s, len(raw), len(whole))
	}
	if s, raw := get(protocol.PathBlob+a.Image.SHA256, a.Ticket, "bytes=100-"); s != http.StatusPartialContent || !bytes.Equal(raw, whole[100:]) {
		t.Errorf("the blob from byte 100: status %d, %d bytes", s, len(raw))
	}
	if s, raw := get(protocol.PathBlocks+a.Image.SHA256, a.Ticket, ""); s != http.StatusOK || !strings.Contains(string(raw), a.Image.SHA256) {
		t.Errorf("the blob's record: status %d, %s", s, raw)
	}
	for _, bad := range []string{"", "x.y", a.Ticket + "A", "A" + a.Ticket} {
		if s, _ := get(protocol.PathBlob+a.Image.SHA256, bad, ""); s != http.StatusUnauthorized {
			t.Errorf("ticket %q: status %d, want 401", bad, s)
		}
	}
	if s, _ := get(protocol.PathBlob+strings.Repeat("0", 64), a.Ticket, ""); s != http.StatusUnauthorized {
		t.Errorf("another blob with this ticket: status %d, want 401", s)
	}
}

func TestCancelIsDelivered(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, url := serve(t, f.Console)
	a, job, b := running(t, f, url)
	if _, err := f.CancelJob(t.Context(), f.Helpdesk, job.ID); err != nil {
		t.Fatal(err)
	}
	c := want[*protocol.Cancel](a)
	if c.Fenced || len(c.Attempts) != 1 || c.Attempts[0].BuildID != b.BuildID {
		t.Fatalf("told to cancel %+v", c)
	}
	a.send(&protocol.Events{Events: []protocol.Event{event(b, 2, protocol.EventCancelled)}})
	done := waitJob(t, f.Console, f.Viewer, job.ID, func(j *api.Job) bool { return j.Ended() })
	if done.State != "cancelled" {
		t.Errorf("job is %s, want cancelled", done.State)
	}
}

func TestRevokedInMidConnection(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, url := serve(t, f.Console)
	a, job, _ := running(t, f, url)
	host, err := f.GetHost(t.Context(), f.Admin, "bench")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.RevokeHost(t.Context(), f.Admin, api.ChangeHostInput{ID: host.ID, Revision: host.Revision, Reason: "stolen"}); err != nil {
		t.Fatal(err)
	}
	want[*protocol.Revoked](a)
	a.wantEnd()
	done := waitJob(t, f.Console, f.Viewer, job.ID, func(j *api.Job) bool { return j.Ended() })
	if done.State != "failed" || done.Builds[0].Fault.Code != "host_lost" || !done.Builds[0].Fault.Touched {
		t.Errorf("job is %s, fault %v", done.State, done.Builds[0].Fault)
	}
}

func TestDeclaredLost(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, url := serve(t, f.Console)
	host, a, job, b := runningOn(t, f, url, "bench")
	if _, err := f.DeclareHostLost(t.Context(), f.Admin, api.ChangeHostInput{ID: host.ID}); err != nil {
		t.Fatal(err)
	}
	a.wantEnd() // its session is old
	waitJob(t, f.Console, f.Viewer, job.ID, func(j *api.Job) bool { return j.State == "failed" })
	// It is back, and goes on as if nothing had been.
	a = connect(t, url, host)
	a.resume(protocol.AttemptState{AttemptRef: protocol.AttemptRef{BuildID: b.BuildID, Attempt: 1}, HostSeq: 2})
	if c := want[*protocol.Cancel](a); !c.Fenced || len(c.Attempts) != 1 {
		t.Errorf("told %+v, want the attempt fenced", c)
	}
	a.send(&protocol.Events{Events: []protocol.Event{event(b, 2, protocol.EventVerified)}})
	if ack := want[*protocol.Ack](a); ack.HostSeq != 1 {
		t.Errorf("resumed at %d, want 1", ack.HostSeq)
	}
	if ack := want[*protocol.Ack](a); ack.HostSeq != 2 {
		t.Errorf("acknowledged up to %d, want 2", ack.HostSeq)
	}
	j, err := f.GetJob(t.Context(), f.Viewer, job.ID)
	if err != nil || j.State != "failed" {
		t.Errorf("job is %s (%v), want it failed still", j.State, err)
	}
}

// TestForgotten: a host whose disk was replaced holds nothing of what it began.
func TestForgotten(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, url := serve(t, f.Console)
	host, a, job, _ := runningOn(t, f, url, "bench")
	_ = a.ws.Close()
	a = connect(t, url, host)
	a.resume()
	done := waitJob(t, f.Console, f.Viewer, job.ID, func(j *api.Job) bool { return j.Ended() })
	if done.State != "failed" || done.Builds[0].Fault.Code != api.CodeAttemptForgotten {
		t.Errorf("job is %s, fault %v", done.State, done.Builds[0].Fault)
	}
}

func TestOlderSession(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, url := serve(t, f.Console)
	// Two replicas: the newer socket is on another one, which cannot close the older.
	second, _ := f.Replica(t)
	_, secondURL := serve(t, second)
	host, old, job, b := runningOn(t, f, url, "bench")
	between, err := f.HostConnected(t.Context(), host.Hello())
	if err != nil {
		t.Fatal(err)
	}
	fresh := connect(t, secondURL, host)
	if fresh.welcome.Session <= old.welcome.Session {
		t.Errorf("sessions %d, then %d", old.welcome.Session, fresh.welcome.Session)
	}
	old.wantEnd()
	stale := fault.New(fault.KindConflict, api.CodeSessionStale)
	if _, err := f.HostEvents(t.Context(), between, []protocol.Event{event(b, 2, protocol.EventVerified)}); !errors.Is(err, stale) {
		t.Errorf("an event of the older session: %v, want session_stale", err)
	}
	if _, err := f.HostWork(t.Context(), between); !errors.Is(err, stale) {
		t.Errorf("work for the older session: %v, want session_stale", err)
	}
	if err := f.HostInventory(t.Context(), between, &protocol.Inventory{}); !errors.Is(err, stale) {
		t.Errorf("an inventory of the older session: %v, want session_stale", err)
	}
	fresh.resume(protocol.AttemptState{AttemptRef: protocol.AttemptRef{BuildID: b.BuildID, Attempt: 1}, HostSeq: 2})
	fresh.send(&protocol.Events{Events: []protocol.Event{event(b, 2, protocol.EventVerified)}})
	done := waitJob(t, f.Console, f.Viewer, job.ID, func(j *api.Job) bool { return j.Ended() })
	if done.State != "succeeded" {
		t.Errorf("job is %s", done.State)
	}
}

// TestTwoReplicas: an agent on replica A gets the job that was posted to
// replica B, and B's page shows A's progress.
func TestTwoReplicas(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, url := serve(t, f.Console)
	f.Publish(t, "win11-ent", "1.0.0")
	other, _ := f.Replica(t)
	host := f.Enroll(t, "bench")
	d := apitest.Stick("a")
	a := connect(t, url, host)
	a.resume()
	a.send(&protocol.Inventory{Devices: []protocol.Device{d}})
	waitHost(t, f, "bench", func(h *api.Host) bool { return len(h.Devices) == 1 })
	job, err := other.QueueJob(t.Context(), f.Helpdesk, apitest.Order("win11-ent", "bench", d))
	if err != nil {
		t.Fatal(err)
	}
	b := want[*protocol.Assign](a).Builds[0]
	a.send(&protocol.Events{Events: []protocol.Event{event(b, 1, protocol.EventAccepted)}})
	a.send(&protocol.Progress{Attempts: []protocol.AttemptProgress{{
		AttemptRef: protocol.AttemptRef{BuildID: b.BuildID, Attempt: 1}, Step: protocol.StepMaster, Done: 3, Total: 9,
	}}})
	waitJob(t, other, f.Viewer, job.ID, func(j *api.Job) bool {
		return j.Builds[0].Progress != nil && j.Builds[0].Progress.Done == 3
	})
	if _, err := other.CancelJob(t.Context(), f.Helpdesk, job.ID); err != nil {
		t.Fatal(err)
	}
	want[*protocol.Cancel](a)
	if _, err := other.RevokeHost(t.Context(), f.Admin, api.ChangeHostInput{ID: host.ID}); err != nil {
		t.Fatal(err)
	}
	want[*protocol.Revoked](a)
	a.wantEnd()
}

func TestDrain(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	h, url := serve(t, f.Console)
	host, a, _, _ := runningOn(t, f, url, "bench")
	drained := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		defer close(drained)
		h.Drain(ctx)
	}()
	if m := want[*protocol.Drain](a); m.WithinMS != 1 {
		t.Errorf("told to be gone within %d ms, want 1", m.WithinMS)
	}
	// No new work, and no new sockets.
	d := apitest.Stick("b")
	a.send(&protocol.Inventory{Devices: []protocol.Device{apitest.Stick("a"), d}})
	waitHost(t, f, "bench", func(h *api.Host) bool { return len(h.Devices) == 2 })
	if _, err := f.QueueJob(t.Context(), f.Helpdesk, apitest.Order("win11-ent", "bench", d)); err != nil {
		t.Fatal(err)
	}
	ws, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(url, "http")+protocol.PathSocket, nil)
	if err == nil {
		_ = ws.Close()
		t.Error("a draining hub took a socket")
	} else {
		_ = resp.Body.Close()
	}
	_ = a.ws.Close()
	<-drained
	if ctx.Err() != nil || h.Online() != 0 {
		t.Errorf("drained with %d hosts online, %v", h.Online(), ctx.Err())
	}
	for m := range a.got {
		if _, ok := m.(*protocol.Assign); ok {
			t.Error("a draining hub gave work")
		}
	}
	// Elsewhere the work goes on.
	second, _ := f.Replica(t)
	_, secondURL := serve(t, second)
	a = connect(t, secondURL, host)
	a.resume()
	want[*protocol.Assign](a)
}
