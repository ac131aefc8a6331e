package store_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

func TestEventsAreAppliedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.mustQueue(w.host.ID, 1)
	ref := w.claim(w.host, 1)[0].Builds[0].Ref()
	run := goodRun(ref)

	if got := w.report(w.host, run[1:3]...).Acked[ref]; got != 0 {
		t.Errorf("after a gap: acked %d", got)
	}
	if got := w.report(w.host, append(slices.Clone(run[:2]), run[4:]...)...).Acked[ref]; got != 2 {
		t.Errorf("up to a gap: acked %d", got)
	}
	if got := w.report(w.host, run[:3]...).Acked[ref]; got != 3 {
		t.Errorf("with duplicates: acked %d", got)
	}
	w.report(w.host, run...)
	w.report(w.host, run...)
	events, err := w.JobEvents(t.Context(), job.ID, 0, 0)
	if err != nil || len(events) != 10 {
		t.Errorf("%d events, %v", len(events), err)
	}
	w.checkHistory()
}

func TestWhoMayReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mustQueue(w.host.ID, 1)
	ref := w.claim(w.host, 1)[0].Builds[0].Ref()
	other := w.enroll("bench-2")

	for name, bad := range map[string]protocol.AttemptRef{
		"another attempt": {BuildID: ref.BuildID, Attempt: 2},
		"no build":        {BuildID: store.BuildID{1}.String(), Attempt: 1},
		"no ID":           {BuildID: "x", Attempt: 1},
	} {
		applied := w.report(w.host, said(bad, 1, protocol.Event{Type: protocol.EventAccepted})...)
		if !slices.Equal(applied.Refused, []protocol.AttemptRef{bad}) || len(applied.Acked) != 0 {
			t.Errorf("%s: %+v", name, applied)
		}
	}
	if applied := w.report(other, goodRun(ref)...); !slices.Equal(applied.Refused, []protocol.AttemptRef{ref}) {
		t.Errorf("another host: %+v", applied)
	}
	fresh := w.connect(w.host.ID)
	_, err := try(t.Context(), w.Store, func(tx *store.Tx) (store.Applied, error) {
		return tx.ApplyHostEvents(t.Context(), w.host.ID, w.host.Session, goodRun(ref))
	})
	wantCode(t, err, store.CodeSessionStale)
	w.report(fresh, goodRun(ref)...)
	w.checkHistory()
}

func TestEndsOfAnAttempt(t *testing.T) {
	t.Parallel()
	touched := protocol.NewFault(protocol.FaultWrite, "offset", 4096)
	touched.Touched = true
	for name, c := range map[string]struct {
		events []protocol.Event
		job    store.JobState
		build  store.BuildState
		stick  store.StickState
	}{
		"refused before a byte": {
			[]protocol.Event{{Type: protocol.EventFailed, Fault: protocol.NewFault(protocol.FaultMounted)}},
			store.JobFailed, store.BuildFailed, store.StickUnknown,
		},
		"failed in the middle": {
			[]protocol.Event{
				{Type: protocol.EventAccepted}, {Type: protocol.EventTouched}, {Type: protocol.EventFailed, Fault: touched},
			},
			store.JobFailed, store.BuildFailed, store.StickIncomplete,
		},
		"touched said by the fault alone": {
			[]protocol.Event{{Type: protocol.EventAccepted}, {Type: protocol.EventCancelled, Fault: touched}},
			store.JobCancelled, store.BuildCancelled, store.StickIncomplete,
		},
		"being written": {
			[]protocol.Event{{Type: protocol.EventAccepted}, {Type: protocol.EventTouched}},
			store.JobRunning, store.BuildRunning, store.StickPressing,
		},
		"an end out of order": {
			[]protocol.Event{{Type: protocol.EventVerified, Result: &protocol.Result{}}},
			store.JobFailed, store.BuildFailed, store.StickIncomplete,
		},
		"events of a newer agent": {
			[]protocol.Event{{Type: "assigned"}, {Type: "queued"}, {Type: protocol.EventAccepted}, {Type: "cooled"}},
			store.JobRunning, store.BuildRunning, store.StickUnknown,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			job := w.mustQueue(w.host.ID, 1)
			ref := w.claim(w.host, 1)[0].Builds[0].Ref()
			w.report(w.host, said(ref, 1, c.events...)...)
			job = w.job(job.ID)
			stick, err := w.Stick(t.Context(), job.Builds[0].StickID)
			if err != nil {
				t.Fatal(err)
			}
			if job.State != c.job || job.Builds[0].State != c.build || stick.State != c.stick {
				t.Errorf("job %s, build %s, stick %s; want %s, %s, %s",
					job.State, job.Builds[0].State, stick.State, c.job, c.build, c.stick)
			}
			w.checkHistory()
		})
	}
}

func TestLateEventsChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.mustQueue(w.host.ID, 1)
	ref := w.claim(w.host, 1)[0].Builds[0].Ref()
	run := goodRun(ref)
	w.report(w.host, run[:2]...)
	in(t, w.Store, func(tx *store.Tx) (store.Host, error) { return tx.DeclareHostLost(t.Context(), w.host.ID, w.by) })
	_, err := try(t.Context(), w.Store, func(tx *store.Tx) (store.Applied, error) {
		return tx.ApplyHostEvents(t.Context(), w.host.ID, w.host.Session, run)
	})
	wantCode(t, err, store.CodeSessionStale)

	back := w.connect(w.host.ID)
	applied := w.report(back, run[:4]...)
	if applied.Acked[ref] != 4 || !slices.Equal(applied.Fenced, []protocol.AttemptRef{ref}) {
		t.Errorf("a lost attempt: %+v", applied)
	}
	if applied = w.report(back, run...); applied.Acked[ref] != 6 || applied.Fenced != nil {
		t.Errorf("its end: %+v", applied)
	}
	job = w.job(job.ID)
	b := job.Builds[0]
	if job.State != store.JobFailed || b.State != store.BuildFailed || b.Fault.Code != string(store.CodeHostLost) {
		t.Errorf("job %s, build %s, fault %v", job.State, b.State, b.Fault)
	}
	stick, err := w.Stick(t.Context(), b.StickID)
	if err != nil || stick.State != store.StickIncomplete {
		t.Errorf("stick %s, %v: whoever holds it must not hand it out", stick.State, err)
	}
	attempts, err := w.Attempts(t.Context(), []store.HostID{w.host.ID}, []protocol.AttemptRef{ref})
	if err != nil || attempts[ref].HostSeq != 6 || attempts[ref].State != store.AttemptEnded {
		t.Errorf("attempt %+v, %v", attempts[ref], err)
	}
	w.checkHistory()
}

// Several hosts and several builds of one job report at once; every stream
// stays without a gap.
func TestParallelEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const hosts, sticks = 3, 4
	errs := make(chan error)
	jobs := make([]store.Job, hosts)
	for h := range hosts {
		host := w.enroll(string(rune('a' + h)))
		ports := make([]int, sticks)
		for i := range ports {
			ports[i] = 10*h + i + 1
		}
		jobs[h] = w.mustQueue(host.ID, ports...)
		for _, b := range w.claim(host, sticks)[0].Builds {
			go func() {
				for _, e := range goodRun(b.Ref()) {
					_, err := try(t.Context(), w.Store, func(tx *store.Tx) (store.Applied, error) {
						return tx.ApplyHostEvents(t.Context(), host.ID, host.Session, []protocol.Event{e})
					})
					if err != nil {
						errs <- err
						return
					}
				}
				errs <- nil
			}()
		}
	}
	for range hosts * sticks {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	for _, j := range jobs {
		if got := w.job(j.ID); got.State != store.JobSucceeded || got.Seq != 1+7*sticks+2 {
			t.Errorf("job %s after %d events", got.State, got.Seq)
		}
	}
	w.checkHistory()
}

// What a host says beside its states is bounded, and never in the way of them.
func TestReportsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.mustQueue(w.host.ID, 1)
	ref := w.claim(w.host, 1)[0].Builds[0].Ref()
	line := func(text string) protocol.Event {
		return protocol.Event{Type: protocol.EventLog, Log: &protocol.LogLine{Level: "info", Text: text}}
	}
	next := int64(1)
	say := func(events ...protocol.Event) {
		t.Helper()
		acked := w.report(w.host, said(ref, next, events...)...).Acked[ref]
		if next += int64(len(events)); acked != next-1 {
			t.Fatalf("acknowledged up to %d, want %d", acked, next-1)
		}
	}
	say(protocol.Event{Type: protocol.EventAccepted}, line(strings.Repeat("x", 20<<10)),
		protocol.Event{Type: protocol.EventPreflight, Preflight: &protocol.Preflight{Checks: make([]protocol.Check, 2000)}})
	for range 30 { // in many messages, as a host would
		many := make([]protocol.Event, 20)
		for i := range many {
			many[i] = line("again and again")
		}
		say(many...)
	}
	say(protocol.Event{Type: protocol.EventTouched}, line("too late"),
		protocol.Event{Type: protocol.EventVerified, Result: &protocol.Result{DiskID: "deadbeef", Record: &protocol.StickRecord{
			Common: strings.Repeat("ab", 32), Zeros: make([]protocol.Range, 20_000),
		}}})

	var after int64
	kept, codes := 0, map[string]int{}
	for {
		events, err := w.JobEvents(t.Context(), job.ID, after, 500)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			after = e.Seq
			if len(e.Payload) > 17<<10 {
				t.Errorf("event %d has %d bytes", e.Seq, len(e.Payload))
			}
			if e.Type == store.EventBuildLog || e.Type == store.EventBuildPreflight {
				kept++
			}
			if r, err := e.Report(); err == nil && r.Log != nil {
				codes[r.Log.Code]++
			}
		}
		if len(events) < 500 {
			break
		}
	}
	if kept != 501 || codes["events_dropped"] != 1 || codes["event_too_long"] != 2 {
		t.Errorf("%d kept, %v", kept, codes)
	}
	got := w.job(job.ID)
	if b := got.Builds[0]; got.State != store.JobSucceeded || !b.Touched || b.Result.DiskID != "deadbeef" || b.Result.Record != nil {
		t.Errorf("job %s, build %+v", got.State, b)
	}
	w.checkHistory()
}

// Reports of several hosts share a transaction; one of an older session spoils
// nothing, and no host speaks for another's attempts.
func TestReportsOfSeveralHosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	other := w.enroll("other")
	w.mustQueue(w.host.ID, 1)
	w.mustQueue(other.ID, 1)
	mine, theirs := w.claim(w.host, 1)[0].Builds[0].Ref(), w.claim(other, 1)[0].Builds[0].Ref()
	applied := in(t, w.Store, func(tx *store.Tx) ([]store.Applied, error) {
		return tx.ApplyReports(ctx, []store.HostReport{
			{Host: w.host.ID, Session: w.host.Session, Events: slices.Concat(goodRun(mine), goodRun(theirs)[:1])},
			{Host: other.ID, Session: other.Session - 1, Events: goodRun(theirs)},
			{Host: other.ID, Session: other.Session, Events: goodRun(theirs)[:1]},
		})
	})
	if last := int64(len(goodRun(mine))); applied[0].Acked[mine] != last || !slices.Equal(applied[0].Refused, []protocol.AttemptRef{theirs}) {
		t.Errorf("this host: %+v", applied[0])
	}
	wantCode(t, applied[1].Refusal, store.CodeSessionStale)
	if applied[2].Refusal != nil || applied[2].Acked[theirs] != 1 {
		t.Errorf("the other host: %+v", applied[2])
	}
	w.checkHistory()
}
