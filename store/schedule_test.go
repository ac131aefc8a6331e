package store_test

import (
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// later queues a job for the stick in a port that waits for a time.
func (w *world) later(at time.Time, port int) store.Job {
	w.t.Helper()
	return in(w.t, w.Store, func(tx *store.Tx) (store.Job, error) {
		return tx.QueueJob(w.t.Context(), store.NewJob{
			HostID: w.host.ID, Kind: protocol.JobPress, ImageVersionID: w.version.ID, TaskSequenceVersionID: w.sequence.ID,
			NotBefore: &at, Builds: []store.NewBuild{{Device: device(port)}}, By: w.by,
		})
	})
}

func (w *world) reschedule(id store.JobID, revision int64, at *time.Time) (store.Job, error) {
	return try(w.t.Context(), w.Store, func(tx *store.Tx) (store.Job, error) {
		return tx.Reschedule(w.t.Context(), id, revision, at, w.by)
	})
}

// A job for later is given to nobody before its time, and does not keep those
// behind it.
func TestJobsForLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := w.Now()
	soon, tomorrow := now.Add(time.Hour), now.Add(24*time.Hour)
	late, early := w.later(tomorrow, 1), w.later(soon, 2)
	ready := w.mustQueue(w.host.ID, 3)
	work := w.claim(w.host, 10)
	if len(work) != 1 || work[0].Job.ID != ready.ID {
		t.Fatalf("claimed %+v, want only the job without a time", work)
	}
	due, err := w.NextDue(t.Context(), now)
	if err != nil || len(due) != 1 || due[0].HostID != w.host.ID || !due[0].At.Equal(*early.NotBefore) {
		t.Fatalf("next due is %+v (%v), want %s", due, err, early.NotBefore)
	}
	past := now.Add(-time.Minute)
	moved, err := w.reschedule(early.ID, early.Revision, &past)
	if err != nil || moved.State != store.JobQueued || !moved.NotBefore.Equal(past) || moved.Seq != 2 {
		t.Fatalf("moved %+v, %v", moved, err)
	}
	if again, err := w.reschedule(early.ID, 0, &past); err != nil || again.Seq != 2 {
		t.Errorf("the same time again is event %d (%v)", again.Seq, err)
	}
	if work := w.claim(w.host, 10); len(work) != 1 || work[0].Job.ID != early.ID {
		t.Fatalf("claimed %+v, want the job that is due", work)
	}
	if _, err := w.reschedule(late.ID, late.Revision, nil); err != nil {
		t.Fatal(err)
	}
	_, err = w.reschedule(late.ID, late.Revision, &soon)
	wantCode(t, err, store.CodeStale)
	if work := w.claim(w.host, 10); len(work) != 1 || work[0].Job.ID != late.ID || work[0].Job.NotBefore != nil {
		t.Fatalf("claimed %+v, want the job without a time any more", work)
	}
	_, err = w.reschedule(late.ID, 0, &soon)
	wantCode(t, err, store.CodeJobBegun)
	w.checkHistory()
}

func TestCancelledJobIsNotMoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.later(w.Now().Add(time.Hour), 1)
	in(t, w.Store, func(tx *store.Tx) (store.Job, error) { return tx.RequestCancel(t.Context(), job.ID, w.by) })
	_, err := w.reschedule(job.ID, 0, nil)
	wantCode(t, err, store.CodeJobEnded)
	if due, err := w.NextDue(t.Context(), w.Now()); err != nil || len(due) != 0 {
		t.Errorf("due is %+v (%v) of a job that was cancelled", due, err)
	}
	w.checkHistory()
}

// The times of builds are those of the same host, kind, sequence and size, and by
// the host's clock: the server hears of all of it at once.
func TestBuildTimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for port := range 4 {
		w.mustQueue(w.host.ID, port+1)
	}
	// 10, 20, 30 and 40 s; the last one is of a smaller stick.
	began := w.Now().Add(-time.Hour)
	for i, work := range w.claim(w.host, 10) {
		events := goodRun(work.Builds[0].Ref())
		for n := range events {
			events[n].At = began
		}
		events[len(events)-1].At = began.Add(time.Duration(i+1) * 10 * time.Second)
		w.report(w.host, events...)
	}
	if _, err := w.Pool().Exec(t.Context(), `UPDATE builds SET device = jsonb_set(device, '{bytes}', '32000000000') WHERE device ->> 'port' = '1-4'`); err != nil {
		t.Fatal(err)
	}
	f := store.TimesFilter{HostID: w.host.ID, Kind: protocol.JobPress, SequenceID: w.sequence.TaskSequenceID, Least: 56 << 30, Below: 112 << 30}
	got, err := w.BuildTimes(t.Context(), f)
	if err != nil || got.Count != 3 || got.Low() != 12*time.Second || got.High() != 28*time.Second {
		t.Errorf("times %+v, %v", got, err)
	}
	for name, change := range map[string]func(*store.TimesFilter){
		"another kind":     func(f *store.TimesFilter) { f.Kind = protocol.JobWipe },
		"another host":     func(f *store.TimesFilter) { f.HostID = w.enroll("bench-2").ID },
		"another sequence": func(f *store.TimesFilter) { f.SequenceID = store.SequenceID(w.host.ID) },
		"another size":     func(f *store.TimesFilter) { f.Least, f.Below = 112<<30, 0 },
		"a way to wipe":    func(f *store.TimesFilter) { f.Wipe = &protocol.WipeOptions{Method: protocol.WipeOverwrite, Passes: 1} },
	} {
		other := f
		change(&other)
		if got, err := w.BuildTimes(t.Context(), other); err != nil || got.Count != 0 {
			t.Errorf("%s: times %+v, %v", name, got, err)
		}
	}
	last, err := w.NewestJobBy(t.Context(), w.by.ID, protocol.JobPress)
	if err != nil || last.Builds[0].Device.Port != "1-4" {
		t.Errorf("the newest job is %+v, %v", last, err)
	}
	_, err = w.NewestJobBy(t.Context(), w.by.ID, protocol.JobRaw)
	wantCode(t, err, "job_not_found")
}
