package rest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/rest"
	"github.com/stickpress/stickpress/api/rest/wire"
)

func (w *world) jobs() {
	s := w.s
	e := decode[api.Enrolment](w.t, w.ok(201, post(s, admin, "/enrolments", nil)), 201)
	if e.Token == "" {
		w.t.Error("the enrolment has no token")
	}
	w.no(403, "forbidden", post(s, helpdesk, "/enrolments", wire.CreateEnrolment{TTLSeconds: 60}))
	stick := apitest.Stick("a.img")
	host, session := s.Connect(w.t, "bench", stick)
	w.ok(200, get(s, viewer, "/hosts"))
	w.no(422, "request_invalid", get(s, viewer, "/hosts?limit=1000"))
	h := decode[api.Host](w.t, w.ok(200, get(s, viewer, "/hosts/bench")), 200)
	w.no(404, "host_not_found", get(s, viewer, "/hosts/nope"))

	list := decode[api.Exclusions](w.t, w.ok(200, get(s, admin, "/capture-exclusions")), 200)
	w.no(403, "forbidden", get(s, helpdesk, "/capture-exclusions"))
	w.ok(200, put(s, admin, "/capture-exclusions", wire.SaveExclusions{List: list.List + "*.bak\n"}))
	w.no(422, "exclusion_invalid", put(s, admin, "/capture-exclusions", wire.SaveExclusions{List: "C:\\"}))

	order := wire.QueueJob{Image: "win11-ent", Host: "bench", Devices: []wire.QueueDevice{{Identity: h.Devices[0].Identity}}}
	w.no(403, "forbidden", post(s, viewer, "/jobs", order))
	a := w.ok(202, post(s, helpdesk, "/jobs", order))
	job := decode[api.Job](w.t, a, 202)
	path := "/jobs/" + job.ID
	if l := a.header.Get("Location"); l != rest.Prefix+path {
		w.t.Errorf("Location is %q", l)
	}
	w.no(409, "stick_busy", post(s, helpdesk, "/jobs", order))
	w.ok(200, get(s, viewer, "/jobs?state=active&host="+host.ID))
	w.no(422, "request_invalid", get(s, viewer, "/jobs?state=lost"))
	w.ok(200, get(s, viewer, path))
	w.no(404, "job_not_found", get(s, viewer, "/jobs/nope"))
	w.ok(200, get(s, viewer, "/overview"))
	later := time.Now().Add(time.Hour)
	w.ok(200, put(s, helpdesk, path+"/schedule", wire.ScheduleJob{NotBefore: &later}))
	w.ok(200, put(s, helpdesk, path+"/schedule", wire.ScheduleJob{}))
	past := time.Now().Add(-time.Hour)
	w.no(422, "schedule_past", put(s, helpdesk, path+"/schedule", wire.ScheduleJob{NotBefore: &past}))
	one := path + "/builds/" + job.Builds[0].ID + "/cancellations"
	w.no(403, "forbidden", post(s, viewer, one, nil))
	w.no(404, "build_not_found", post(s, helpdesk, path+"/builds/build_nope/cancellations", nil))
	w.ok(202, post(s, helpdesk, one, nil))
	w.no(403, "forbidden", post(s, viewer, path+"/cancellations", nil))
	w.ok(202, post(s, helpdesk, path+"/cancellations", nil))
	w.no(403, "forbidden", post(s, viewer, path+"/retries", nil))
	w.ok(202, post(s, helpdesk, path+"/retries", nil))
	w.no(409, "retry_nothing", post(s, helpdesk, path+"/retries", nil))
	w.no(404, "build_not_found", post(s, helpdesk, path+"/retries", wire.RetryBuilds{Builds: []string{"nope"}}))
	w.ok(202, post(s, helpdesk, path+"/cancellations", nil))
	w.ok(200, get(s, viewer, path+"/events")) // it has ended, and so does the stream
	w.no(404, "job_not_found", get(s, viewer, "/jobs/nope/events"))
	w.ok(200, get(s, viewer, path+"/history?cursor=1"))
	w.no(404, "job_not_found", get(s, viewer, "/jobs/nope/history"))

	w.ok(200, get(s, viewer, "/sticks?life=stock&serial="+stick.Serial))
	w.no(422, "request_invalid", get(s, viewer, "/sticks?state=lost"))
	w.ok(200, get(s, viewer, "/sticks/"+job.Builds[0].StickID))
	w.no(404, "stick_not_found", get(s, viewer, "/sticks/nope"))
	w.ok(200, get(s, viewer, "/sticks/"+job.Builds[0].StickID+"/history"))
	w.no(404, "stick_not_found", get(s, viewer, "/sticks/nope/history"))
	w.ok(200, post(s, helpdesk, "/sticks/"+job.Builds[0].StickID+"/returns", nil))
	w.no(403, "forbidden", post(s, viewer, "/sticks/"+job.Builds[0].StickID+"/returns", nil))
	answers := "/sticks/" + job.Builds[0].StickID + "/data-answers"
	w.no(422, "data_reason_missing", post(s, helpdesk, answers, wire.SettleStickData{Data: api.DataCopied}))
	w.ok(200, post(s, helpdesk, answers, wire.SettleStickData{Data: api.DataNone}))
	w.verify(host, session, stick)
	w.wipe(host, session, stick)
	w.ports(host, stick)

	w.ok(200, post(s, admin, "/hosts/"+host.ID+"/revocations", wire.Reason{Reason: "sold"}))
	w.no(404, "host_not_found", post(s, admin, "/hosts/nope/revocations", nil))
	w.ok(200, post(s, admin, "/hosts/"+host.ID+"/losses", nil))
	w.no(403, "forbidden", post(s, helpdesk, "/hosts/"+host.ID+"/losses", nil))
}

// ports numbers the sockets of a host and lets a stick flash.
func (w *world) ports(host apitest.Host, d protocol.Device) {
	s, path := w.s, "/hosts/"+host.ID
	w.ok(200, get(s, viewer, path+"/ports"))
	w.no(404, "host_not_found", get(s, viewer, "/hosts/nope/ports"))
	set := wire.SetHostPorts{Items: []api.HostPort{{Hub: "A", Number: 3, Socket: "pci-0000:00:14.0-usb-0:1"}}}
	w.ok(200, put(s, admin, path+"/ports", set))
	w.no(403, "forbidden", put(s, helpdesk, path+"/ports", set))
	w.ok(200, post(s, admin, path+"/calibrations", nil))
	w.no(403, "forbidden", post(s, helpdesk, path+"/calibrations", wire.Calibrate{Hub: "B", First: 2}))
	w.ok(200, post(s, admin, path+"/calibration-steps", wire.StepCalibration{Step: api.CalibrationFinish}))
	w.no(404, "calibration_not_found", post(s, admin, path+"/calibration-steps", wire.StepCalibration{Step: api.CalibrationSkip}))

	w.no(409, "identify_unsupported", post(s, helpdesk, path+"/identifications", wire.Identify{Identity: d.Identity}))
	hello := host.Hello()
	hello.Capabilities = append(hello.Capabilities, protocol.CapIdentify)
	session, err := s.HostConnected(w.t.Context(), hello)
	if err == nil {
		err = s.HostInventory(w.t.Context(), session, &protocol.Inventory{Devices: []protocol.Device{d}})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.ok(204, post(s, helpdesk, path+"/identifications", wire.Identify{Identity: d.Identity, Seconds: 5}))
}

// verify has a stick written, and asks for what it is compared with.
func (w *world) verify(host apitest.Host, session api.HostSession, d protocol.Device) {
	s, ctx := w.s, w.t.Context()
	run := func(order wire.QueueJob, end protocol.Event) (stickID string, work api.HostWork) {
		order.Host, order.Devices = host.ID, []wire.QueueDevice{{Identity: d.Identity}}
		w.ok(202, post(s, admin, "/jobs", order))
		claimed, err := s.HostClaim(ctx, session)
		if err != nil {
			w.t.Fatal(err)
		}
		b := claimed.Assigns[0].Builds[0]
		events := []protocol.Event{{Type: protocol.EventAccepted}, end}
		for i := range events {
			events[i].AttemptRef, events[i].HostSeq = protocol.AttemptRef{BuildID: b.BuildID, Attempt: b.Attempt}, int64(i+1)
		}
		if work, err = s.HostEvents(ctx, session, events); err != nil {
			w.t.Fatal(err)
		}
		return b.StickID, work
	}
	body := []byte(`{"format":1}`)
	sum := sha256.Sum256(body)
	stickID, work := run(wire.QueueJob{Image: "win11-ent", Overrides: []string{"stick_not_wiped"}}, protocol.Event{Type: protocol.EventVerified, Result: &protocol.Result{
		DiskID: "0000000a", Record: &protocol.StickRecord{DiskID: "0000000a", Bytes: d.Bytes, Common: hex.EncodeToString(sum[:])},
	}})
	w.no(404, "record_not_found", get(s, viewer, "/sticks/"+stickID+"/record"))
	if len(work.Wants) != 1 {
		w.t.Fatalf("the host is asked for %v", work.Wants)
	}
	if err := s.HostRecord(ctx, session, &protocol.Record{WantRecord: work.Wants[0], Body: body}); err != nil {
		w.t.Fatal(err)
	}
	if f := decode[protocol.RecordFile](w.t, w.ok(200, get(s, viewer, "/sticks/"+stickID+"/record")), 200); f.Stick.StickID != stickID || string(f.Body) != string(body) {
		w.t.Errorf("%+v", f)
	}
	order := wire.QueueJob{Kind: protocol.JobVerify}
	run(order, protocol.Event{Type: protocol.EventVerified, Result: &protocol.Result{Check: &protocol.CheckResult{
		StickID: stickID, DiskID: "0000000a", Outcome: protocol.OutcomeUsed, Evidence: []string{protocol.EvidenceGrown},
	}}})
	if x := decode[api.Stick](w.t, w.ok(200, get(s, viewer, "/sticks/"+stickID)), 200); x.Check == nil || x.Check.Outcome != protocol.OutcomeUsed || x.CheckedAt == nil {
		w.t.Errorf("%+v", x)
	}
}

// wipe has a stick erased and asks for what is said of it.
func (w *world) wipe(host apitest.Host, session api.HostSession, d protocol.Device) {
	s, ctx := w.s, w.t.Context()
	order := wire.QueueJob{Kind: protocol.JobWipe, Host: host.ID, Devices: []wire.QueueDevice{{Identity: d.Identity}}}
	order.Options.Wipe = &protocol.WipeOptions{Method: "magnet"}
	w.no(422, "wipe_invalid", post(s, helpdesk, "/jobs", order))
	order.Options.Wipe = &protocol.WipeOptions{Method: protocol.WipeOverwrite, Passes: 1}
	job := decode[api.Job](w.t, w.ok(202, post(s, helpdesk, "/jobs", order)), 202)
	work, err := s.HostClaim(ctx, session)
	if err != nil {
		w.t.Fatal(err)
	}
	b := work.Assigns[0].Builds[0]
	events := []protocol.Event{
		{Type: protocol.EventAccepted},
		{Type: protocol.EventTouched},
		{Type: protocol.EventVerified, Result: &protocol.Result{BytesWritten: d.Bytes, BytesVerified: d.Bytes, Wipe: &protocol.WipeResult{
			Asked: protocol.WipeOverwrite, Method: protocol.WipeOverwrite, Passes: 1, Bytes: d.Bytes,
		}}},
	}
	for i := range events {
		events[i].AttemptRef, events[i].HostSeq = protocol.AttemptRef{BuildID: b.BuildID, Attempt: b.Attempt}, int64(i+1)
	}
	if _, err := s.HostEvents(ctx, session, events); err != nil {
		w.t.Fatal(err)
	}
	job = decode[api.Job](w.t, w.ok(200, get(s, viewer, "/jobs/"+job.ID)), 200)
	c := decode[api.Certificate](w.t, w.ok(200, get(s, viewer, "/certificates/"+job.Builds[0].CertificateID)), 200)
	w.no(404, "certificate_not_found", get(s, viewer, "/certificates/nope"))
	identity := decode[api.ServerIdentity](w.t, w.ok(200, get(s, viewer, "/identity")), 200)
	if got, err := c.Signed.VerifyBy(identity.Fingerprint); err != nil || got.Stick.Serial != d.Serial {
		w.t.Errorf("%+v, %v", got, err)
	}
	w.ok(200, get(s, viewer, "/sticks/"+c.StickID+"/certificates"))
	w.no(404, "stick_not_found", get(s, viewer, "/sticks/nope/certificates"))
}
