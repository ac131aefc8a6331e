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

func TestQueueJob(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	v := f.Publish(t, "win11-ent", "1.2.0")
	a, b := apitest.Stick("a.img"), apitest.Stick("b.img")
	host, _ := f.Connect(t, "bench", a, b)

	in := apitest.Order("win11-ent", "bench", a, b)
	in.ExternalRef, in.Holder = api.Ticket("INC-1"), "Ada"
	in.Devices[1].Holder = "Grace"
	in.Devices[1].Variables = map[string]string{"computer_name": "PC-2"}
	in.Layout = protocol.LayoutGPTUEFI
	in.IdempotencyKey = "k1"
	in.Options.EraseFirst = true
	job := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, in))

	if job.Kind != protocol.JobPress || !job.Options.EraseFirst {
		t.Errorf("a job of kind %s with options %+v", job.Kind, job.Options)
	}
	if job.State != "queued" || job.VersionID != v.ID || job.Version != "1.2.0" || job.Channel != "stable" {
		t.Errorf("job is %+v, want it queued for version 1.2.0 by channel stable", job)
	}
	if job.HostID != host.ID || job.HostName != "bench" || job.QueuedBy != "helpdesk" || job.Layout != protocol.LayoutGPTUEFI {
		t.Errorf("host %s, name %s, by %s, layout %s", job.HostID, job.HostName, job.QueuedBy, job.Layout)
	}
	if len(job.Builds) != 2 || job.Builds[0].Holder != "Ada" || job.Builds[1].Holder != "Grace" || job.Builds[1].ExternalRef != api.Ticket("INC-1") {
		t.Errorf("builds are %+v", job.Builds)
	}
	if len(job.Builds[0].Steps) != len(protocol.JobPress.Steps()) {
		t.Errorf("%d steps, want all %d", len(job.Builds[0].Steps), len(protocol.JobPress.Steps()))
	}
	again := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, in))
	if again.ID != job.ID {
		t.Errorf("the same request made job %s after %s", again.ID, job.ID)
	}
	in.ExternalRef = api.Ticket("INC-2")
	_, err := f.QueueJob(t.Context(), f.Helpdesk, in)
	wantFault(t, err, store.CodeIdempotencyReused)

	h := must[api.Host](t)(f.GetHost(t.Context(), f.Viewer, "BENCH"))
	if d := h.Devices[0]; d.Writable || d.JobID != job.ID || d.StickID != job.Builds[0].StickID {
		t.Errorf("device is %+v, want it busy with the job", d)
	}
	stick := must[api.Stick](t)(f.GetStick(t.Context(), f.Viewer, job.Builds[0].StickID))
	if stick.Serial != "SN-a.img" || !stick.Virtual || stick.HostName != "bench" {
		t.Errorf("stick is %+v", stick)
	}
	list := must[api.List[api.Job]](t)(f.ListJobs(t.Context(), f.Viewer, api.JobFilter{State: api.StateActive, Reference: "INC-1"}, api.Page{}))
	if len(list.Items) != 1 || list.Items[0].ID != job.ID {
		t.Errorf("list is %+v", list)
	}
	events := must[[]api.JobEvent](t)(f.JobEvents(t.Context(), f.Viewer, job.ID, 0))
	if len(events) != 1 || events[0].Type != "job_queued" || events[0].ActorName != "helpdesk" {
		t.Errorf("events are %+v", events)
	}
	audit := must[api.List[api.AuditEntry]](t)(f.ListAudit(t.Context(), f.Admin, api.AuditFilter{ObjectKind: "job", ObjectID: job.ID}, api.Page{}))
	if len(audit.Items) != 1 || audit.Items[0].Action != "queue_job" || audit.Items[0].ActorName != "helpdesk" || audit.Items[0].Address != "192.0.2.1" {
		t.Errorf("audit is %+v", audit.Items)
	}
}

func TestQueueJobRefusals(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	good, tiny, wide := apitest.Stick("good"), apitest.Stick("tiny"), apitest.Stick("wide")
	tiny.Bytes = 27 << 30
	wide.SectorSize = 4096
	mounted, taken := apitest.Stick("mounted"), apitest.Stick("taken")
	mounted.Refusals = []*protocol.Fault{protocol.NewFault(protocol.FaultMounted, "path", "/dev/sdb", "mount", "/")}
	f.Connect(t, "bench", good, tiny, wide, mounted, taken)
	must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, apitest.Order("win11-ent", "bench", taken)))

	revoked, _ := f.Connect(t, "gone", good)
	must[api.Host](t)(f.RevokeHost(t.Context(), f.Admin, api.ChangeHostInput{ID: revoked.ID}))
	old := f.Enroll(t, "old")
	hello := old.Hello()
	hello.ProtocolMin, hello.ProtocolMax = protocol.Version+1, protocol.Version+1
	if err := f.HostOutdated(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	bad := must[api.Version](t)(f.PublishVersion(t.Context(), f.Admin, api.PublishVersionInput{
		SHA256: must[api.Version](t)(f.FindVersion(t.Context(), f.Viewer, "win11-ent", "1.0.0", "")).SHA256, Image: "win11-ent", Version: "0.9.0",
	}))
	must[api.Version](t)(f.WithdrawVersion(t.Context(), f.Admin, api.WithdrawVersionInput{ID: bad.ID, Reason: "bad"}))
	asks := must[api.Template](t)(f.SaveTemplate(t.Context(), f.Admin, api.SaveTemplateInput{
		Name: "asks", Source: strings.Replace(f.StarterTemplate(), "{{computer_name}}", strings.Repeat("{{department}}", 20), 1),
	}))
	must[api.TaskSequence](t)(f.SaveTaskSequence(t.Context(), f.Admin, api.SaveTaskSequenceInput{
		Name: "asks", Template: asks.ID, Spec: api.TaskSequenceSpec{Layout: protocol.LayoutMBRDual, Edition: 1, BootSignature: protocol.BootSignature2011},
	}))

	for _, tt := range []struct {
		name   string
		device protocol.Device
		change func(*api.QueueJobInput)
		code   fault.Code
		field  string
		params map[string]string
	}{
		{"no image", good, func(in *api.QueueJobInput) { in.Image = "nope" }, "image_not_found", "image", nil},
		{"no version", good, func(in *api.QueueJobInput) { in.Version = "9.9.9" }, "image_version_not_found", "version", nil},
		{"no channel", good, func(in *api.QueueJobInput) { in.Channel = "testing" }, "channel_not_found", "channel", nil},
		{"withdrawn", good, func(in *api.QueueJobInput) { in.Version = "0.9.0" }, "version_withdrawn", "version", nil},
		{"no host", good, func(in *api.QueueJobInput) { in.Host = "nope" }, "host_not_found", "host", nil},
		{"revoked host", good, func(in *api.QueueJobInput) { in.Host = revoked.ID }, "host_revoked", "host", nil},
		{"old agent", good, func(in *api.QueueJobInput) { in.Host = "old" }, "host_outdated", "host", nil},
		{"no task sequence", good, func(in *api.QueueJobInput) { in.TaskSequence = "nope" }, "task_sequence_not_found", "task_sequence", nil},
		{"layout", good, func(in *api.QueueJobInput) { in.Layout = "zip" }, "layout_unknown", "layout", nil},
		{"kind", good, func(in *api.QueueJobInput) { in.Kind = "paint" }, "kind_unknown", "kind", nil},
		{"erase by a check", good, func(in *api.QueueJobInput) { in.Kind, in.Options.EraseFirst = protocol.JobVerify, true }, "value_invalid", "options.erase_first", nil},
		{"no devices", good, func(in *api.QueueJobInput) { in.Devices = nil }, "devices_missing", "devices", nil},
		{"twice", good, func(in *api.QueueJobInput) { in.Devices = append(in.Devices, in.Devices[0]) }, "device_twice", "devices[1]", map[string]string{"port": "good"}},
		{"unplugged", apitest.Stick("nowhere"), nil, "device_gone", "devices[0]", map[string]string{"port": "nowhere"}},
		{"other serial", good, func(in *api.QueueJobInput) { in.Devices[0].Identity.Serial = "X" }, "device_changed", "devices[0]", map[string]string{"what": "serial", "want": "X", "have": "SN-good"}},
		{"replugged", good, func(in *api.QueueJobInput) { in.Devices[0].Identity.Connection = 7 }, "device_changed", "devices[0]", map[string]string{"what": "connection"}},
		{"mounted", mounted, nil, protocol.FaultMounted, "devices[0]", map[string]string{"mount": "/", "port": "mounted"}},
		{"too small", tiny, nil, "device_too_small", "devices[0]", map[string]string{"missing_bytes": "1073741824"}},
		{"4Kn", wide, nil, "device_sector_size", "devices[0]", map[string]string{"sector_size": "4096"}},
		{"busy", taken, nil, "stick_busy", "devices[0]", map[string]string{"port": "taken"}},
		{"edition", good, func(in *api.QueueJobInput) { in.Edition = 4 }, "edition_missing", "edition", map[string]string{"editions": "1 Windows 11 Enterprise, 2 Windows 11 ARM, 3 Windows 10 1607"}},
		{"arm64", good, func(in *api.QueueJobInput) { in.Edition = 2 }, "architecture_refused", "edition", map[string]string{"architecture": "arm64"}},
		{"long reference", good, func(in *api.QueueJobInput) { in.ExternalRef.ID = strings.Repeat("x", 201) }, "text_too_long", "external_ref.id", nil},
		{"variable name", good, func(in *api.QueueJobInput) { in.Variables = map[string]string{"A b": ""} }, "variable_invalid", "variables", nil},
		{"unknown variable", good, func(in *api.QueueJobInput) { in.TaskSequence = "asks" }, "template_unknown_variable", "devices[0]", map[string]string{"name": "department"}},
		{"too long answer", good, func(in *api.QueueJobInput) {
			in.TaskSequence = "asks"
			in.Variables = map[string]string{"department": strings.Repeat("x", 4000)}
		}, "template_too_large", "devices[0]", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := apitest.Order("win11-ent", "bench", tt.device)
			if tt.change != nil {
				tt.change(&in)
			}
			_, err := f.QueueJob(t.Context(), f.Helpdesk, in)
			got := faultOf(t, err, tt.code)
			if got.Field != tt.field {
				t.Errorf("field is %q, want %q", got.Field, tt.field)
			}
			for k, want := range tt.params {
				if got.Params[k] != want {
					t.Errorf("parameter %s is %q, want %q", k, got.Params[k], want)
				}
			}
		})
	}
	// Nothing of all that was queued.
	jobs := must[api.List[api.Job]](t)(f.ListJobs(t.Context(), f.Viewer, api.JobFilter{State: api.StateActive}, api.Page{}))
	if len(jobs.Items) != 1 {
		t.Errorf("%d active jobs, want the first one only", len(jobs.Items))
	}
}

// An admin may let a refusal pass; it is written down.
func TestOverride(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win10-old", "1.0.0")
	old := apitest.Stick("old") // it calls itself removable
	f.Connect(t, "bench", old)
	in := apitest.Order("win10-old", "bench", old)
	in.Edition = 3
	_, err := f.QueueJob(t.Context(), f.Admin, in)
	wantFault(t, err, api.CodeRemovableRefused)

	in.Overrides = []string{string(api.CodeRemovableRefused)}
	_, err = f.QueueJob(t.Context(), f.Helpdesk, in)
	wantFault(t, err, api.CodeForbidden)
	in.Overrides = []string{string(api.CodeDeviceTooSmall)}
	_, err = f.QueueJob(t.Context(), f.Admin, in)
	wantFault(t, err, api.CodeOverrideUnknown)

	in.Overrides = []string{string(api.CodeRemovableRefused)}
	job := must[api.Job](t)(f.QueueJob(t.Context(), f.Admin, in))
	if len(job.Overrides) != 1 || job.Overrides[0] != in.Overrides[0] {
		t.Errorf("the job has the overrides %v", job.Overrides)
	}
	audit := must[api.List[api.AuditEntry]](t)(f.ListAudit(t.Context(), f.Admin, api.AuditFilter{ObjectKind: "job", ObjectID: job.ID}, api.Page{}))
	if len(audit.Items) != 1 || !strings.Contains(string(audit.Items[0].After), in.Overrides[0]) {
		t.Errorf("audit is %+v", audit.Items)
	}
}
