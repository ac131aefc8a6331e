package store_test

import (
	"slices"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

func (w *world) retry(id store.JobID, builds ...store.BuildID) (store.Job, error) {
	return try(w.t.Context(), w.Store, func(tx *store.Tx) (store.Job, error) {
		return tx.RetryBuilds(w.t.Context(), store.Retry{JobID: id, Builds: builds, By: w.by})
	})
}

// failed is an attempt that ends after the first byte.
func failed(ref protocol.AttemptRef) []protocol.Event {
	f := protocol.NewFault("write_failed")
	f.Touched = true
	return said(ref, 1, protocol.Event{Type: protocol.EventAccepted},
		protocol.Event{Type: protocol.EventStepBegun, Step: protocol.StepWrite},
		protocol.Event{Type: protocol.EventTouched}, protocol.Event{Type: protocol.EventFailed, Fault: f})
}

func TestRetry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.mustQueue(w.host.ID, 1, 2)
	_, err := w.retry(job.ID)
	wantCode(t, err, store.CodeRetryNothing)
	builds := w.claim(w.host, 2)[0].Builds
	_, err = w.retry(job.ID, builds[0].ID)
	wantCode(t, err, "state_refused")
	w.report(w.host, failed(builds[0].Ref())...)
	// As if the host had not said so: the lease is what counts.
	if _, err := w.Pool().Exec(t.Context(), `UPDATE build_attempts SET state = 'leased' WHERE attempt = 1`); err != nil {
		t.Fatal(err)
	}
	_, err = w.retry(job.ID)
	wantCode(t, err, store.CodeAttemptLeased)
	if _, err := w.Pool().Exec(t.Context(), `UPDATE build_attempts SET state = 'ended' WHERE build_id = $1`, builds[0].ID); err != nil {
		t.Fatal(err)
	}
	job, err = w.retry(job.ID)
	if err != nil {
		t.Fatal(err)
	}
	// Nothing of the old attempt is left in sight.
	if b := job.Builds[0]; job.State != store.JobRunning || b.State != store.BuildQueued || b.Step != "" || b.Touched || b.Fault != nil {
		t.Errorf("the job is %s, its build %+v", job.State, b)
	}
	again := w.claim(w.host, 1)[0].Builds[0]
	if again.ID != builds[0].ID || again.Attempt != 2 || again.Fault != nil {
		t.Errorf("second attempt %+v", again)
	}
	w.report(w.host, append(goodRun(again.Ref()), goodRun(builds[1].Ref())...)...)
	if got := w.job(job.ID); got.State != store.JobSucceeded {
		t.Errorf("job %s", got.State)
	}
	_, err = w.retry(job.ID)
	wantCode(t, err, store.CodeRetryNothing)
	_, err = w.retry(job.ID, builds[1].ID)
	wantCode(t, err, "state_refused")
	w.checkHistory()
}

// A job that is over is opened anew, with the builds that are named alone.
func TestRetryAfterTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.mustQueue(w.host.ID, 1, 2, 3)
	for i, b := range w.claim(w.host, 3)[0].Builds {
		if i == 2 {
			w.report(w.host, goodRun(b.Ref())...)
		} else {
			w.report(w.host, failed(b.Ref())...)
		}
	}
	job, err := w.retry(job.ID, job.Builds[0].ID)
	if err != nil || job.State != store.JobQueued || job.StartedAt != nil || job.EndedAt != nil {
		t.Fatalf("opened anew: %+v, %v", job, err)
	}
	// Cancelled before the host took it: the stick is still what the first
	// attempt left.
	job = w.cancel(job.ID)
	if b := job.Builds[0]; job.State != store.JobFailed || b.State != store.BuildCancelled || !b.Touched {
		t.Errorf("the job is %s, its build %+v", job.State, b)
	}
	if job, err = w.retry(job.ID); err != nil || job.CancelRequestedAt != nil {
		t.Fatalf("after a cancellation: %+v, %v", job, err)
	}
	work := w.claim(w.host, 9)
	if len(work) != 1 || len(work[0].Builds) != 2 || work[0].Job.State != store.JobRunning || work[0].Job.StartedAt == nil {
		t.Fatalf("claimed %+v", work)
	}
	for _, b := range work[0].Builds {
		if b.Attempt != 2 {
			t.Errorf("attempt %d", b.Attempt)
		}
	}
	w.cancel(job.ID)
	_, err = w.retry(job.ID)
	wantCode(t, err, store.CodeJobCancelling)
	w.report(w.host, append(goodRun(work[0].Builds[0].Ref()), goodRun(work[0].Builds[1].Ref())...)...)
	if got := w.job(job.ID); got.State != store.JobSucceeded {
		t.Errorf("job %s", got.State)
	}
	w.checkHistory()
	w.checkSeq()
}

// An older job does not take the place of what a newer one wrote, and a stick
// that may hold what is somebody's stays out of others' hands.
func TestRetryRefusesSticksThatMovedOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old, err := w.give(protocol.JobPress, "Ada", 1)
	if err != nil {
		t.Fatal(err)
	}
	w.report(w.host, failed(w.claim(w.host, 1)[0].Builds[0].Ref())...)
	newer, err := w.give(protocol.JobPress, "Ada", 1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.retry(old.ID)
	wantCode(t, err, store.CodeStickBusy)
	w.report(w.host, goodRun(w.claim(w.host, 1)[0].Builds[0].Ref())...)
	_, err = w.retry(old.ID)
	wantCode(t, err, store.CodeStickRewritten)
	if p := paramsOf(err); p["job"] != newer.ID.String() {
		t.Errorf("%v", p)
	}

	// Nor does a newer one take the place of what an older one wrote after it.
	older, err := w.give(protocol.JobPress, "", 3)
	if err != nil {
		t.Fatal(err)
	}
	w.report(w.host, failed(w.claim(w.host, 1)[0].Builds[0].Ref())...)
	if newer, err = w.give(protocol.JobPress, "", 3); err != nil {
		t.Fatal(err)
	}
	w.cancel(newer.ID)
	if _, err := w.retry(older.ID); err != nil {
		t.Fatalf("behind one that wrote nothing: %v", err)
	}
	w.report(w.host, goodRun(w.claim(w.host, 1)[0].Builds[0].Ref())...)
	_, err = w.retry(newer.ID)
	wantCode(t, err, store.CodeStickRewritten)
	if p := paramsOf(err); p["job"] != older.ID.String() {
		t.Errorf("%v", p)
	}

	// Cancelled before anything was written, it waits while the stick goes to
	// somebody else and comes back.
	mine, err := w.give(protocol.JobPress, "", 2)
	if err != nil {
		t.Fatal(err)
	}
	w.cancel(mine.ID)
	in(t, w.Store, func(tx *store.Tx) (store.Stick, error) {
		return tx.ReturnStick(t.Context(), mine.Builds[0].StickID, w.by)
	})
	_, err = w.retry(mine.ID)
	wantCode(t, err, store.CodeStickDataOpen)
	if _, err := w.settle(mine.Builds[0].StickID, store.DataGivenUp); err != nil {
		t.Fatal(err)
	}
	_, err = w.retry(mine.ID)
	wantCode(t, err, store.CodeStickNotWiped)
	job, err := try(t.Context(), w.Store, func(tx *store.Tx) (store.Job, error) {
		return tx.RetryBuilds(t.Context(), store.Retry{JobID: mine.ID, Overrides: []string{string(store.CodeStickNotWiped)}, By: w.by})
	})
	if err != nil || !slices.Equal(job.Overrides, []string{string(store.CodeStickNotWiped)}) {
		t.Errorf("with an override: %v, %v", job.Overrides, err)
	}
	w.checkHistory()
}
