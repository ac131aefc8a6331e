package store_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// A console and two hosts do whatever they like for a while; the rows are what
// the events say all the same.
func TestReplayAfterARandomWalk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hosts := []store.Host{w.host, w.enroll("bench-2")}
	r := rand.New(rand.NewPCG(1, 2))
	next, retried := map[protocol.AttemptRef]int64{}, 0
	var known []protocol.AttemptRef // the keys of next, in an order that is the same each time
	types := []protocol.EventType{
		protocol.EventAccepted, protocol.EventStepBegun, protocol.EventStepDone, protocol.EventTouched, protocol.EventLog,
		protocol.EventVerified, protocol.EventFailed, protocol.EventCancelled, "strange",
	}
	for range 500 {
		h := r.IntN(len(hosts))
		switch r.IntN(14) {
		case 0, 1:
			_, _ = w.queue(hosts[h].ID, 1+r.IntN(6)+10*h, 1+r.IntN(6)+10*h) // busy sticks are refused
		case 12:
			kind := []protocol.JobKind{protocol.JobPress, protocol.JobWipe}[r.IntN(2)]
			_, _ = w.give(kind, []string{"", "Ada", "Bob"}[r.IntN(3)], 1+r.IntN(6)) // busy, or not wiped
		case 13:
			sticks, err := w.Sticks(t.Context(), store.StickFilter{})
			if err != nil {
				t.Fatal(err)
			}
			if len(sticks) > 0 {
				_, _ = try(t.Context(), w.Store, func(tx *store.Tx) (store.Stick, error) { // busy ones stay where they are
					id := sticks[r.IntN(len(sticks))].ID
					switch r.IntN(8) {
					case 0:
						return tx.DeclareStickLost(t.Context(), id, "", nil, w.by)
					case 1:
						return tx.RetireStick(t.Context(), id, "", w.by)
					case 2, 3:
						return tx.StickFound(t.Context(), id, "", w.by)
					case 4:
						return tx.IssueStick(t.Context(), id, store.StickHandover{Holder: "Ada"}, w.by)
					}
					return tx.ReturnStick(t.Context(), id, w.by)
				})
			}
		case 2, 3:
			for _, work := range w.claim(hosts[h], 1+r.IntN(3)) {
				for _, b := range work.Builds {
					next[b.Ref()], known = 1, append(known, b.Ref())
				}
			}
		case 4:
			hosts[h] = w.connect(hosts[h].ID)
		case 5:
			jobs, err := w.Jobs(t.Context(), store.JobFilter{States: []store.JobState{store.JobRunning, store.JobQueued}})
			if err != nil {
				t.Fatal(err)
			}
			if len(jobs) > 0 {
				w.cancel(jobs[r.IntN(len(jobs))].ID)
			}
		case 6:
			builds, err := w.Builds(t.Context(), store.BuildFilter{States: []store.BuildState{store.BuildFailed, store.BuildCancelled}})
			if err != nil {
				t.Fatal(err)
			}
			if len(builds) > 0 {
				b := builds[r.IntN(len(builds))]
				_, err := try(t.Context(), w.Store, func(tx *store.Tx) (store.Job, error) { // some are refused
					again := store.Retry{JobID: b.JobID, By: w.by}
					if r.IntN(2) == 0 {
						again.Builds = []store.BuildID{b.ID}
					}
					return tx.RetryBuilds(t.Context(), again)
				})
				if err == nil {
					retried++
				}
			}
		case 7:
			if r.IntN(6) == 0 {
				in(t, w.Store, func(tx *store.Tx) (store.Host, error) {
					return tx.DeclareHostLost(t.Context(), hosts[h].ID, w.by)
				})
				hosts[h] = w.connect(hosts[h].ID)
			}
		default:
			var events []protocol.Event
			for _, i := range r.Perm(len(known))[:min(3, len(known))] {
				ref := known[i]
				e := protocol.Event{Type: types[r.IntN(len(types))], Step: protocol.StepWrite}
				if e.Type == protocol.EventVerified && r.IntN(2) == 0 {
					e.Result = erased()
				}
				if e.Type.Terminal() && e.Type != protocol.EventVerified {
					e.Fault = protocol.NewFault("x")
					e.Fault.Touched = r.IntN(2) == 0
				}
				events = append(events, said(ref, next[ref], e)...)
			}
			for ref, acked := range w.report(hosts[h], events...).Acked {
				next[ref] = acked + 1
			}
		}
	}
	report, err := w.Replay(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if report.Jobs < 5 || report.Events < 100 || retried < 3 {
		t.Errorf("the walk was short: %+v, %d retries", report, retried)
	}
	w.checkHistory()
	w.checkSeq()
}

// checkSeq fails the test if a history has a gap.
func (w *world) checkSeq() {
	w.t.Helper()
	var gaps int
	err := w.Pool().QueryRow(w.t.Context(), `
		SELECT count(*) FROM (
			SELECT seq - row_number() OVER (PARTITION BY job_id ORDER BY seq) AS off FROM job_events
			UNION ALL
			SELECT seq - row_number() OVER (PARTITION BY stick_id ORDER BY seq) FROM stick_events
		) AS s WHERE off <> 0`).Scan(&gaps)
	if err != nil || gaps != 0 {
		w.t.Errorf("%d events after a gap, %v", gaps, err)
	}
}

func TestReplayFindsAndMends(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mustQueue(w.host.ID, 1, 2)
	b := w.claim(w.host, 1)[0].Builds[0]
	w.report(w.host, goodRun(b.Ref())...)
	for _, sql := range []string{
		`UPDATE jobs SET reference = 'forged'`,
		`UPDATE builds SET state = 'failed' WHERE position = 1`,
		`UPDATE sticks SET disk_id = 'forged' WHERE state = 'verified'`,
		`DELETE FROM build_attempts WHERE build_id IN (SELECT id FROM builds WHERE position = 2)`,
		`DELETE FROM builds WHERE position = 2`,
	} {
		if _, err := w.Pool().Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, check := range []bool{true, false} {
		report, err := w.Replay(t.Context(), check)
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Differences) != 4 {
			t.Errorf("check %t: differences %+v", check, report.Differences)
		}
	}
	w.checkHistory()
}

func TestHistoryRefusesChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mustQueue(w.host.ID, 1)
	for _, sql := range []string{
		`UPDATE job_events SET type = 'x'`, `DELETE FROM job_events`, `TRUNCATE job_events`,
		`UPDATE stick_events SET at = now()`, `DELETE FROM stick_events`, `TRUNCATE stick_events`,
		`UPDATE audit SET action = 'x'`, `DELETE FROM audit`, `TRUNCATE audit`,
		`UPDATE image_versions SET bytes = 1`, `DELETE FROM image_versions`,
		`UPDATE task_sequence_versions SET layout = 'gpt-uefi'`,
	} {
		if _, err := w.Pool().Exec(t.Context(), sql); err == nil {
			t.Errorf("%s: not refused", sql)
		}
	}
	w.checkHistory()
}
