package store_test

import (
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// give queues a job for the stick in a port, for a holder, with overrides.
func (w *world) give(kind protocol.JobKind, holder string, port int, overrides ...string) (store.Job, error) {
	n := store.NewJob{HostID: w.host.ID, Kind: kind, Holder: holder, Overrides: overrides, By: w.by}
	switch kind { //nolint:exhaustive // the others are not given
	case protocol.JobPress:
		n.ImageVersionID, n.TaskSequenceVersionID = w.version.ID, w.sequence.ID
	case protocol.JobRaw:
		n.ImageVersionID = w.version.ID
	case protocol.JobWipe:
		n.Options.Wipe = &protocol.WipeOptions{Method: protocol.WipeAuto, Passes: 2}
	}
	n.Builds = []store.NewBuild{{Device: device(port)}}
	return try(w.t.Context(), w.Store, func(tx *store.Tx) (store.Job, error) { return tx.QueueJob(w.t.Context(), n) })
}

// done brings a job's only build to its end and returns the stick.
func (w *world) done(job store.Job, events ...protocol.Event) (store.Stick, store.Applied) {
	w.t.Helper()
	ref := w.claim(w.host, 1)[0].Builds[0].Ref()
	applied := w.report(w.host, said(ref, 1, append([]protocol.Event{{Type: protocol.EventAccepted}, {Type: protocol.EventTouched}}, events...)...)...)
	return w.stick(job.Builds[0].StickID), applied
}

func (w *world) stick(id store.StickID) store.Stick {
	w.t.Helper()
	s, err := w.Stick(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) pressed(holder string, port int, overrides ...string) store.Stick {
	w.t.Helper()
	job, err := w.give(protocol.JobPress, holder, port, overrides...)
	if err != nil {
		w.t.Fatal(err)
	}
	s, _ := w.done(job, protocol.Event{Type: protocol.EventVerified, Result: &protocol.Result{DiskID: "deadbeef"}})
	return s
}

func broken() protocol.Event {
	f := protocol.NewFault(protocol.FaultWrite)
	f.Touched = true
	return protocol.Event{Type: protocol.EventFailed, Fault: f}
}

// erased is the result of a good wipe of a device of this package's tests.
func erased() *protocol.Result {
	bytes := device(1).Bytes
	return &protocol.Result{
		BytesWritten: 2*bytes + 4<<20, BytesVerified: bytes,
		Wipe: &protocol.WipeResult{Asked: protocol.WipeAuto, Method: protocol.WipeOverwrite, Passes: 2, Bytes: bytes},
	}
}

func (w *world) wiped(port int) (store.Stick, store.Applied) {
	w.t.Helper()
	job, err := w.give(protocol.JobWipe, "", port)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.done(job, protocol.Event{Type: protocol.EventVerified, Result: erased()})
}

// What was pressed for one holder does not come into the hands of another.
func TestHolderOfAStick(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	refused := func(kind protocol.JobKind, holder, previous string) {
		t.Helper()
		_, err := w.give(kind, holder, 1)
		wantCode(t, err, store.CodeStickNotWiped)
		if p := paramsOf(err); p["holder"] != previous || p["port"] != "1-1" {
			t.Errorf("%v", p)
		}
	}
	is := func(s store.Stick, state store.StickState, life store.StickLife, holder string) {
		t.Helper()
		if s.State != state || s.Life != life || s.Holder != holder {
			t.Errorf("%s, %s, held by %q; want %s, %s, %q", s.State, s.Life, s.Holder, state, life, holder)
		}
	}
	const lets = string(store.CodeStickNotWiped)

	is(w.pressed("Ada Lovelace", 1), store.StickVerified, store.StickIssued, "Ada Lovelace")
	refused(protocol.JobPress, "Bob", "Ada Lovelace")
	refused(protocol.JobRaw, "Bob", "Ada Lovelace")
	refused(protocol.JobPress, "", "Ada Lovelace")
	is(w.pressed("ada  lovelace", 1), store.StickVerified, store.StickIssued, "ada  lovelace")

	// A wipe that fails changes nothing of it.
	job, err := w.give(protocol.JobWipe, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	s, applied := w.done(job, broken())
	is(s, store.StickIncomplete, store.StickIssued, "ada  lovelace")
	if len(applied.Wiped) != 0 {
		t.Error("a wipe that failed is to be certified")
	}
	refused(protocol.JobPress, "Bob", "ada  lovelace")

	s, applied = w.wiped(1)
	is(s, store.StickWiped, store.StickStock, "")
	if len(applied.Wiped) != 1 || applied.Wiped[0].Holder != "ada  lovelace" || applied.Wiped[0].CertificateID.IsZero() ||
		applied.Wiped[0].Stick.ID != s.ID || applied.Wiped[0].Build.State != store.BuildVerified {
		t.Errorf("%+v", applied.Wiped)
	}
	is(w.pressed("Bob", 1), store.StickVerified, store.StickIssued, "Bob")

	// An admin lets one job pass; if that fails the stick may hold something of both.
	job, err = w.give(protocol.JobPress, "Carol", 1, lets)
	if err != nil {
		t.Fatal(err)
	}
	s, _ = w.done(job, broken())
	is(s, store.StickIncomplete, store.StickIssued, "Bob; Carol")
	refused(protocol.JobPress, "Bob", "Bob; Carol")
	refused(protocol.JobRaw, "Carol", "Bob; Carol")
	if job, err = w.give(protocol.JobPress, "carol", 1, lets); err != nil {
		t.Fatal(err)
	}
	s, _ = w.done(job, broken())
	is(s, store.StickIncomplete, store.StickIssued, "Bob; Carol")
	is(w.pressed("", 1, lets), store.StickVerified, store.StickStock, "")
	is(w.pressed("Carol", 1), store.StickVerified, store.StickIssued, "Carol")

	// One that was begun for somebody has something of theirs on it.
	job, err = w.give(protocol.JobPress, "Dan", 2)
	if err != nil {
		t.Fatal(err)
	}
	s, _ = w.done(job, broken())
	is(s, store.StickIncomplete, store.StickStock, "Dan")
	w.checkHistory()
}

func TestReturnedStick(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	back := func(id store.StickID) (store.Stick, error) {
		return try(t.Context(), w.Store, func(tx *store.Tx) (store.Stick, error) { return tx.ReturnStick(t.Context(), id, w.by) })
	}
	s := w.pressed("", 1) // nobody knows who had it
	for range 2 {
		if got, err := back(s.ID); err != nil || got.Life != store.StickReturned || got.State != store.StickVerified {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if events, err := w.StickEvents(t.Context(), s.ID, s.Seq, 0); err != nil || len(events) != 1 ||
		events[0].Type != store.EventStickReturned || events[0].ActorID != w.by.ID {
		t.Errorf("%+v, %v", events, err)
	}
	if _, err := w.settle(s.ID, store.DataNone); err != nil {
		t.Fatal(err)
	}
	_, err := w.give(protocol.JobPress, "", 1)
	wantCode(t, err, store.CodeStickNotWiped)
	job, err := w.give(protocol.JobWipe, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := w.done(job, protocol.Event{Type: protocol.EventVerified, Result: erased()}); got.Life != store.StickStock {
		t.Errorf("a wiped stick is %s", got.Life)
	}

	s = w.pressed("Ada", 2)
	if _, err := back(s.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.settle(s.ID, store.DataCopied); err != nil {
		t.Fatal(err)
	}
	_, err = w.give(protocol.JobPress, "Bob", 2)
	wantCode(t, err, store.CodeStickNotWiped)
	if s = w.pressed("Ada", 2); s.Life != store.StickIssued {
		t.Errorf("pressed again for the same holder it is %s", s.Life)
	}

	if _, err := w.give(protocol.JobWipe, "", 2); err != nil {
		t.Fatal(err)
	}
	_, err = back(s.ID)
	wantCode(t, err, store.CodeStickBusy)
	_, err = back(store.StickID{1})
	wantCode(t, err, "stick_not_found")
	w.checkHistory()
}

// The console believes no wipe that its host does not prove.
func TestWipeUnproven(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*protocol.Result){
		"no result":         nil,
		"no wipe":           func(r *protocol.Result) { r.Wipe = nil },
		"not all read back": func(r *protocol.Result) { r.BytesVerified -= 512 },
		"a smaller device":  func(r *protocol.Result) { r.Wipe.Bytes -= 512; r.BytesVerified -= 512 },
		"written once":      func(r *protocol.Result) { r.BytesWritten /= 2 },
		"no passes":         func(r *protocol.Result) { r.Wipe.Passes = 0 },
		"fewer than asked":  func(r *protocol.Result) { r.Wipe.Passes = 1 },
		"asked otherwise":   func(r *protocol.Result) { r.Wipe.Asked = protocol.WipeOverwrite },
		"strange method":    func(r *protocol.Result) { r.Wipe.Method = "magnet" },
		"half a discard":    func(r *protocol.Result) { r.Wipe.Method = protocol.WipeDiscard },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			job, err := w.give(protocol.JobWipe, "", 1)
			if err != nil {
				t.Fatal(err)
			}
			var res *protocol.Result
			if change != nil {
				res = erased()
				change(res)
			}
			s, applied := w.done(job, protocol.Event{Type: protocol.EventVerified, Result: res})
			b := w.job(job.ID).Builds[0]
			if s.State != store.StickIncomplete || b.State != store.BuildFailed || b.Fault.Code != string(store.CodeWipeUnproven) || len(applied.Wiped) != 0 {
				t.Errorf("stick %s, build %s, %v", s.State, b.State, b.Fault)
			}
			w.checkHistory()
		})
	}
}

func TestCertificateIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, applied := w.wiped(1)
	c := store.Certificate{
		ID: applied.Wiped[0].CertificateID, StickID: s.ID, BuildID: applied.Wiped[0].Build.ID,
		Protected: "a", Payload: "b", Signature: "c", IssuedAt: s.UpdatedAt,
	}
	keep := func() error {
		_, err := try(t.Context(), w.Store, none(func(tx *store.Tx) error { return tx.IssueCertificate(t.Context(), c) }))
		return err
	}
	if err := keep(); err != nil {
		t.Fatal(err)
	}
	if got, err := w.Certificate(t.Context(), c.ID); err != nil || got != c {
		t.Errorf("%+v, %v", got, err)
	}
	if list, err := w.StickCertificates(t.Context(), s.ID); err != nil || len(list) != 1 || list[0] != c {
		t.Errorf("%+v, %v", list, err)
	}
	if found, err := w.BuildCertificates(t.Context(), []store.BuildID{c.BuildID, {1}}); err != nil || len(found) != 1 || found[c.BuildID] != c.ID {
		t.Errorf("%v, %v", found, err)
	}
	if err := keep(); err == nil {
		t.Error("a second certificate for one build")
	}
	for _, sql := range []string{`UPDATE certificates SET payload = 'x'`, `DELETE FROM certificates`, `TRUNCATE certificates`} {
		if _, err := w.Pool().Exec(t.Context(), sql); err == nil {
			t.Errorf("%s is allowed", sql)
		}
	}
	_, err := w.Certificate(t.Context(), store.CertificateID{1})
	wantCode(t, err, "certificate_not_found")
}

// A stick without a serial is known by the manifest that lies on it; whoever
// carries its ID, it must not come to somebody else.
func TestHolderOfAStickWithoutASerial(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nameless := func(port int, found store.StickID) protocol.Device {
		d := device(port)
		d.Serial = ""
		if !found.IsZero() {
			d.FoundID = found.String()
		}
		return d
	}
	order := func(holder string, overrides []string, devices ...protocol.Device) (store.Job, error) {
		n := store.NewJob{
			HostID: w.host.ID, Kind: protocol.JobPress, ImageVersionID: w.version.ID, TaskSequenceVersionID: w.sequence.ID,
			Holder: holder, Overrides: overrides, By: w.by,
		}
		for _, d := range devices {
			n.Builds = append(n.Builds, store.NewBuild{Device: d})
		}
		return try(t.Context(), w.Store, func(tx *store.Tx) (store.Job, error) { return tx.QueueJob(t.Context(), n) })
	}
	job, err := order("Ada", nil, nameless(1, store.StickID{}))
	if err != nil {
		t.Fatal(err)
	}
	stick, _ := w.done(job, protocol.Event{Type: protocol.EventVerified, Result: &protocol.Result{DiskID: "deadbeef"}})
	// In another socket, days later.
	found := nameless(4, stick.ID)
	_, err = order("Bob", nil, found)
	wantCode(t, err, store.CodeStickNotWiped)
	// Nor do two that carry one ID, or one of another size: copies of it.
	other := nameless(5, stick.ID)
	other.Bytes /= 2
	_, err = order("Bob", nil, other)
	wantCode(t, err, store.CodeStickNotWiped)
	_, err = order("Bob", nil, found, nameless(6, stick.ID))
	wantCode(t, err, store.CodeStickNotWiped)
	again, err := order("Ada", nil, found)
	if err != nil || again.Builds[0].StickID != stick.ID {
		t.Fatalf("for the same person: %+v, %v", again.Builds, err)
	}
	if s := w.stick(stick.ID); s.Port != found.Port {
		t.Errorf("seen in %s", s.Port)
	}
	// IDs that nobody gave are no reason.
	strange := nameless(7, store.StickID{9})
	if _, err := order("Bob", nil, strange); err != nil {
		t.Error(err)
	}
	strange.Port, strange.FoundID = "1-8", "'; DROP TABLE sticks"
	if _, err := order("Bob", nil, strange); err != nil {
		t.Error(err)
	}
	w.checkHistory()
}

// What a host finds in the device of an attempt is judged as when queueing.
func TestJudgeFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	adas := w.pressed("Ada", 1)
	free, _ := w.wiped(2)
	judge := func(host store.HostID, ref protocol.AttemptRef, id string) (*protocol.Fault, error) {
		return w.JudgeFound(t.Context(), host, &protocol.FoundStick{AttemptRef: ref, StickID: id})
	}
	if _, err := w.give(protocol.JobPress, "Bob", 3); err != nil {
		t.Fatal(err)
	}
	bobs := w.claim(w.host, 1)[0].Builds[0].Ref()
	f, err := judge(w.host.ID, bobs, adas.ID.String())
	if err != nil || f == nil || f.Code != string(store.CodeStickNotWiped) || f.Params["holder"] != "Ada" || f.Touched {
		t.Errorf("Ada's stick for Bob: %v, %v", f, err)
	}
	for _, id := range []string{free.ID.String(), store.StickID{9}.String(), "no ID"} {
		if f, err := judge(w.host.ID, bobs, id); err != nil || f != nil {
			t.Errorf("%s: %v, %v", id, f, err)
		}
	}
	_, err = judge(w.enroll("bench-2").ID, bobs, adas.ID.String())
	wantCode(t, err, "attempt_not_found")
	if _, err := w.give(protocol.JobPress, "Bob", 4, string(store.CodeStickNotWiped)); err != nil {
		t.Fatal(err)
	}
	if f, err := judge(w.host.ID, w.claim(w.host, 1)[0].Builds[0].Ref(), adas.ID.String()); err != nil || f != nil {
		t.Errorf("an admin let it pass: %v, %v", f, err)
	}
}

// A stick is wiped as itself: no certificate goes to another one.
func TestJudgeFoundForAWipe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	adas, lost := w.pressed("Ada", 1), w.pressed("Bob", 2)
	if _, err := try(t.Context(), w.Store, func(tx *store.Tx) (store.Stick, error) {
		return tx.DeclareStickLost(t.Context(), lost.ID, "", nil, w.by)
	}); err != nil {
		t.Fatal(err)
	}
	judge := func(port int, found store.StickID) *protocol.Fault {
		t.Helper()
		if _, err := w.give(protocol.JobWipe, "", port); err != nil {
			t.Fatal(err)
		}
		ref := w.claim(w.host, 1)[0].Builds[0].Ref()
		f, err := w.JudgeFound(t.Context(), w.host.ID, &protocol.FoundStick{AttemptRef: ref, StickID: found.String()})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	want := func(f *protocol.Fault, code, stick string) {
		t.Helper()
		if f == nil || f.Code != code || f.Params["stick"] != stick || f.Touched {
			t.Errorf("%v, want %s about %q", f, code, stick)
		}
	}
	if f := judge(1, adas.ID); f != nil {
		t.Errorf("Ada's stick as itself: %v", f)
	}
	want(judge(3, adas.ID), string(store.CodeWipeOther), adas.ID.String())
	want(judge(4, lost.ID), string(store.CodeStickLost), "")
	// A copy: the console sees both, and took each for what its hardware says.
	original, copied := device(1), device(5)
	original.FoundID, copied.FoundID = adas.ID.String(), adas.ID.String()
	if err := w.SetInventory(t.Context(), w.host.ID, w.host.Session, &protocol.Inventory{Devices: []protocol.Device{original, copied}}); err != nil {
		t.Fatal(err)
	}
	if f := judge(5, adas.ID); f != nil {
		t.Errorf("a copy of Ada's stick: %v", f)
	}
}
