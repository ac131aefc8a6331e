package store_test

import (
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// A job that writes no image leaves its stick what it was, and goes only to a
// host that can do it.
func TestJobWithoutAnImage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := in(t, w.Store, func(tx *store.Tx) (store.Job, error) {
		return tx.QueueJob(t.Context(), store.NewJob{
			HostID: w.host.ID, Kind: protocol.JobVerify, Overrides: []string{"some_code"}, By: w.by,
			Builds: []store.NewBuild{{Device: device(1)}},
		})
	})
	if !job.ImageVersionID.IsZero() || !job.TaskSequenceVersionID.IsZero() || job.Layout != "" || len(job.Overrides) != 1 {
		t.Errorf("the job is %+v", job)
	}
	stick := job.Builds[0].StickID
	before, err := w.Store.Stick(t.Context(), stick)
	if err != nil {
		t.Fatal(err)
	}

	work := in(t, w.Store, func(tx *store.Tx) ([]store.Work, error) {
		return tx.ClaimBuilds(t.Context(), w.host.ID, w.host.Session, []protocol.JobKind{protocol.JobPress}, 8)
	})
	if len(work) != 0 {
		t.Fatalf("a host that only presses was given %+v", work)
	}
	w.claim(w.host, 8)
	ref := protocol.AttemptRef{BuildID: job.Builds[0].ID.String(), Attempt: 1}
	w.report(w.host,
		protocol.Event{AttemptRef: ref, HostSeq: 1, Type: protocol.EventAccepted},
		protocol.Event{AttemptRef: ref, HostSeq: 2, Type: protocol.EventVerified, Result: &protocol.Result{}})
	if got := w.job(job.ID); got.State != store.JobSucceeded {
		t.Errorf("the job is %s", got.State)
	}
	after, err := w.Store.Stick(t.Context(), stick)
	if err != nil {
		t.Fatal(err)
	}
	if after.State != before.State || after.Seq != before.Seq {
		t.Errorf("the stick is %s after %d events, was %s after %d", after.State, after.Seq, before.State, before.Seq)
	}
	w.checkHistory()
}

// A job that only reads touches nothing, however it ends.
func TestReadingTouchesNothing(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world, ref protocol.AttemptRef){
		"host lost": func(w *world, _ protocol.AttemptRef) {
			in(t, w.Store, func(tx *store.Tx) (store.Host, error) { return tx.DeclareHostLost(t.Context(), w.host.ID, w.by) })
		},
		"out of order": func(w *world, ref protocol.AttemptRef) {
			w.report(w.host, said(ref, 1, protocol.Event{Type: protocol.EventVerified, Result: &protocol.Result{}})...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			job, err := w.give(protocol.JobVerify, "", 1)
			if err != nil {
				t.Fatal(err)
			}
			end(w, w.claim(w.host, 1)[0].Builds[0].Ref())
			b := w.job(job.ID).Builds[0]
			if b.State != store.BuildFailed || b.Touched || b.Fault.Touched {
				t.Errorf("%s, touched %v, %+v", b.State, b.Touched, b.Fault)
			}
			if s := w.stick(b.StickID); s.State != store.StickUnknown {
				t.Errorf("the stick is %s", s.State)
			}
			w.checkHistory()
		})
	}
}

// A capture is done when there is the version that it was for.
func TestCaptureUnpublished(t *testing.T) {
	t.Parallel()
	for name, res := range map[string]*protocol.Result{
		"no result":       nil,
		"no capture":      {},
		"no version":      {Capture: &protocol.CaptureResult{}},
		"another version": {Capture: &protocol.CaptureResult{VersionID: "imv_other"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			job, err := w.give(protocol.JobCapture, "", 1)
			if err != nil {
				t.Fatal(err)
			}
			ref := w.claim(w.host, 1)[0].Builds[0].Ref()
			w.report(w.host, said(ref, 1, protocol.Event{Type: protocol.EventAccepted}, protocol.Event{Type: protocol.EventVerified, Result: res})...)
			b := w.job(job.ID).Builds[0]
			if b.State != store.BuildFailed || b.Touched || b.Fault.Code != string(store.CodeUnpublished) {
				t.Errorf("%s, touched %v, %+v", b.State, b.Touched, b.Fault)
			}
			w.checkHistory()
		})
	}
}
