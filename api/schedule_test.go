package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

func TestScheduleJob(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	d := apitest.Stick("a")
	_, session := f.Connect(t, "bench", d)
	in := apitest.Order("win11-ent", "bench", d)
	for code, at := range map[fault.Code]time.Time{
		"schedule_past": f.Store.Now().Add(-time.Hour), "schedule_too_far": f.Store.Now().AddDate(2, 0, 0),
	} {
		in.NotBefore = &at
		_, err := f.QueueJob(t.Context(), f.Helpdesk, in)
		wantFault(t, err, code)
	}
	at := f.Store.Now().Add(time.Hour)
	in.NotBefore = &at
	job := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, in))
	if !job.Scheduled(f.Store.Now()) || job.Scheduled(at) {
		t.Errorf("the job is scheduled: %v at once, %v at its time", job.Scheduled(f.Store.Now()), job.Scheduled(at))
	}
	if w := must[api.HostWork](t)(f.HostClaim(t.Context(), session)); len(w.Assigns) != 0 {
		t.Fatalf("the host was given %+v", w.Assigns)
	}
	_, err := f.ScheduleJob(t.Context(), f.Helpdesk, api.ScheduleJobInput{ID: job.ID, Revision: 99})
	wantFault(t, err, store.CodeStale)
	moved := must[api.Job](t)(f.ScheduleJob(t.Context(), f.Helpdesk, api.ScheduleJobInput{ID: job.ID, Revision: job.Revision}))
	if moved.NotBefore != nil {
		t.Errorf("the job waits until %s", moved.NotBefore)
	}
	audit := must[api.List[api.AuditEntry]](t)(f.ListAudit(t.Context(), f.Admin, api.AuditFilter{ObjectKind: "job", ObjectID: job.ID}, api.Page{}))
	if len(audit.Items) != 2 || audit.Items[0].Action != "schedule_job" {
		t.Errorf("audit is %+v", audit.Items)
	}
	events := must[[]api.JobEvent](t)(f.JobEvents(t.Context(), f.Viewer, job.ID, 0))
	if len(events) != 2 || events[1].Type != "job_rescheduled" || events[1].NotBefore != nil {
		t.Errorf("events are %+v", events)
	}
	if w := must[api.HostWork](t)(f.HostClaim(t.Context(), session)); len(w.Assigns) != 1 {
		t.Errorf("the host was given %+v", w.Assigns)
	}
	_, err = f.ScheduleJob(t.Context(), f.Helpdesk, api.ScheduleJobInput{ID: job.ID})
	wantFault(t, err, store.CodeJobBegun)
}

// called gets a value whenever the host is called, until ctx ends.
func called(ctx context.Context, f *apitest.Fixture, s api.HostSession) <-chan struct{} {
	woken := make(chan struct{}, 1)
	stop := f.OnHost(s, func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	})
	context.AfterFunc(ctx, func() {
		stop()
		close(woken)
	})
	return woken
}

// neverPolls leaves a replica nothing but what it knows of jobs for later.
func neverPolls(d *api.Deps) { d.DuePoll = 24 * time.Hour }

// The replica that has a host's socket is told when work is due, without
// anybody doing anything then.
func TestDueJobWakesItsHost(t *testing.T) {
	t.Parallel()
	f := apitest.New(t, neverPolls)
	f.Publish(t, "win11-ent", "1.0.0")
	d := apitest.Stick("a")
	_, session := f.Connect(t, "bench", d)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	in := apitest.Order("win11-ent", "bench", d)
	at := f.Store.Now().Add(time.Second)
	in.NotBefore = &at
	job := must[api.Job](t)(f.QueueJob(ctx, f.Helpdesk, in))
	woken := called(ctx, f, session)
	for range woken {
		w := must[api.HostWork](t)(f.HostClaim(ctx, session))
		if len(w.Assigns) == 0 {
			continue // woken by the job's being queued, before its time
		}
		if f.Store.Now().Before(at) {
			t.Error("the host has the job before its time")
		}
		if w.Assigns[0].JobID != job.ID {
			t.Errorf("the host was given %+v", w.Assigns)
		}
		return
	}
	t.Fatal("the host was not woken")
}

// A job that waits right behind another one of its host has its own call, even if
// nobody takes the first.
func TestEachDueJobWakesItsHost(t *testing.T) {
	t.Parallel()
	f := apitest.New(t, neverPolls)
	f.Publish(t, "win11-ent", "1.0.0")
	a, b := apitest.Stick("a"), apitest.Stick("b")
	_, session := f.Connect(t, "bench", a, b)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	first := f.Store.Now().Add(2 * time.Second)
	second := first.Add(1500 * time.Millisecond)
	for d, at := range map[string]*time.Time{a.Port: &first, b.Port: &second} {
		in := apitest.Order("win11-ent", "bench", apitest.Stick(d))
		in.NotBefore = at
		must[api.Job](t)(f.QueueJob(ctx, f.Helpdesk, in))
	}
	for range called(ctx, f, session) {
		if !f.Store.Now().Before(second) {
			return
		}
	}
	t.Fatal("the host was not woken a second time")
}

// What was confirmed of a channel is what it points to.
func TestChannelMoved(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	old := f.Publish(t, "win11-ent", "1.0.0")
	d := apitest.Stick("a")
	f.Connect(t, "bench", d)
	in := apitest.Order("", "bench", d)
	in.Version, in.Channel = old.ID, "stable"
	f.Publish(t, "win11-ent", "1.1.0")
	_, err := f.QueueJob(t.Context(), f.Helpdesk, in)
	wantFault(t, err, "channel_moved")
	in.Channel = "nightly"
	_, err = f.QueueJob(t.Context(), f.Helpdesk, in)
	wantFault(t, err, "channel_not_found")
	in.Channel = ""
	if job := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, in)); job.Version != "1.0.0" || job.Channel != "" {
		t.Errorf("queued %s of channel %q", job.Version, job.Channel)
	}
}

func TestEstimateAndLastJob(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	d := apitest.Stick("a")
	_, session := f.Connect(t, "bench", d)
	_, err := f.LastJob(t.Context(), f.Helpdesk, protocol.JobPress)
	wantFault(t, err, "job_not_found")
	want := api.EstimateInput{Host: "bench", Bytes: []int64{d.Bytes}}
	if e := must[api.Estimate](t)(f.EstimateJob(t.Context(), f.Helpdesk, want)); e.Builds != 0 {
		t.Errorf("nothing was pressed, and the estimate is %+v", e)
	}
	job := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, apitest.Order("win11-ent", "bench", d)))
	must[api.HostWork](t)(f.HostClaim(t.Context(), session))
	ref := protocol.AttemptRef{BuildID: job.Builds[0].ID, Attempt: 1}
	must[api.HostWork](t)(f.HostEvents(t.Context(), session, []protocol.Event{
		{AttemptRef: ref, HostSeq: 1, Type: protocol.EventAccepted},
		{AttemptRef: ref, HostSeq: 2, Type: protocol.EventVerified, Result: &protocol.Result{DiskID: "deadbeef"}},
	}))
	if e := must[api.Estimate](t)(f.EstimateJob(t.Context(), f.Helpdesk, want)); e.Builds != 1 || e.High < e.Low {
		t.Errorf("the estimate is %+v", e)
	}
	want.Bytes = append(want.Bytes, 256_000_000_000)
	if e := must[api.Estimate](t)(f.EstimateJob(t.Context(), f.Helpdesk, want)); e.Builds != 0 {
		t.Errorf("no stick of that size was pressed, and the estimate is %+v", e)
	}
	if last := must[api.Job](t)(f.LastJob(t.Context(), f.Helpdesk, protocol.JobPress)); last.ID != job.ID {
		t.Errorf("the last job is %s", last.ID)
	}
	_, err = f.LastJob(t.Context(), f.Admin, protocol.JobPress)
	wantFault(t, err, "job_not_found")
}

// A stick whose labels carry its own ID holds nothing that is anybody else's.
func TestForeign(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	blank, photos, ours := apitest.Stick("a"), apitest.Stick("b"), apitest.Stick("c")
	photos.Volumes = []string{"PHOTOS (exFAT)"}
	_, session := f.Connect(t, "bench", blank, photos, ours)
	job := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, apitest.Order("win11-ent", "bench", ours)))
	must[api.Job](t)(f.CancelJob(t.Context(), f.Helpdesk, job.ID))
	id := job.Builds[0].StickID
	name := strings.ToUpper(id[len(id)-7:])
	ours.Volumes = []string{"UFD-" + name + " (FAT32)", "UFD-Windows " + name + " (NTFS)"}
	theirs := ours
	theirs.Port, theirs.Serial = "d", "SN-d"
	inventory := &protocol.Inventory{Devices: []protocol.Device{blank, photos, ours, theirs}}
	if err := f.HostInventory(t.Context(), session, inventory); err != nil {
		t.Fatal(err)
	}
	h := must[api.Host](t)(f.GetHost(t.Context(), f.Viewer, "bench"))
	for i, want := range []bool{false, true, false, true} {
		if h.Devices[i].Foreign != want || h.Devices[i].NeedsCare() != want {
			t.Errorf("the stick in port %s is foreign: %v", h.Devices[i].Port, h.Devices[i].Foreign)
		}
	}
}
