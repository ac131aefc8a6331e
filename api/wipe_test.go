package api_test

import (
	"crypto/ed25519"
	"slices"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/certificate"
	"github.com/stickpress/stickpress/store"
)

// wiping asks for a wipe of devices of the host "bench".
func wiping(o *protocol.WipeOptions, devices ...protocol.Device) api.QueueJobInput {
	in := apitest.Order("", "bench", devices...)
	in.Kind, in.Options.Wipe = protocol.JobWipe, o
	return in
}

// finish has the host do a job's only build, with this result.
func finish(t *testing.T, f *apitest.Fixture, s api.HostSession, job api.Job, res protocol.Result) api.Job {
	t.Helper()
	b := must[api.HostWork](t)(f.HostClaim(t.Context(), s)).Assigns[0].Builds[0]
	events := []protocol.Event{
		{Type: protocol.EventAccepted}, {Type: protocol.EventTouched}, {Type: protocol.EventVerified, Result: &res},
	}
	for i := range events {
		events[i].AttemptRef, events[i].HostSeq = protocol.AttemptRef{BuildID: b.BuildID, Attempt: b.Attempt}, int64(i+1)
	}
	must[api.HostWork](t)(f.HostEvents(t.Context(), s, events))
	return must[api.Job](t)(f.GetJob(t.Context(), f.Viewer, job.ID))
}

// erased is the result of a good wipe of a device.
func erased(d protocol.Device) protocol.Result {
	return protocol.Result{
		BytesWritten: 2*d.Bytes + 4<<20, BytesVerified: d.Bytes,
		Wipe: &protocol.WipeResult{
			Asked: protocol.WipeAuto, Method: protocol.WipeOverwrite, Passes: 2, Fallback: protocol.DiscardIgnored, Bytes: d.Bytes,
		},
	}
}

func TestWipe(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	d, tiny := apitest.Stick("a.img"), apitest.Stick("tiny")
	tiny.Bytes = 8 << 30
	tiny.Refusals = []*protocol.Fault{protocol.NewFault(protocol.FaultTooSmall, "have_bytes", tiny.Bytes)}
	_, s := f.Connect(t, "bench", d, tiny)

	// Pressed for Ada, back, and wanted by Bob.
	ada := apitest.Order("win11-ent", "bench", d)
	ada.Holder = "Ada"
	job := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, ada))
	finish(t, f, s, job, protocol.Result{DiskID: "deadbeef"})
	stick := must[api.Stick](t)(f.GetStick(t.Context(), f.Viewer, job.Builds[0].StickID))
	if stick.Life != "issued" || stick.Holder != "Ada" {
		t.Errorf("after the press it is %s, of %q", stick.Life, stick.Holder)
	}
	stick = must[api.Stick](t)(f.ReturnStick(t.Context(), f.Helpdesk, api.MoveStickInput{ID: stick.ID}))
	if stick.Life != "returned" || stick.Holder != "Ada" || stick.State != "verified" {
		t.Errorf("returned it is %s and %s, of %q", stick.Life, stick.State, stick.Holder)
	}
	must[api.Stick](t)(f.ReturnStick(t.Context(), f.Helpdesk, api.MoveStickInput{ID: stick.ID}))
	audit := must[api.List[api.AuditEntry]](t)(f.ListAudit(t.Context(), f.Admin, api.AuditFilter{ObjectKind: "stick", ObjectID: stick.ID}, api.Page{}))
	if len(audit.Items) != 1 || audit.Items[0].Action != "return_stick" {
		t.Errorf("audit %+v", audit.Items)
	}
	must[api.Stick](t)(f.SettleStickData(t.Context(), f.Helpdesk, api.SettleStickDataInput{Stick: stick.ID, Data: api.DataNone}))
	bob := ada
	bob.Holder = "Bob"
	_, err := f.QueueJob(t.Context(), f.Helpdesk, bob)
	if p := faultOf(t, err, store.CodeStickNotWiped).Params; p["port"] != "a.img" || p["holder"] != "Ada" {
		t.Errorf("%v", p)
	}

	// An override is an admin's, and stays visible.
	bob.Overrides = []string{string(store.CodeStickNotWiped)}
	_, err = f.QueueJob(t.Context(), f.Helpdesk, bob)
	wantFault(t, err, api.CodeForbidden)
	job = must[api.Job](t)(f.QueueJob(t.Context(), f.Admin, bob))
	if !slices.Equal(job.Overrides, bob.Overrides) {
		t.Errorf("overrides %v", job.Overrides)
	}
	must[api.Job](t)(f.CancelJob(t.Context(), f.Admin, job.ID))

	// What is not said is the best.
	job = must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, wiping(nil, d)))
	if o := job.Options.Wipe; o == nil || o.Method != protocol.WipeAuto || o.Passes != 2 || len(job.Builds[0].Steps) != len(protocol.JobWipe.Steps()) {
		t.Errorf("options %+v, steps %v", o, job.Builds[0].Steps)
	}
	job = finish(t, f, s, job, erased(d))
	stick = must[api.Stick](t)(f.GetStick(t.Context(), f.Viewer, stick.ID))
	if job.State != "succeeded" || stick.State != "wiped" || stick.Life != "stock" || stick.Holder != "" || stick.VersionID != "" {
		t.Errorf("job %s, stick %+v", job.State, stick)
	}
	checkCertificate(t, f, &job, d)
	bob.Overrides = nil
	must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, bob))

	// A stick that is too small to press can be wiped, in the way that was asked for.
	small := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, wiping(&protocol.WipeOptions{Method: protocol.WipeDiscard, Passes: 1}, tiny)))
	if o := small.Options.Wipe; o.Method != protocol.WipeDiscard || o.Passes != 1 {
		t.Errorf("options %+v", o)
	}
	for _, o := range []protocol.WipeOptions{{Method: "magnet"}, {Passes: 3}, {Passes: -1}} {
		_, err := f.QueueJob(t.Context(), f.Helpdesk, wiping(&o, tiny))
		wantFault(t, err, api.CodeWipeInvalid)
	}
}

func checkCertificate(t *testing.T, f *apitest.Fixture, job *api.Job, d protocol.Device) {
	t.Helper()
	b := job.Builds[0]
	c := must[api.Certificate](t)(f.GetCertificate(t.Context(), f.Viewer, b.CertificateID))
	identity := must[api.ServerIdentity](t)(f.Identity(t.Context(), f.Viewer))
	if c.Fingerprint != identity.Fingerprint || certificate.Fingerprint(ed25519.PublicKey(identity.PublicKey)) != identity.Fingerprint {
		t.Errorf("signed by %s, the console is %s", c.Fingerprint, identity.Fingerprint)
	}
	s, err := c.Signed.VerifyBy(identity.Fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	if s.ID != b.CertificateID || s.Stick.ID != b.StickID || s.Stick.Serial != d.Serial || s.Stick.Bytes != d.Bytes || s.Stick.Holder != "Ada" ||
		s.Class != certificate.ClassClear || !slices.Contains(s.Limits, certificate.LimitFlash) || !slices.Contains(s.Limits, certificate.LimitVirtual) ||
		s.Wipe.BytesRead != d.Bytes || s.Wipe.Fallback != protocol.DiscardIgnored || s.Result != certificate.Result ||
		s.Host.Name != "bench" || s.AskedBy.Kind != "user" || s.AskedBy.Name != "helpdesk" || s.Job.ID != job.ID || s.Job.Build != b.ID ||
		!s.Job.AskedAt.Equal(job.QueuedAt) || !s.Wipe.EndedAt.Equal(*b.EndedAt) || s.Wipe.BegunAt.After(s.Wipe.EndedAt) || !s.IssuedAt.Equal(*b.EndedAt) {
		t.Errorf("%+v", s)
	}
	list := must[[]api.Certificate](t)(f.StickCertificates(t.Context(), f.Viewer, b.StickID))
	if len(list) != 1 || list[0].ID != c.ID {
		t.Errorf("the stick has %+v", list)
	}
	events := must[[]api.StickEvent](t)(f.StickEvents(t.Context(), f.Viewer, b.StickID, 0))
	last := events[len(events)-1]
	if last.Type != "stick_wiped" || last.CertificateID != c.ID || last.Wipe == nil || last.Wipe.Method != protocol.WipeOverwrite {
		t.Errorf("the last event is %+v", last)
	}
	elsewhere := f.Viewer
	elsewhere.Sites = []string{"site_01jd6y9k3te0mv8b0g2z5q4w7x"}
	_, err = f.GetCertificate(t.Context(), elsewhere, c.ID)
	wantFault(t, err, "certificate_not_found")
}

// A program's certificate names who answers for it.
func TestCertificateAskedByAProgram(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	d := apitest.Stick("a.img")
	_, s := f.Connect(t, "bench", d)
	created := must[api.NewToken](t)(f.CreateToken(t.Context(), f.Helpdesk, api.CreateTokenInput{Name: "desk", Role: api.RoleHelpdesk}))
	actor := must[api.Actor](t)(f.ActorForToken(t.Context(), api.Anonymous("", "", "192.0.2.1"), created.Secret))
	job := finish(t, f, s, must[api.Job](t)(f.QueueJob(t.Context(), actor, wiping(nil, d))), erased(d))
	c := must[api.Certificate](t)(f.GetCertificate(t.Context(), f.Viewer, job.Builds[0].CertificateID))
	if c.Statement.AskedBy.Kind != "token" || c.Statement.AskedBy.Name != "desk, helpdesk" {
		t.Errorf("asked by %+v", c.Statement.AskedBy)
	}
}
