package api_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/store"
)

// pressed is a stick with an image, for a holder or for nobody.
func pressed(t *testing.T, f *apitest.Fixture, s api.HostSession, d protocol.Device, holder string) api.Stick {
	t.Helper()
	order := apitest.Order("win11-ent", "bench", d)
	order.Holder = holder
	job := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, order))
	finish(t, f, s, job, protocol.Result{DiskID: "deadbeef"})
	return must[api.Stick](t)(f.GetStick(t.Context(), f.Viewer, job.Builds[0].StickID))
}

// What scanners type: the address under whichever name the console had, in
// capitals, with the signs of another keyboard, and the short name.
func TestFindScanned(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	d := apitest.Stick("a")
	_, s := f.Connect(t, "bench", d)
	stick := pressed(t, f, s, d, "")
	other := stick.ID[:len(stick.ID)-1] + "0"
	if strings.HasSuffix(stick.ID, "0") {
		other = stick.ID[:len(stick.ID)-1] + "1"
	}
	for _, code := range []string{
		stick.ID, " " + stick.ID + "\r", strings.ToUpper(stick.ID), api.ShortName(stick.ID), strings.ToLower(api.ShortName(stick.ID)),
		"https://console.example:8080/sticks/" + stick.ID, "HTTPS://OLD.EXAMPLE/STICKS/" + strings.ToUpper(stick.ID) + "?x=1",
		"https>&&console&sticks&" + strings.Replace(stick.ID, "_", "?", 1),
	} {
		if got := must[api.Stick](t)(f.FindScanned(t.Context(), f.Viewer, code)); got.ID != stick.ID {
			t.Errorf("%q is %s", code, got.ID)
		}
	}
	for code, want := range map[string]string{
		"": "scan_empty", " \t": "scan_empty", "4006381333931": "scan_foreign", "https://example.com": "scan_foreign",
		"\xff": "scan_empty", "INC-77": "scan_foreign", strings.Repeat("x", 5000): "scan_foreign", stick.ID[:20]: "scan_foreign", stick.ID + "0": "scan_foreign",
		other: "scan_unknown", api.ShortName(other): "scan_unknown", "stick_" + strings.Repeat("z", 26): "scan_unknown",
	} {
		_, err := f.FindScanned(t.Context(), f.Viewer, code)
		if string(got(err)) != want {
			t.Errorf("%q: %v, want %s", code, err, want)
		}
	}
	// Two are called so: a scanner that typed the whole code would tell.
	_, err := f.Store.Pool().Exec(t.Context(), `INSERT INTO sticks (id, state, life, holder, kind, serial, vid_pid, vendor, model, bytes, host_id, port, lun,
		layout, disk_id, created_at, updated_at, seq)
		SELECT overlay(id::text placing '1' from 1 for 1)::uuid, state, life, holder, kind, 'another', vid_pid, vendor, model, bytes, host_id, port, lun,
		layout, disk_id, created_at, updated_at, seq FROM sticks WHERE serial = $1`, stick.Serial)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.FindScanned(t.Context(), f.Viewer, api.ShortName(stick.ID))
	wantFault(t, err, api.CodeScanTwice)
}

func TestScanStick(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	d := apitest.Stick("a")
	_, s := f.Connect(t, "bench", d)
	stick := pressed(t, f, s, d, "")
	scan := func(act, holder string) (api.Scanned, error) {
		return f.ScanStick(t.Context(), f.Helpdesk, api.ScanStickInput{Code: api.ShortName(stick.ID), Act: act, Holder: holder, Reference: "INC-1"})
	}
	_, err := scan("burn", "")
	wantFault(t, err, api.CodeScanAct)
	_, err = scan(api.ScanIssue, " ")
	wantFault(t, err, api.CodeHolderMissing)
	out := must[api.Scanned](t)(scan(api.ScanIssue, "Ada"))
	if again := must[api.Scanned](t)(scan(api.ScanIssue, "")); again.Stick.Holder != "Ada" || again.Seq != 0 {
		t.Errorf("a stick that was pressed for somebody: %+v", again)
	}
	if out.Stick.Holder != "Ada" || out.Stick.Life != "issued" || out.Seq == 0 {
		t.Errorf("%+v", out)
	}
	if again := must[api.Scanned](t)(scan(api.ScanIssue, "ada")); again.Seq != 0 {
		t.Errorf("scanned again it was done again: %+v", again)
	}
	refused, err := scan(api.ScanIssue, "Bob")
	wantFault(t, err, store.CodeStickIssued)
	if refused.Stick.ID != stick.ID {
		t.Error("it is not said which stick was refused")
	}
	undoable := func() (seqs []int64) {
		for _, e := range must[[]api.StickEvent](t)(f.StickEvents(t.Context(), f.Viewer, stick.ID, 0)) {
			if e.Undoable {
				seqs = append(seqs, e.Seq)
			}
		}
		return seqs
	}
	if got := undoable(); !slices.Equal(got, []int64{out.Seq}) {
		t.Errorf("undoable are %v, and the handover was %d", got, out.Seq)
	}
	undone := must[api.Stick](t)(f.UndoStickMove(t.Context(), f.Helpdesk, stick.ID, out.Seq))
	if got := undoable(); len(got) != 0 {
		t.Errorf("undoable after the undoing: %v", got)
	}
	if undone.Life != stick.Life || undone.Holder != "" || undone.Reference != stick.Reference {
		t.Errorf("undone: %+v", undone)
	}
	_, err = f.UndoStickMove(t.Context(), f.Helpdesk, stick.ID, out.Seq)
	wantFault(t, err, store.CodeStickMovedOn)
	audit := must[api.List[api.AuditEntry]](t)(f.ListAudit(t.Context(), f.Admin, api.AuditFilter{ObjectKind: "stick", ObjectID: stick.ID}, api.Page{}))
	if len(audit.Items) != 2 || audit.Items[0].Action != "undo_stick_move" {
		t.Errorf("audit %+v", audit.Items)
	}

	back := must[api.Scanned](t)(scan(api.ScanReturn, ""))
	if back.Stick.Life != "returned" || back.Stick.Data != api.DataOpen {
		t.Errorf("%+v", back)
	}
	must[api.Stick](t)(f.RetireStick(t.Context(), f.Admin, api.MoveStickInput{ID: stick.ID}))
	_, err = scan(api.ScanReturn, "")
	wantFault(t, err, store.CodeStickRetired)
	must[api.Stick](t)(f.ReturnStick(t.Context(), f.Helpdesk, api.MoveStickInput{ID: stick.ID}))
	must[api.Stick](t)(f.DeclareStickLost(t.Context(), f.Helpdesk, api.MoveStickInput{ID: stick.ID}))
	for _, act := range []string{api.ScanIssue, api.ScanReturn} {
		_, err = scan(act, "Ada")
		wantFault(t, err, store.CodeStickLost)
	}
}
