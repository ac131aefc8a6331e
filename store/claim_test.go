package store_test

import (
	"slices"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

func TestClaimTakesWholeJobsUpToTheLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.mustQueue(w.host.ID, 1, 2, 3), w.mustQueue(w.host.ID, 4)
	work := w.claim(w.host, 2)
	if len(work) != 1 || len(work[0].Builds) != 3 {
		t.Fatalf("claimed %+v, want one job with three builds", work)
	}
	rest := w.claim(w.host, 2)
	if len(rest) != 1 || len(rest[0].Builds) != 1 {
		t.Fatalf("claimed %+v, want the other job", rest)
	}
	got := []store.JobID{work[0].Job.ID, rest[0].Job.ID}
	if !slices.Contains(got, first.ID) || !slices.Contains(got, second.ID) {
		t.Errorf("claimed %v", got)
	}
	unfinished, err := w.Unfinished(t.Context(), w.host.ID)
	if err != nil || len(unfinished) != 2 {
		t.Errorf("unfinished %+v, %v", unfinished, err)
	}
	w.checkHistory()
}

func TestOnlyTheNewestSessionClaims(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mustQueue(w.host.ID, 1)
	fresh := w.connect(w.host.ID)
	if fresh.Session != w.host.Session+1 {
		t.Errorf("session %d after %d", fresh.Session, w.host.Session)
	}
	_, err := try(t.Context(), w.Store, func(tx *store.Tx) ([]store.Work, error) {
		return tx.ClaimBuilds(t.Context(), w.host.ID, w.host.Session, protocol.JobKinds, 1)
	})
	wantCode(t, err, store.CodeSessionStale)
	if work := w.claim(fresh, 1); len(work) != 1 {
		t.Errorf("the newest session claimed %+v", work)
	}
}

// Many claimers, one socket each way: no build is given out twice.
func TestParallelClaims(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const jobs, claimers = 12, 4
	for p := range jobs {
		w.mustQueue(w.host.ID, p+1)
	}
	type result struct {
		work []store.Work
		err  error
	}
	results := make(chan result)
	for range claimers {
		go func() {
			var all []store.Work
			for range 2 * jobs {
				work, err := try(t.Context(), w.Store, func(tx *store.Tx) ([]store.Work, error) {
					return tx.ClaimBuilds(t.Context(), w.host.ID, w.host.Session, protocol.JobKinds, 1)
				})
				if err != nil {
					results <- result{err: err}
					return
				}
				all = append(all, work...)
			}
			results <- result{work: all}
		}()
	}
	given := map[store.BuildID]int{}
	for range claimers {
		r := <-results
		if r.err != nil {
			t.Error(r.err)
		}
		for _, work := range r.work {
			for _, b := range work.Builds {
				given[b.ID]++
			}
		}
	}
	for id, n := range given {
		if n != 1 {
			t.Errorf("build %s was given out %d times", id, n)
		}
	}
	if len(given) != jobs {
		t.Errorf("%d of %d builds were claimed", len(given), jobs)
	}
	w.checkHistory()
}

// What cannot be sent fails alone, and its attempt is fenced should a host ever
// speak of it.
func TestUnsentBuildsFail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mustQueue(w.host.ID, 1, 2)
	builds := w.claim(w.host, 2)[0].Builds
	w.report(w.host, said(builds[0].Ref(), 1, protocol.Event{Type: protocol.EventAccepted})...)
	why := protocol.NewFault("seal_broken")
	in(t, w.Store, none(func(tx *store.Tx) error {
		return tx.FailUnsent(t.Context(), w.host.ID, map[protocol.AttemptRef]*protocol.Fault{
			builds[0].Ref(): why, builds[1].Ref(): why,
		})
	}))
	job := w.job(builds[0].JobID)
	if a, b := job.Builds[0].State, job.Builds[1].State; a != store.BuildRunning || b != store.BuildFailed {
		t.Fatalf("builds are %s and %s: only the one that was not accepted fails", a, b)
	}
	in(t, w.Store, func(tx *store.Tx) (store.Job, error) {
		return tx.RetryBuilds(t.Context(), store.Retry{JobID: job.ID, By: w.by})
	})
	again := w.claim(w.host, 2)
	if len(again) != 1 || len(again[0].Builds) != 1 || again[0].Builds[0].ID != builds[1].ID {
		t.Fatalf("claimed again %+v: only the build that failed", again)
	}
	if got := again[0].Builds[0].Attempt; got != 2 {
		t.Errorf("attempt %d: every lease has a number of its own", got)
	}
	applied := w.report(w.host, said(builds[1].Ref(), 1, protocol.Event{Type: protocol.EventAccepted})...)
	if !slices.Equal(applied.Fenced, []protocol.AttemptRef{builds[1].Ref()}) {
		t.Errorf("events of an attempt that was never sent: %+v", applied)
	}
	w.checkHistory()
}
