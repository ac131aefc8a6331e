package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/store/blob"
)

// TestWatchJob: a reader that is slow gets every event once, in order, and the
// end last.
func TestWatchJob(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	d := apitest.Stick("a")
	_, s := f.Connect(t, "bench", d)
	job := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, apitest.Order("win11-ent", "bench", d)))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	updates := must[<-chan api.JobUpdate](t)(f.WatchJob(ctx, f.Viewer, job.ID, 0))
	first := <-updates
	if first.Job.State != "queued" || len(first.Events) != 1 {
		t.Fatalf("the snapshot is %s with %d events", first.Job.State, len(first.Events))
	}
	b := must[api.HostWork](t)(f.HostClaim(ctx, s)).Assigns[0].Builds[0]
	ref := protocol.AttemptRef{BuildID: b.BuildID, Attempt: b.Attempt}
	seq := int64(0)
	report := func(events ...protocol.Event) {
		t.Helper()
		for i := range events {
			seq++
			events[i].AttemptRef, events[i].HostSeq = ref, seq
		}
		must[api.HostWork](t)(f.HostEvents(ctx, s, events))
	}
	report(protocol.Event{Type: protocol.EventAccepted}, protocol.Event{Type: protocol.EventStepBegun, Step: protocol.StepFetch})
	for i := range 250 { // more than one page of events
		report(protocol.Event{Type: protocol.EventLog, Log: &protocol.LogLine{Level: "info", Text: fmt.Sprint(i)}})
	}
	report(protocol.Event{Type: protocol.EventStepDone, Step: protocol.StepFetch},
		protocol.Event{Type: protocol.EventFailed, Fault: protocol.NewFault(protocol.FaultEdition, "edition", 9)})

	next, updatesSeen := int64(2), 0
	var last api.Job
	for u := range updates {
		updatesSeen++
		for _, e := range u.Events {
			if e.Seq != next {
				t.Fatalf("event %d came where %d was to come", e.Seq, next)
			}
			next++
		}
		last = u.Job
	}
	if last.State != "failed" || last.LastSeq != next-1 || last.Builds[0].Fault.Code != protocol.FaultEdition {
		t.Errorf("the last update shows %s at %d after event %d, fault %v", last.State, last.LastSeq, next-1, last.Builds[0].Fault)
	}
	if updatesSeen > 20 {
		t.Errorf("%d updates for one burst: they are not coalesced", updatesSeen)
	}
	fetch := last.Builds[0].Steps[1]
	if fetch.Step != protocol.StepFetch || fetch.BegunAt == nil || fetch.DoneAt == nil || last.Builds[0].Steps[2].BegunAt != nil {
		t.Errorf("steps are %+v", last.Builds[0].Steps)
	}
	whole := must[api.Job](t)(f.GetJob(t.Context(), f.Viewer, job.ID))
	if whole.Builds[0].Steps[1].DoneAt == nil || !whole.Builds[0].Steps[1].DoneAt.Equal(*fetch.DoneAt) {
		t.Errorf("GetJob has steps %+v", whole.Builds[0].Steps)
	}
	// From the middle on: only what comes after.
	tail := <-must[<-chan api.JobUpdate](t)(f.WatchJob(ctx, f.Viewer, job.ID, next-2))
	if len(tail.Events) != 1 || tail.Events[0].Seq != next-1 {
		t.Errorf("after event %d came %+v", next-2, tail.Events)
	}
	o := must[api.Overview](t)(f.GetOverview(t.Context(), f.Viewer))
	if o.HostsOnline != 1 || len(o.Failures) != 1 || o.Failures[0].Port != "a" || o.Failures[0].HostName != "bench" || len(o.Running) != 0 {
		t.Errorf("overview is %+v", o)
	}
}

func TestWatchOverview(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	d := apitest.Stick("a")
	f.Connect(t, "bench", d)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	updates := must[<-chan api.Overview](t)(f.WatchOverview(ctx, f.Viewer))
	if o := <-updates; len(o.Running) != 0 {
		t.Errorf("overview is %+v, want nothing running", o)
	}
	must[api.Job](t)(f.QueueJob(ctx, f.Helpdesk, apitest.Order("win11-ent", "bench", d)))
	for o := range updates {
		if len(o.Running) == 1 && o.JobsQueued == 1 {
			return
		}
	}
	t.Fatal("the overview never showed the job")
}

// Open streams must not hold up the end of the program.
func TestWatchersEndWithRun(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	d := apitest.Stick("a")
	f.Connect(t, "bench", d)
	job := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, apitest.Order("win11-ent", "bench", d)))
	c, err := api.New(api.Deps{Store: f.Store, Blobs: f.Blobs, Staging: f.Staging, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	jobs := must[<-chan api.JobUpdate](t)(c.WatchJob(t.Context(), f.Viewer, job.ID, 0))
	overviews := must[<-chan api.Overview](t)(c.WatchOverview(t.Context(), f.Viewer))
	<-jobs
	<-overviews
	stopped, stop := context.WithCancel(t.Context())
	stop()
	_ = c.Run(stopped) // it ends with ctx
	for range jobs {   // what was on its way, then the end
	}
	for range overviews {
	}
}

func TestTicketExpires(t *testing.T) {
	t.Parallel()
	clock := make(chan time.Time, 1)
	clock <- time.Now()
	now := func() time.Time {
		at := <-clock
		clock <- at
		return at
	}
	f := apitest.New(t, func(d *api.Deps) { d.Clock, d.TicketLifetime = now, time.Minute })
	f.Publish(t, "win11-ent", "1.0.0")
	d := apitest.Stick("a")
	host, s := f.Connect(t, "bench", d)
	must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, apitest.Order("win11-ent", "bench", d)))
	a := must[api.HostWork](t)(f.HostClaim(t.Context(), s)).Assigns[0]
	open := func(ticket string) error {
		r, err := f.HostBlob(t.Context(), ticket, a.Image.SHA256)
		if err == nil {
			_ = r.Close()
		}
		return err
	}
	if err := open(a.Ticket); err != nil {
		t.Fatal(err)
	}
	at := <-clock
	clock <- at.Add(2 * time.Minute)
	wantFault(t, open(a.Ticket), api.CodeTicketInvalid)
	fresh := must[protocol.Ticket](t)(f.HostTicket(t.Context(), s, a.JobID))
	if err := open(fresh.Ticket); err != nil {
		t.Fatal(err)
	}
	_, other := f.Connect(t, "other")
	_, err := f.HostTicket(t.Context(), other, a.JobID)
	wantFault(t, err, "job_not_found")
	// A download that has begun ends too.
	begun := must[blob.Reader](t)(f.HostBlob(t.Context(), fresh.Ticket, a.Image.SHA256))
	defer func() { _ = begun.Close() }()
	must[int](t)(begun.Read(make([]byte, 10)))
	must[api.Host](t)(f.RevokeHost(t.Context(), f.Admin, api.ChangeHostInput{ID: host.ID}))
	wantFault(t, open(fresh.Ticket), api.CodeHostRevoked)
	at = <-clock
	clock <- at.Add(time.Minute / 2)
	_, err = begun.Read(make([]byte, 10))
	wantFault(t, err, api.CodeHostRevoked)
}
