package api_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/wim/exclusion"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// captureOrder asks for a capture of one device.
func captureOrder(d protocol.Device, version string) api.QueueJobInput {
	in := apitest.Order("", "bench", d)
	in.Kind = protocol.JobCapture
	in.Options.Capture = &protocol.CaptureOptions{Image: "win11-ent", Version: version, Channel: "testing", Notes: "the reference PC"}
	return in
}

func TestQueueCapture(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	stick, file := apitest.Stick("a"), apitest.Image("/srv/images/a.vhdx")
	host := f.Enroll(t, "bench")
	s := must[api.HostSession](t)(f.HostConnected(t.Context(), host.Hello()))
	if err := f.HostInventory(t.Context(), s, &protocol.Inventory{Devices: []protocol.Device{stick}, Files: []protocol.Device{file}}); err != nil {
		t.Fatal(err)
	}
	if h := must[api.Host](t)(f.GetHost(t.Context(), f.Viewer, "bench")); len(h.Files) != 1 || h.Files[0].Port != file.Port {
		t.Errorf("files are %+v", h.Files)
	}
	_, err := f.QueueJob(t.Context(), f.Helpdesk, captureOrder(file, "1.0.0"))
	wantFault(t, err, api.CodeForbidden)

	job := must[api.Job](t)(f.QueueJob(t.Context(), f.Admin, captureOrder(file, "1.0.0")))
	if o := job.Options.Capture; job.Kind != protocol.JobCapture || o.Exclude != exclusion.Default || o.Image != "win11-ent" || job.VersionID != "" {
		t.Errorf("job is %+v, %+v", job, o)
	}
	if b := job.Builds[0]; b.StickID != "" || b.Identity != file.Identity || len(b.Steps) != 4 {
		t.Errorf("build is %+v", b)
	}
	_, err = f.QueueJob(t.Context(), f.Admin, captureOrder(file, "1.0.1"))
	wantFault(t, err, store.CodeStickBusy)
	of := captureOrder(stick, "1.0.1")
	of.Overrides = []string{protocol.FaultCaptureNotGeneralized}
	second := must[api.Job](t)(f.QueueJob(t.Context(), f.Admin, of))
	if second.Builds[0].StickID == "" || second.Overrides[0] != protocol.FaultCaptureNotGeneralized {
		t.Errorf("job is %+v", second)
	}
	sticks := must[api.List[api.Stick]](t)(f.ListSticks(t.Context(), f.Viewer, api.StickFilter{}, api.Page{}))
	if len(sticks.Items) != 1 || sticks.Items[0].Serial != stick.Serial {
		t.Errorf("a file became a stick: %+v", sticks.Items)
	}
	overview := must[api.Overview](t)(f.GetOverview(t.Context(), f.Viewer))
	if len(overview.Running) != 2 {
		t.Errorf("overview is %+v", overview)
	}
}

func TestCaptureRefusals(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	stick, file := apitest.Stick("a"), apitest.Image("/srv/images/a.vhdx")
	host := f.Enroll(t, "bench")
	s := must[api.HostSession](t)(f.HostConnected(t.Context(), host.Hello()))
	if err := f.HostInventory(t.Context(), s, &protocol.Inventory{Devices: []protocol.Device{stick}, Files: []protocol.Device{file}}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func(*api.QueueJobInput)
		code   fault.Code
		field  string
	}{
		{"nothing said", func(in *api.QueueJobInput) { in.Options.Capture = nil }, store.CodeNameInvalid, "options.capture.image"},
		{"no version", func(in *api.QueueJobInput) { in.Options.Capture.Version = "" }, api.CodeVersionInvalid, "options.capture.version"},
		{"version is taken", func(in *api.QueueJobInput) { in.Options.Capture.Version = "1.0.0" }, store.CodeVersionExists, "options.capture.version"},
		{"bad name", func(in *api.QueueJobInput) { in.Options.Capture.Image = "Win 11" }, store.CodeNameInvalid, "options.capture.image"},
		{"bad channel", func(in *api.QueueJobInput) { in.Options.Capture.Channel = "Ä" }, store.CodeNameInvalid, "options.capture.channel"},
		{"long notes", func(in *api.QueueJobInput) { in.Options.Capture.Notes = strings.Repeat("x", 4001) }, api.CodeTextTooLong, "options.capture.notes"},
		{"no such partition", func(in *api.QueueJobInput) { in.Options.Capture.Partition = -1 }, api.CodePartitionInvalid, "options.capture.partition"},
		{"bad list", func(in *api.QueueJobInput) { in.Options.Capture.Exclude = "\\ok\nC:\\no" }, protocol.FaultExclusion, "options.capture.exclude"},
		{"two sources", func(in *api.QueueJobInput) {
			in.Devices = append(in.Devices, api.QueueDevice{Identity: stick.Identity})
		}, api.CodeTooManyDevices, "devices"},
		{"no such file", func(in *api.QueueJobInput) { in.Devices[0].Identity.Port = "/etc/shadow" }, api.CodeDeviceGone, "devices[0]"},
		{"another file", func(in *api.QueueJobInput) { in.Devices[0].Identity.Connection++ }, api.CodeDeviceChanged, "devices[0]"},
		{"a wipe of a file", func(in *api.QueueJobInput) { in.Kind = protocol.JobWipe }, api.CodeDeviceGone, "devices[0]"},
	} {
		in := captureOrder(file, "2.0.0")
		tt.change(&in)
		_, err := f.QueueJob(t.Context(), f.Admin, in)
		if got := fault.From(err); got.Code != tt.code || got.Field != tt.field {
			t.Errorf("%s: %v at %q, want %s at %q", tt.name, err, got.Field, tt.code, tt.field)
		}
	}
}

// The list that an admin saves is what captures leave out; the audit log has
// every version of it.
func TestExclusions(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	first := must[api.Exclusions](t)(f.GetExclusions(t.Context(), f.Admin))
	if !first.Default || first.Revision != 0 || first.List != exclusion.Default {
		t.Errorf("%+v", first)
	}
	saved := must[api.Exclusions](t)(f.SaveExclusions(t.Context(), f.Admin, api.SaveExclusionsInput{List: "\\a\n"}))
	_, err := f.SaveExclusions(t.Context(), f.Admin, api.SaveExclusionsInput{List: "\\b\n", Revision: saved.Revision + 1})
	wantFault(t, err, store.CodeStale)
	_, err = f.SaveExclusions(t.Context(), f.Admin, api.SaveExclusionsInput{List: "a\\b"})
	wantFault(t, err, protocol.FaultExclusion)
	again := must[api.Exclusions](t)(f.SaveExclusions(t.Context(), f.Admin, api.SaveExclusionsInput{List: "\\b\n", Revision: saved.Revision}))
	if again.Default || again.Revision != saved.Revision+1 {
		t.Errorf("%+v after %+v", again, saved)
	}
	back := must[api.Exclusions](t)(f.SaveExclusions(t.Context(), f.Admin, api.SaveExclusionsInput{}))
	if !back.Default || back.List != exclusion.Default {
		t.Errorf("%+v", back)
	}
	log := must[api.List[api.AuditEntry]](t)(f.ListAudit(t.Context(), f.Admin, api.AuditFilter{ObjectKind: "setting"}, api.Page{}))
	gone := slices.ContainsFunc(log.Items, func(e api.AuditEntry) bool { return strings.Contains(string(e.Before), `\\b`) })
	if len(log.Items) != 3 || !gone {
		t.Errorf("audit is %+v", log.Items)
	}
}

// A host that begins its upload again and again keeps one.
func TestOneUploadOfACapture(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	file := apitest.Image("/srv/images/a.vhdx")
	_, s := f.Connect(t, "bench")
	if err := f.HostInventory(t.Context(), s, &protocol.Inventory{Files: []protocol.Device{file}}); err != nil {
		t.Fatal(err)
	}
	must[api.Job](t)(f.QueueJob(t.Context(), f.Admin, captureOrder(file, "1.0.0")))
	assign := must[api.HostWork](t)(f.HostClaim(t.Context(), s)).Assigns[0]
	must[api.HostWork](t)(f.HostEvents(t.Context(), s, []protocol.Event{{
		AttemptRef: protocol.AttemptRef{BuildID: assign.Builds[0].BuildID, Attempt: 1}, HostSeq: 1, Type: protocol.EventAccepted,
	}}))
	var before string
	for range 3 {
		up := must[protocol.Upload](t)(f.HostUpload(t.Context(), assign.Ticket, protocol.UploadRequest{Bytes: 1000}))
		if before != "" {
			_, err := f.HostUploadAt(t.Context(), assign.Ticket, before)
			wantFault(t, err, "upload_not_found")
		}
		must[protocol.Upload](t)(f.HostUploadAt(t.Context(), assign.Ticket, up.ID))
		before = up.ID
	}
}
