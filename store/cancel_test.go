package store_test

import (
	"slices"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

func (w *world) cancel(id store.JobID) store.Job {
	w.t.Helper()
	return in(w.t, w.Store, func(tx *store.Tx) (store.Job, error) { return tx.RequestCancel(w.t.Context(), id, w.by) })
}

func TestCancelQueued(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.cancel(w.mustQueue(w.host.ID, 1, 2).ID)
	if job.State != store.JobCancelled || job.StartedAt != nil || job.EndedAt == nil {
		t.Errorf("job %+v", job)
	}
	if work := w.claim(w.host, 9); len(work) != 0 {
		t.Errorf("claimed %+v", work)
	}
	_, err := try(t.Context(), w.Store, func(tx *store.Tx) (store.Job, error) {
		return tx.RequestCancel(t.Context(), job.ID, w.by)
	})
	wantCode(t, err, store.CodeJobEnded)
	w.checkHistory()
}

func TestCancelRunning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.mustQueue(w.host.ID, 1, 2)
	builds := w.claim(w.host, 2)[0].Builds
	w.report(w.host, said(builds[0].Ref(), 1, protocol.Event{Type: protocol.EventAccepted})...)
	job = w.cancel(job.ID)
	if job.State != store.JobCancelling || job.CancelRequestedAt == nil {
		t.Fatalf("job %+v", job)
	}
	if again := w.cancel(job.ID); again.Seq != job.Seq {
		t.Error("asking again made an event")
	}
	refs, err := w.ToCancel(t.Context(), w.host.ID)
	if err != nil || len(refs) != 2 {
		t.Errorf("to cancel %v, %v", refs, err)
	}
	// The host comes back without the second attempt: it never arrived.
	w.host = w.connect(w.host.ID)
	in(t, w.Store, none(func(tx *store.Tx) error {
		return tx.CancelUnheld(t.Context(), w.host.ID, w.host.Session, []protocol.AttemptRef{builds[0].Ref()})
	}))
	refs, err = w.ToCancel(t.Context(), w.host.ID)
	if err != nil || !slices.Equal(refs, []protocol.AttemptRef{builds[0].Ref()}) {
		t.Errorf("to cancel %v, %v", refs, err)
	}
	w.report(w.host, said(builds[0].Ref(), 2,
		protocol.Event{Type: protocol.EventCancelled, Fault: protocol.NewFault(protocol.FaultCancelled)})...)
	if got := w.job(job.ID); got.State != store.JobCancelled {
		t.Errorf("job %s", got.State)
	}
	w.checkHistory()
}

func TestCancelTooLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.mustQueue(w.host.ID, 1)
	ref := w.claim(w.host, 1)[0].Builds[0].Ref()
	w.cancel(job.ID)
	w.report(w.host, goodRun(ref)...)
	if got := w.job(job.ID); got.State != store.JobSucceeded {
		t.Errorf("job %s: what was verified was not cancelled", got.State)
	}
	w.checkHistory()
}

func TestLostAndRevokedHosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	held := w.mustQueue(w.host.ID, 1)
	w.claim(w.host, 1)
	waiting := w.mustQueue(w.host.ID, 2)
	in(t, w.Store, func(tx *store.Tx) (store.Host, error) { return tx.DeclareHostLost(t.Context(), w.host.ID, w.by) })
	if a, b := w.job(held.ID).State, w.job(waiting.ID).State; a != store.JobFailed || b != store.JobQueued {
		t.Errorf("after the loss: %s, %s", a, b)
	}
	host := in(t, w.Store, func(tx *store.Tx) (store.Host, error) { return tx.RevokeHost(t.Context(), w.host.ID, w.by) })
	if host.State != store.HostRevoked || host.RevokedAt == nil {
		t.Errorf("host %+v", host)
	}
	if got := w.job(waiting.ID).State; got != store.JobCancelled {
		t.Errorf("a job of a revoked host is %s", got)
	}
	again := in(t, w.Store, func(tx *store.Tx) (store.Host, error) { return tx.RevokeHost(t.Context(), w.host.ID, w.by) })
	if again.Revision != host.Revision {
		t.Error("revoking again changed the host")
	}
	_, err := try(t.Context(), w.Store, func(tx *store.Tx) (store.Host, error) {
		return tx.ConnectHost(t.Context(), w.host.ID, "a", &protocol.Hello{})
	})
	wantCode(t, err, store.CodeHostRevoked)
	wantCode(t, w.Heartbeat(t.Context(), w.host.ID, host.Session), store.CodeSessionStale)
	// Its name is free again.
	w.enroll(w.host.Name)
	w.checkHistory()
}

// One stick is stopped while its neighbour goes on; what waits is cancelled at
// once, what the host holds when it says so, and also after a reconnect.
func TestCancelOneBuild(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := func(id store.BuildID) (store.Job, error) {
		return try(t.Context(), w.Store, func(tx *store.Tx) (store.Job, error) { return tx.RequestCancelBuild(t.Context(), id, w.by) })
	}
	job := w.mustQueue(w.host.ID, 1, 2, 3)
	job, err := stop(job.Builds[2].ID)
	if err != nil || job.State != store.JobQueued || job.Builds[2].State != store.BuildCancelled {
		t.Fatalf("a waiting build: %v, job %+v", err, job)
	}
	builds := w.claim(w.host, 9)[0].Builds
	if len(builds) != 2 {
		t.Fatalf("claimed %+v", builds)
	}
	for _, b := range builds {
		w.report(w.host, said(b.Ref(), 1, protocol.Event{Type: protocol.EventAccepted})...)
	}
	if job, err = stop(builds[0].ID); err != nil || job.State != store.JobRunning || job.Builds[0].CancelRequestedAt == nil {
		t.Fatalf("a running build: %v, job %+v", err, job)
	}
	if again, err := stop(builds[0].ID); err != nil || again.Seq != job.Seq {
		t.Errorf("asking again: %v, event %d", err, again.Seq)
	}
	w.host = w.connect(w.host.ID)
	refs, err := w.ToCancel(t.Context(), w.host.ID)
	if err != nil || !slices.Equal(refs, []protocol.AttemptRef{builds[0].Ref()}) {
		t.Errorf("to cancel %v, %v", refs, err)
	}
	w.report(w.host, said(builds[0].Ref(), 2,
		protocol.Event{Type: protocol.EventCancelled, Fault: protocol.NewFault(protocol.FaultCancelled)})...)
	_, err = stop(builds[0].ID)
	wantCode(t, err, store.CodeBuildEnded)
	if got := w.job(job.ID); got.State != store.JobRunning || got.Builds[1].State != store.BuildRunning {
		t.Errorf("the job is %s, the neighbour %s", got.State, got.Builds[1].State)
	}
	w.checkHistory()
}

// An assignment that never arrived ends when its host is back without it.
func TestCancelOneUnheld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.mustQueue(w.host.ID, 1, 2)
	builds := w.claim(w.host, 9)[0].Builds
	in(t, w.Store, func(tx *store.Tx) (store.Job, error) { return tx.RequestCancelBuild(t.Context(), builds[1].ID, w.by) })
	w.host = w.connect(w.host.ID)
	in(t, w.Store, none(func(tx *store.Tx) error { return tx.CancelUnheld(t.Context(), w.host.ID, w.host.Session, nil) }))
	if got := w.job(job.ID); got.Builds[0].State != store.BuildAssigned || got.Builds[1].State != store.BuildCancelled {
		t.Errorf("the builds are %s and %s", got.Builds[0].State, got.Builds[1].State)
	}
	w.checkHistory()
}
