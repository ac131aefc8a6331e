package store_test

import (
	"errors"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// queueTwice queues two jobs for the device of one port, which no transaction
// may: what the first of them writes waits when the second is queued, and no
// question of the second finds it busy but by its index.
func (w *world) queueTwice(tx *store.Tx, port int) error {
	for range 2 {
		if _, err := tx.QueueJob(w.t.Context(), store.NewJob{
			HostID: w.host.ID, Kind: protocol.JobPress, ImageVersionID: w.version.ID, TaskSequenceVersionID: w.sequence.ID,
			Builds: []store.NewBuild{{Device: device(port)}}, By: w.by,
		}); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) noJobs() {
	w.t.Helper()
	if jobs, err := w.Jobs(w.t.Context(), store.JobFilter{}); err != nil || len(jobs) != 0 {
		w.t.Errorf("%d jobs, %v: want none", len(jobs), err)
	}
}

func TestQuestionSeesWhatWasWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in(t, w.Store, func(tx *store.Tx) (store.Job, error) {
		made, err := tx.QueueJob(t.Context(), store.NewJob{
			HostID: w.host.ID, Kind: protocol.JobPress, ImageVersionID: w.version.ID, TaskSequenceVersionID: w.sequence.ID,
			Builds: []store.NewBuild{{Device: device(1)}}, By: w.by,
		})
		if err != nil {
			return made, err
		}
		found, err := tx.Job(t.Context(), made.ID)
		if err == nil && len(found.Builds) != 1 {
			err = errors.New("the build is not there")
		}
		return found, err
	})
}

func TestCommitRefusesWhatWaited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	err := w.InTx(t.Context(), func(tx *store.Tx) error { return w.queueTwice(tx, 1) })
	wantCode(t, err, store.CodeStickBusy)
	w.noJobs()
}

// A question fails with what was refused before it, whatever its asker makes of
// that.
func TestQuestionAfterWhatWasRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, answer := range map[string]func(error) error{
		"passed on": func(err error) error { return err },
		"forgotten": func(error) error { return nil },
	} {
		asked := false
		err := w.InTx(t.Context(), func(tx *store.Tx) error {
			if err := w.queueTwice(tx, 1); err != nil {
				return err
			}
			_, err := tx.Job(t.Context(), store.JobID{1})
			if asked = true; err == nil {
				t.Errorf("%s: the question had an answer", name)
			}
			return answer(err)
		})
		wantCode(t, err, store.CodeStickBusy)
		if !asked {
			t.Errorf("%s: nothing was asked", name)
		}
		w.noJobs()
	}
}

func TestSecondTransactionAfterOneThatWasRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 20 { // more than there are connections
		if err := w.InTx(t.Context(), func(tx *store.Tx) error { return w.queueTwice(tx, 1) }); err == nil {
			t.Fatal("one device has two jobs")
		}
	}
	w.mustQueue(w.host.ID, 1)
	w.checkHistory()
}
