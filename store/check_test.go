package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// recorded is a press whose stick can be compared later.
func (w *world) recorded(port int, diskID string, body []byte) store.Stick {
	w.t.Helper()
	job, err := w.give(protocol.JobPress, "", port)
	if err != nil {
		w.t.Fatal(err)
	}
	s, _ := w.done(job, protocol.Event{Type: protocol.EventVerified, Result: &protocol.Result{DiskID: diskID, Record: &protocol.StickRecord{
		StickID: job.Builds[0].StickID.String(), DiskID: diskID, Bytes: device(port).Bytes, Common: digest(body),
	}}})
	return s
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// compared runs a verification of the stick in a port to its end.
func (w *world) compared(port int, end protocol.Event) store.Job {
	w.t.Helper()
	job, err := w.give(protocol.JobVerify, "", port)
	if err != nil {
		w.t.Fatal(err)
	}
	ref := w.claim(w.host, 1)[0].Builds[0].Ref()
	w.report(w.host, said(ref, 1, protocol.Event{Type: protocol.EventAccepted}, protocol.Event{Type: protocol.EventStepBegun, Step: protocol.StepVerify}, end)...)
	return w.job(job.ID)
}

func intact(s store.Stick) protocol.Event {
	return protocol.Event{Type: protocol.EventVerified, Result: &protocol.Result{Check: &protocol.CheckResult{
		StickID: s.ID.String(), DiskID: s.DiskID, Outcome: protocol.OutcomeIntact,
	}}}
}

// What a comparison found is the stick's, whichever stick the console took it
// for; what the stick carries stays what it was.
func TestStickChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.checkHistory()
	a, b := w.recorded(1, "0000000a", []byte(`{"format":1}`)), w.recorded(2, "0000000b", []byte(`{"format":1}`))
	if job := w.compared(1, intact(a)); job.State != store.JobSucceeded || job.Builds[0].Touched {
		t.Errorf("%+v", job)
	}
	now := w.stick(a.ID)
	if now.CheckedAt == nil || now.CheckResult == nil || now.CheckResult.Outcome != protocol.OutcomeIntact || now.CheckFault != nil {
		t.Errorf("checked at %v: %+v, %v", now.CheckedAt, now.CheckResult, now.CheckFault)
	}
	if now.State != store.StickVerified || now.ImageVersionID != a.ImageVersionID || now.LastBuildID != a.LastBuildID || now.DiskID != a.DiskID {
		t.Errorf("%+v, was %+v", now, a)
	}
	// The stick in port 1 is b, as its content says.
	broken := protocol.NewFault(protocol.FaultVerify, "offset", 7, "stick", b.ID, "disk_id", b.DiskID)
	if job := w.compared(1, protocol.Event{Type: protocol.EventFailed, Fault: broken}); job.State != store.JobFailed {
		t.Errorf("%+v", job)
	}
	if now := w.stick(b.ID); now.CheckFault == nil || now.CheckFault.Params["offset"] != "7" || now.CheckResult != nil || now.State != store.StickVerified {
		t.Errorf("%+v, %v", now.CheckResult, now.CheckFault)
	}
	if again := w.stick(a.ID); again.Seq != now.Seq {
		t.Error("the other stick's comparison is in the history of the one in the port")
	}
	// Neither a disk that the stick does not carry any more, nor a fault that
	// is not about its content, nor a stick that nobody knows, says anything.
	old := b
	old.DiskID = "0000000c"
	w.compared(2, intact(old))
	w.compared(2, protocol.Event{Type: protocol.EventFailed, Fault: protocol.NewFault(protocol.FaultNoRecord, "stick", b.ID)})
	unknown := intact(b)
	unknown.Result.Check.StickID = "stick_of_somebody"
	w.compared(2, unknown)
	if now := w.stick(b.ID); now.CheckFault == nil {
		t.Errorf("%+v", now.CheckResult)
	}
	// A new press makes what was found before meaningless.
	if now := w.recorded(2, "0000000d", []byte(`{"format":1}`)); now.CheckedAt != nil || now.CheckFault != nil {
		t.Errorf("after a press: %v", now.CheckFault)
	}
}

// A stick that is whole but carries another version than is recorded is not as it
// should be: it must not be handed out as what it is not.
func TestStickOfAnotherVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	defer w.checkHistory()
	own, other, unknown := []byte(`{"format":1,"chunks":"AQ=="}`), []byte(`{"format":1,"chunks":"Ag=="}`), []byte(`{"format":1,"chunks":"Aw=="}`)
	a := w.recorded(1, "0000000c", own)
	w.recorded(2, "0000000c", other)
	fits := func(body []byte) store.Stick {
		t.Helper()
		end := intact(a)
		end.Result.Check.Common = digest(body)
		if job := w.compared(1, end); job.State != store.JobSucceeded {
			t.Errorf("%+v", job)
		}
		return w.stick(a.ID)
	}
	if s := fits(own); s.CheckFault != nil {
		t.Errorf("its own content: %v", s.CheckFault)
	}
	for _, c := range []struct {
		body    []byte
		version string
	}{{other, w.version.Version}, {unknown, "–"}} {
		s := fits(c.body)
		if f := s.CheckFault; f == nil || f.Code != string(store.CodeOtherContent) || f.Params["version"] != c.version || s.CheckResult == nil {
			t.Errorf("%v with %+v, want %s and version %s", f, s.CheckResult, store.CodeOtherContent, c.version)
		}
		if _, err := try(t.Context(), w.Store, func(tx *store.Tx) (store.Stick, error) {
			return tx.IssueStick(t.Context(), a.ID, store.StickHandover{Holder: "Ada"}, w.by)
		}); err == nil {
			t.Error("it was handed out")
		}
	}
	if s := fits(own); s.CheckFault != nil {
		t.Errorf("its own content again: %v", s.CheckFault)
	}
}

// Versions of a disk image that share the disk's ID are told apart by their
// common parts, and each is known by its own.
func TestContentsOfADisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	first, second := []byte(`{"format":1,"chunks":"AQ=="}`), []byte(`{"format":1,"chunks":"Ag=="}`)
	a, b := w.recorded(1, "0000000c", first), w.recorded(2, "0000000c", second)
	if a.Bytes != b.Bytes {
		t.Fatal("the sticks differ in size")
	}
	for _, body := range [][]byte{first, second} {
		in(t, w.Store, none(func(tx *store.Tx) error {
			return tx.PutRecord(ctx, w.host.ID, &protocol.Record{WantRecord: protocol.WantRecord{Common: digest(body)}, Body: body})
		}))
	}
	for _, c := range []struct {
		stick store.Stick
		body  []byte
	}{{a, first}, {b, second}} {
		r, err := w.RecordOfContent(ctx, w.host.ID, "0000000c", a.Bytes, digest(c.body))
		if err != nil || r.StickID != c.stick.ID || !bytes.Equal(r.Body, c.body) {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if list, err := w.ContentsOfDisk(ctx, w.host.ID, "0000000c", a.Bytes); err != nil || len(list) != 2 || list[0] != digest(second) {
		t.Errorf("%v, %v", list, err)
	}
	if id, err := w.VersionOfRecord(ctx, digest(first)); err != nil || id != w.version.ID {
		t.Errorf("%s, %v", id, err)
	}
	_, err := w.VersionOfRecord(ctx, digest([]byte("1")))
	wantCode(t, err, "image_version_not_found")
}

func TestRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	body, lost := []byte(`{"format":1,"chunks":"AA=="}`), []byte(`{"format":1}`)
	a, b := w.recorded(1, "0000000a", body), w.recorded(2, "0000000b", lost)
	missing := func(want ...string) {
		t.Helper()
		got, err := w.MissingRecords(ctx, w.host.ID)
		if err != nil || len(got) != len(want) {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
	}
	put := func(host store.HostID, common string, body []byte) error {
		_, err := try(ctx, w.Store, none(func(tx *store.Tx) error {
			return tx.PutRecord(ctx, host, &protocol.Record{WantRecord: protocol.WantRecord{Common: common}, Body: body})
		}))
		return err
	}
	missing(digest(body), digest(lost))
	_, err := w.RecordOfStick(ctx, a.ID)
	wantCode(t, err, "record_not_found")
	for name, err := range map[string]error{
		"something else":       put(w.host.ID, digest(body), []byte(`{"format":2}`)),
		"of nobody's stick":    put(w.host.ID, digest([]byte("1")), []byte("1")),
		"of another host's":    put(w.enroll("other").ID, digest(body), body),
		"too long":             put(w.host.ID, digest(body), bytes.Repeat([]byte(" "), protocol.MaxRecord+1)),
		"nothing for no stick": put(w.host.ID, digest([]byte("1")), nil),
	} {
		if !fault.From(err).Is(fault.New(fault.KindInvalid, store.CodeRecordRefused)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := put(w.host.ID, digest(body), body); err != nil {
		t.Fatal(err)
	}
	if err := put(w.host.ID, digest(lost), nil); err != nil {
		t.Fatal(err)
	}
	missing() // the one that the host does not have is not asked for again
	r, err := w.RecordOfStick(ctx, a.ID)
	if err != nil || r.StickID != a.ID || r.Own.DiskID != "0000000a" || !bytes.Equal(r.Body, body) {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := w.RecordOfDisk(ctx, w.host.ID, "0000000a", device(1).Bytes); err != nil || r.StickID != a.ID {
		t.Errorf("%+v, %v", r, err)
	}
	for _, find := range []func(context.Context) (store.StickRecord, error){
		func(ctx context.Context) (store.StickRecord, error) { return w.RecordOfStick(ctx, b.ID) },
		func(ctx context.Context) (store.StickRecord, error) {
			return w.RecordOfDisk(ctx, w.host.ID, "0000000a", device(1).Bytes-512)
		},
		func(ctx context.Context) (store.StickRecord, error) {
			return w.RecordOfDisk(ctx, w.host.ID, "", device(1).Bytes)
		},
	} {
		_, err := find(ctx)
		wantCode(t, err, "record_not_found")
	}
	// A host of another site is told of none of it.
	if _, err := w.Pool().Exec(ctx, `INSERT INTO sites (id, name, created_at, updated_at) VALUES ($1, 'elsewhere', now(), now())`, store.SiteID{7}); err != nil {
		t.Fatal(err)
	}
	far := w.enroll("far")
	if _, err := w.Pool().Exec(ctx, `UPDATE hosts SET site_id = $1 WHERE id = $2`, store.SiteID{7}, far.ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.RecordOfDisk(ctx, far.ID, "0000000a", device(1).Bytes)
	wantCode(t, err, "record_not_found")
	if _, err := w.RecordOfDisk(ctx, w.enroll("near").ID, "0000000a", device(1).Bytes); err != nil {
		t.Errorf("another host of the site: %v", err)
	}
	// Another press of that content, on a host that has it, is a new chance.
	if lacking, err := w.LacksRecords(ctx, w.host.ID, []string{digest(body), digest(lost), digest([]byte("1"))}); err != nil || len(lacking) != 1 || lacking[0] != digest(lost) {
		t.Errorf("lacking %v, %v", lacking, err)
	}
	if lacking, err := w.LacksRecords(ctx, w.enroll("third").ID, []string{digest(lost)}); err != nil || len(lacking) != 0 {
		t.Errorf("a host that wrote none of it is asked for %v, %v", lacking, err)
	}
	if err := put(w.host.ID, digest(lost), lost); err != nil {
		t.Fatal(err)
	}
	if err := put(w.host.ID, digest(lost), nil); err != nil { // and stays
		t.Fatal(err)
	}
	if r, err := w.RecordOfStick(ctx, b.ID); err != nil || !json.Valid(r.Body) {
		t.Errorf("%+v, %v", r, err)
	}
}

// A host that names by no digest what it wrote is asked for nothing.
func TestRecordWithoutADigest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job, err := w.give(protocol.JobPress, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	const name = "no digest"
	w.done(job, protocol.Event{Type: protocol.EventVerified, Result: &protocol.Result{Record: &protocol.StickRecord{Common: name}}})
	if missing, err := w.MissingRecords(t.Context(), w.host.ID); err != nil || len(missing) != 0 {
		t.Errorf("missing %q, %v", missing, err)
	}
	if lacking, err := w.LacksRecords(t.Context(), w.host.ID, []string{name}); err != nil || len(lacking) != 0 {
		t.Errorf("lacking %q, %v", lacking, err)
	}
	_, err = try(t.Context(), w.Store, none(func(tx *store.Tx) error {
		return tx.PutRecord(t.Context(), w.host.ID, &protocol.Record{WantRecord: protocol.WantRecord{Common: name}})
	}))
	wantCode(t, err, store.CodeRecordRefused)
}
