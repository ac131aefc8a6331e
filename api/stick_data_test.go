package api_test

import (
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// Before a stick that came back is erased, somebody answers for what is on it.
func TestSettleStickData(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	d := apitest.Stick("a")
	_, s := f.Connect(t, "bench", d)
	stick := pressed(t, f, s, d, "Ada")
	must[api.Stick](t)(f.ReturnStick(t.Context(), f.Helpdesk, api.MoveStickInput{ID: stick.ID}))
	device := func() api.Device { return must[api.Host](t)(f.GetHost(t.Context(), f.Viewer, "bench")).Devices[0] }
	there := device()
	for _, kind := range []protocol.JobKind{protocol.JobPress, protocol.JobRaw, protocol.JobWipe} {
		if r := there.Refusal(kind); r == nil || r.Code != string(store.CodeStickDataOpen) || r.Params["stick"] != stick.ID {
			t.Errorf("for %s: %v", kind, r)
		}
	}
	if r := there.Refusal(protocol.JobVerify); r != nil {
		t.Errorf("it cannot be read: %v", r)
	}
	order := wiping(&protocol.WipeOptions{Method: protocol.WipeAuto}, d)
	_, err := f.QueueJob(t.Context(), f.Helpdesk, order)
	wantFault(t, err, store.CodeStickDataOpen)

	for _, x := range []struct {
		data, signer, reason string
		code                 fault.Code
		field                string
	}{
		{"", "", "", api.CodeDataAnswerUnknown, "data"},
		{api.DataOpen, "", "", api.CodeDataAnswerUnknown, "data"},
		{api.DataCopied, "", " ", api.CodeDataReason, "reason"},
		{api.DataGivenUp, "", "worthless", api.CodeSignerMissing, "signer"},
		{api.DataGivenUp, "Ada", "", api.CodeDataReason, "reason"},
		{api.DataGivenUp, strings.Repeat("x", 201), "y", api.CodeTextTooLong, "signer"},
		{api.DataCopied, "", strings.Repeat("y", 4001), api.CodeTextTooLong, "reason"},
	} {
		_, err := f.SettleStickData(t.Context(), f.Helpdesk, api.SettleStickDataInput{Stick: stick.ID, Data: x.data, Signer: x.signer, Reason: x.reason})
		if got := fault.From(err); got.Code != x.code || got.Field != x.field {
			t.Errorf("%+v: %v at %q", x, err, got.Field)
		}
	}
	now := must[api.Stick](t)(f.SettleStickData(t.Context(), f.Helpdesk, api.SettleStickDataInput{
		Stick: stick.ID, Data: api.DataGivenUp, Signer: " Ada Lovelace ", Reason: "only holiday pictures",
	}))
	if now.Data != api.DataGivenUp {
		t.Errorf("%+v", now)
	}
	events := must[[]api.StickEvent](t)(f.StickEvents(t.Context(), f.Viewer, stick.ID, stick.Revision))
	if e := events[len(events)-1]; e.Type != "stick_data_settled" || e.Signer != "Ada Lovelace" || e.Reason != "only holiday pictures" || e.Data != api.DataGivenUp {
		t.Errorf("%+v", e)
	}
	audit := must[api.List[api.AuditEntry]](t)(f.ListAudit(t.Context(), f.Admin, api.AuditFilter{ObjectKind: "stick", ObjectID: stick.ID}, api.Page{}))
	if a := audit.Items[0]; a.Action != "settle_stick_data" || !strings.Contains(string(a.After), "Ada Lovelace") {
		t.Errorf("%+v", a)
	}
	there = device()
	if r := there.Refusal(protocol.JobWipe); r != nil {
		t.Errorf("it is still refused: %v", r)
	}
	must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, order))
}

// A capture of the stick is a copy of what is on it.
func TestCaptureSettlesStickData(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	d := apitest.Stick("a")
	_, s := f.Connect(t, "bench", d)
	stick := pressed(t, f, s, d, "Ada")
	must[api.Stick](t)(f.ReturnStick(t.Context(), f.Helpdesk, api.MoveStickInput{ID: stick.ID}))
	must[api.Job](t)(f.QueueJob(t.Context(), f.Admin, captureOrder(d, "2.0.0")))
	w := must[api.HostWork](t)(f.HostClaim(t.Context(), s))
	made := f.Bring(t, w.Assigns[0].Ticket)
	ref := protocol.AttemptRef{BuildID: w.Assigns[0].Builds[0].BuildID, Attempt: 1}
	must[api.HostWork](t)(f.HostEvents(t.Context(), s, []protocol.Event{
		{AttemptRef: ref, HostSeq: 1, Type: protocol.EventAccepted},
		{AttemptRef: ref, HostSeq: 2, Type: protocol.EventVerified, Result: &protocol.Result{Capture: &protocol.CaptureResult{VersionID: made}}},
	}))
	if now := must[api.Stick](t)(f.GetStick(t.Context(), f.Viewer, stick.ID)); now.Data != api.DataCopied || now.Life != "returned" {
		t.Errorf("%+v", now)
	}
	events := must[[]api.StickEvent](t)(f.StickEvents(t.Context(), f.Viewer, stick.ID, stick.Revision))
	if e := events[len(events)-1]; e.VersionID != made || e.JobID == "" {
		t.Errorf("%+v", e)
	}
}
