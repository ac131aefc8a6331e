package store_test

import (
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

func TestOneGoodBuild(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.mustQueue(w.host.ID, 1)
	if job.State != store.JobQueued || len(job.Builds) != 1 || job.Seq != 1 {
		t.Fatalf("queued: %+v", job)
	}
	if v := job.Builds[0].Variables; v["a"] != "1" || v["port"] != "1" {
		t.Errorf("variables %v: the build's are laid over the job's", v)
	}
	work := w.claim(w.host, 10)
	if len(work) != 1 || len(work[0].Builds) != 1 || work[0].Job.ID != job.ID {
		t.Fatalf("claimed %+v", work)
	}
	b := work[0].Builds[0]
	if b.Attempt != 1 || b.State != store.BuildAssigned {
		t.Errorf("assigned: attempt %d, %s", b.Attempt, b.State)
	}
	if again := w.claim(w.host, 10); len(again) != 0 {
		t.Errorf("claimed twice: %+v", again)
	}
	applied := w.report(w.host, goodRun(b.Ref())...)
	if applied.Acked[b.Ref()] != 6 || applied.Fenced != nil || applied.Refused != nil {
		t.Errorf("applied %+v", applied)
	}
	job = w.job(job.ID)
	got := job.Builds[0]
	if job.State != store.JobSucceeded || got.State != store.BuildVerified || !got.Touched || got.Result.BytesWritten != 7 {
		t.Errorf("job %s, build %+v", job.State, got)
	}
	if job.StartedAt == nil || job.EndedAt == nil || got.EndedAt == nil {
		t.Error("times are missing")
	}
	stick, err := w.Stick(t.Context(), got.StickID)
	if err != nil {
		t.Fatal(err)
	}
	if stick.State != store.StickVerified || stick.ImageVersionID != w.version.ID || stick.DiskID != "deadbeef" ||
		stick.Layout != protocol.LayoutMBRDual || stick.LastBuildID != got.ID {
		t.Errorf("stick %+v", stick)
	}
	// queued, assigned, started, six from the host, succeeded
	events, err := w.JobEvents(t.Context(), job.ID, 0, 0)
	if err != nil || len(events) != 10 || events[9].Type != store.EventJobSucceeded {
		t.Fatalf("%d events, %v", len(events), err)
	}
	for i, e := range events {
		if e.Seq != int64(i+1) {
			t.Errorf("event %d has seq %d", i, e.Seq)
		}
	}
	report, err := events[6].Report()
	if err != nil || report.Log == nil || report.Log.Text != "nul \uFFFD and \\u0000" {
		t.Errorf("log line %+v, %v", report.Log, err)
	}
	w.checkHistory()

	// The same stick is recognised, and pressed again.
	second := w.mustQueue(w.host.ID, 1)
	if second.Builds[0].StickID != stick.ID {
		t.Error("the stick was not recognised by its serial")
	}
	w.checkHistory()
}

func TestBusyStick(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.mustQueue(w.host.ID, 1)
	_, err := w.queue(w.host.ID, 2, 1)
	wantCode(t, err, store.CodeStickBusy)
	_, err = w.queue(w.host.ID, 3, 3)
	wantCode(t, err, store.CodeStickBusy)
	_, err = w.queue(w.host.ID)
	wantCode(t, err, store.CodeNoSticks)

	// A stick that looks the same on another host cannot be this one, unless
	// somebody says so.
	other := w.enroll("bench-2")
	twin := w.mustQueue(other.ID, 1)
	if twin.Builds[0].StickID == first.Builds[0].StickID {
		t.Error("a busy stick was found on another host")
	}
	_, err = try(t.Context(), w.Store, func(tx *store.Tx) (store.Job, error) {
		return tx.QueueJob(t.Context(), store.NewJob{
			HostID: other.ID, Kind: protocol.JobPress, ImageVersionID: w.version.ID, TaskSequenceVersionID: w.sequence.ID,
			Builds: []store.NewBuild{{Device: device(5), StickID: first.Builds[0].StickID}}, By: w.by,
		})
	})
	wantCode(t, err, store.CodeStickBusy)

	in(t, w.Store, func(tx *store.Tx) (store.Job, error) { return tx.RequestCancel(t.Context(), first.ID, w.by) })
	w.mustQueue(w.host.ID, 2, 1)
	w.checkHistory()
}

// Two people confirm the same stick at the same moment.
func TestBusyStickRace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	errs := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := w.queue(w.host.ID, 1)
			errs <- err
		}()
	}
	a, b := <-errs, <-errs
	if (a == nil) == (b == nil) {
		t.Fatalf("errors %v and %v: want one", a, b)
	}
	if a == nil {
		a = b
	}
	wantCode(t, a, store.CodeStickBusy)
}

func TestSticksThatLookAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := device(1), device(2)
	b.Serial = a.Serial
	a.DuplicateOf, b.DuplicateOf = 1, 1
	n := store.NewJob{
		HostID: w.host.ID, Kind: protocol.JobPress, ImageVersionID: w.version.ID, TaskSequenceVersionID: w.sequence.ID,
		Builds: []store.NewBuild{{Device: a}, {Device: b}}, By: w.by,
	}
	job := in(t, w.Store, func(tx *store.Tx) (store.Job, error) { return tx.QueueJob(t.Context(), n) })
	if job.Builds[0].StickID == job.Builds[1].StickID {
		t.Error("two sticks with one serial became one")
	}
	found, err := w.MatchSticks(t.Context(), w.host.ID, []protocol.Device{a, device(1), device(7)})
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range found {
		if !id.IsZero() {
			t.Errorf("device %d was taken for %s", i, id)
		}
	}
	// A serial that another host sees at the same time names nothing.
	w.mustQueue(w.host.ID, 5)
	match := func() store.StickID {
		found, err := w.MatchSticks(t.Context(), w.host.ID, []protocol.Device{device(5)})
		if err != nil {
			t.Fatal(err)
		}
		return found[0]
	}
	if match().IsZero() {
		t.Error("a stick with a serial of its own was not recognised")
	}
	other := w.enroll("bench-2")
	seen := &protocol.Inventory{Devices: []protocol.Device{device(5)}}
	if err := w.SetInventory(t.Context(), other.ID, other.Session, seen); err != nil {
		t.Fatal(err)
	}
	if !match().IsZero() {
		t.Error("one of two sticks with one serial was recognised")
	}
	w.checkHistory()
}

func TestQueueRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.queue(store.HostID{1}, 1)
	wantCode(t, err, "host_not_found")
	in(t, w.Store, func(tx *store.Tx) (store.Version, error) {
		return tx.SetVersionState(t.Context(), w.version.ID, w.version.Revision, store.VersionWithdrawn)
	})
	_, err = w.queue(w.host.ID, 1)
	wantCode(t, err, store.CodeVersionWithdrawn)
	in(t, w.Store, func(tx *store.Tx) (store.Host, error) { return tx.RevokeHost(t.Context(), w.host.ID, w.by) })
	_, err = w.queue(w.host.ID, 1)
	wantCode(t, err, store.CodeHostRevoked)
}

func TestListsPageByKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for port := range 5 {
		w.mustQueue(w.host.ID, port+1)
	}
	seen := map[store.JobID]bool{}
	var page store.JobPage
	page.Limit = 2
	for {
		jobs, err := w.Jobs(t.Context(), store.JobFilter{HostID: w.host.ID, States: []store.JobState{store.JobQueued}, Page: page})
		if err != nil {
			t.Fatal(err)
		}
		if len(jobs) == 0 {
			break
		}
		for _, j := range jobs {
			if seen[j.ID] || len(j.Builds) != 1 {
				t.Errorf("job %s: seen %t, %d builds", j.ID, seen[j.ID], len(j.Builds))
			}
			seen[j.ID] = true
		}
		page.Before = jobs[len(jobs)-1].ID
	}
	if len(seen) != 5 {
		t.Errorf("%d of 5 jobs", len(seen))
	}
	builds, err := w.Builds(t.Context(), store.BuildFilter{HostID: w.host.ID, States: []store.BuildState{store.BuildQueued}})
	if err != nil || len(builds) != 5 {
		t.Errorf("%d builds, %v", len(builds), err)
	}
	sticks, err := w.Sticks(t.Context(), store.StickFilter{HostID: w.host.ID, State: store.StickUnknown, Serial: device(1).Serial})
	if err != nil || len(sticks) != 1 {
		t.Errorf("%d sticks, %v", len(sticks), err)
	}
	counts, err := w.LiveCounts(t.Context(), nil)
	if err != nil || counts.JobsQueued != 5 || counts.BuildsQueued != 5 || counts.BuildsLive != 0 {
		t.Errorf("counts %+v, %v", counts, err)
	}
	for _, f := range []store.JobFilter{
		{ImageID: w.version.ImageID, ImageVersionID: w.version.ID, Reference: "INC-1"}, {ImageID: store.ImageID{1}},
	} {
		want := 5
		if f.Reference == "" {
			want = 0
		}
		if jobs, err := w.Jobs(t.Context(), f); err != nil || len(jobs) != want {
			t.Errorf("%d jobs of an image, want %d, %v", len(jobs), want, err)
		}
	}
	none, err := w.Jobs(t.Context(), store.JobFilter{Sites: []store.SiteID{{9}}, Reference: "INC-1"})
	if err != nil || len(none) != 0 {
		t.Errorf("%d jobs of another site, %v", len(none), err)
	}
}
