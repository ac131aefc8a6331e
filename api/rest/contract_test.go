package rest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/rest"
	"github.com/stickpress/stickpress/api/rest/resttest"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// Every operation of the document succeeds once and is refused once, with
// answers as described: the check itself is resttest.Contract.
func TestEveryOperation(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	w := newWorld(t, s)
	w.images()
	w.uploads()
	w.templates()
	w.jobs()
	w.people()
	w.tickets()
	w.events()
	w.webhooks()
	w.builds()
	w.tables()
	w.places()
	w.shelves()
	w.others()
	w.server()
	for op, id := range s.Contract.Operations() {
		if !s.Contract.Seen(id, func(status int) bool { return status < 400 }) {
			t.Errorf("no test of %s (%s) that succeeds", op, id)
		}
		// An unknown token is no refusal of the operation's own.
		if !s.Contract.Seen(id, func(status int) bool { return status >= 400 && status != http.StatusUnauthorized }) && !never[id] {
			t.Errorf("no test of %s (%s) that is refused", op, id)
		}
	}
}

// never are the operations that no signed-in actor is refused.
var never = map[string]bool{
	"get_overview": true, "get_default_task_sequence": true, "upload_options": true, "get_identity": true,
}

// Every operation wants a token.
func TestEveryOperationWantsAToken(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	for op := range s.Contract.Operations() {
		method, path, _ := strings.Cut(op, " ")
		path = strings.NewReplacer("{", "", "}", "").Replace(path)
		a := send(t, s, ask{method: method, path: path})
		if a.status != http.StatusUnauthorized {
			t.Errorf("%s without a token: status %d", op, a.status)
		}
	}
}

// A route that is not in the document is a mistake, and so is the reverse.
func TestRoutesAndDocumentAgree(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	documented := s.Contract.Operations()
	routes := map[string]bool{}
	err := chi.Walk(s.Router, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		path := strings.TrimPrefix(route, rest.Prefix)
		if strings.HasPrefix(path, "/openapi.") {
			return nil
		}
		routes[method+" "+path] = true
		if _, ok := documented[method+" "+path]; !ok {
			t.Errorf("%s %s is not in the document", method, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for op, id := range documented {
		if !routes[op] {
			t.Errorf("%s is in the document and not served", op)
		}
		if other, ok := ids[id]; ok || id == "" {
			t.Errorf("%s and %s have the same ID %q", op, other, id)
		}
		ids[id] = op
	}
}

func TestDocumentNeedsNoToken(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	for ext, begin := range map[string]string{"json": "{", "yaml": "components:"} {
		a := send(t, s, ask{method: "GET", path: "/openapi." + ext})
		if a.status != http.StatusOK || !strings.HasPrefix(string(a.body), begin) || a.header.Get("Content-Type") != "application/"+ext {
			t.Errorf("openapi.%s: status %d, %s, %.40q", ext, a.status, a.header.Get("Content-Type"), a.body)
		}
	}
}

// world goes through the API as a user would.
type world struct {
	t *testing.T
	s *resttest.Server
}

func newWorld(t *testing.T, s *resttest.Server) *world { return &world{t, s} }

// ok sends a request that must succeed.
func (w *world) ok(status int, q ask) answer {
	w.t.Helper()
	a := send(w.t, w.s, q)
	if a.status != status {
		w.t.Fatalf("%s %s: status %d, want %d: %s", q.method, q.path, a.status, status, a.body)
	}
	return a
}

// no sends a request that must be refused.
func (w *world) no(status int, code string, q ask) {
	w.t.Helper()
	a := send(w.t, w.s, q)
	if a.status != status {
		w.t.Fatalf("%s %s: status %d, want %d: %s", q.method, q.path, a.status, status, a.body)
	}
	if q.method != http.MethodHead {
		wantProblem(w.t, a, status, code)
	}
}

const (
	admin    = api.RoleAdmin
	helpdesk = api.RoleHelpdesk
	viewer   = api.RoleViewer
)

func (w *world) images() {
	s := w.s
	i := decode[api.Image](w.t, w.ok(201, post(s, admin, "/images", wire.CreateImage{Name: "win11-ent"})), 201)
	w.no(409, "name_taken", post(s, admin, "/images", wire.CreateImage{Name: "win11-ent"}))
	w.ok(200, get(s, viewer, "/images"))
	w.no(422, "request_invalid", get(s, viewer, "/images?limit=0"))
	w.ok(200, get(s, viewer, "/images/"+i.ID))
	w.no(404, "image_not_found", get(s, viewer, "/images/nope"))

	v := s.Publish(w.t, "win11-ent", "1.0.0")
	publish := wire.PublishVersion{SHA256: v.SHA256, Image: "win11-ent", Version: "1.1.0", Notes: "newer"}
	a := w.ok(201, post(s, admin, "/versions", publish))
	newer := decode[api.Version](w.t, a, 201)
	if l := a.header.Get("Location"); l != rest.Prefix+"/versions/"+newer.ID {
		w.t.Errorf("Location is %q", l)
	}
	w.no(409, "version_exists", post(s, admin, "/versions", publish))
	w.no(403, "forbidden", post(s, helpdesk, "/versions", publish))
	w.ok(200, get(s, viewer, "/versions"))
	if l := decode[api.List[api.Version]](w.t, w.ok(200, get(s, viewer, "/versions?image=win11-ent")), 200); len(l.Items) != 2 {
		w.t.Errorf("%d versions, want 2", len(l.Items))
	}
	w.no(404, "image_not_found", get(s, viewer, "/versions?image=nope"))
	w.ok(200, get(s, viewer, "/versions/"+v.ID))
	w.no(404, "image_version_not_found", get(s, viewer, "/versions/nope"))
	w.ok(200, get(s, viewer, "/images/win11-ent/versions/1.1.0"))
	w.no(404, "image_version_not_found", get(s, viewer, "/images/win11-ent/versions/9.0.0"))

	disk, err := s.Upload(w.t, "rescue.img.zst", apitest.DiskImage(w.t, "zstd -q -o out disk"))
	if err != nil {
		w.t.Fatal(err)
	}
	image := decode[api.Version](w.t, w.ok(201, post(s, admin, "/versions", wire.PublishVersion{UploadID: disk.ID, Image: "rescue", Version: "1.0.0"})), 201)
	blocks := wire.SetBlockMap{BlockMap: string(apitest.DiskImage(w.t, "bmaptool -q create disk -o out")), Trusted: true}
	mapped := decode[api.Version](w.t, w.ok(200, put(s, admin, "/versions/"+image.ID+"/block-map", blocks)), 200)
	if mapped.Disk == nil || mapped.Disk.Bytes != apitest.DiskBytes || mapped.BlockMap == nil || !mapped.BlockMap.Trusted {
		w.t.Errorf("version %+v", mapped)
	}
	w.no(422, "no_disk_image", put(s, admin, "/versions/"+v.ID+"/block-map", blocks))
	w.no(403, "forbidden", put(s, helpdesk, "/versions/"+image.ID+"/block-map", blocks))

	w.ok(200, get(s, viewer, "/images/win11-ent/channels"))
	w.no(404, "image_not_found", get(s, viewer, "/images/nope/channels"))
	w.ok(200, put(s, admin, "/images/win11-ent/channels/testing", wire.SetChannel{Version: "1.1.0"}))
	w.no(404, "image_version_not_found", put(s, admin, "/images/win11-ent/channels/testing", wire.SetChannel{Version: "9.0.0"}))
	got := decode[api.Version](w.t, w.ok(200, get(s, viewer, "/images/win11-ent/channels/testing/version")), 200)
	if got.Version != "1.1.0" {
		w.t.Errorf("testing is %s, want 1.1.0", got.Version)
	}
	w.no(404, "channel_not_found", get(s, viewer, "/images/win11-ent/channels/beta/version"))
	w.ok(200, get(s, viewer, "/images/win11-ent/channels/testing"))
	w.no(404, "channel_not_found", get(s, viewer, "/images/win11-ent/channels/beta"))

	w.no(409, "version_in_channel", post(s, admin, "/versions/"+newer.ID+"/withdrawals", wire.Reason{Reason: "bad"}))
	w.ok(200, put(s, admin, "/images/win11-ent/channels/testing", wire.SetChannel{Version: v.ID}))
	w.ok(200, post(s, admin, "/versions/"+newer.ID+"/withdrawals", nil))
}

func (w *world) uploads() {
	s := w.s
	tus := map[string]string{"Tus-Resumable": "1.0.0"}
	upload := func(method, path, token string, more ...string) ask {
		q := ask{method: method, path: path, token: token, header: map[string]string{"Tus-Resumable": "1.0.0"}}
		for i := 0; i < len(more); i += 2 {
			q.header[more[i]] = more[i+1]
		}
		return q
	}
	raw := string(apitest.WIM(w.t))
	token, size := s.Token(admin), strconv.Itoa(len(raw))
	meta := "filename " + base64.StdEncoding.EncodeToString([]byte("a.wim"))
	w.ok(200, ask{method: "OPTIONS", path: "/uploads/", token: token, header: tus})
	w.no(403, "forbidden", upload("POST", "/uploads/", s.Token(helpdesk), "Upload-Length", size))
	begin := upload("POST", "/uploads/", token, "Upload-Length", size, "Upload-Metadata", meta)
	path := strings.TrimPrefix(w.ok(201, begin).header.Get("Location"), rest.Prefix)
	w.ok(200, upload("HEAD", path, token))
	w.no(403, "", upload("HEAD", path, s.Token(helpdesk)))
	w.no(403, "forbidden", get(s, helpdesk, path))
	patch := upload("PATCH", path, token, "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
	patch.body = raw
	wrong := patch
	wrong.header = map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": "7", "Content-Type": "application/offset+octet-stream"}
	w.no(409, "upload_offset_mismatch", wrong)
	w.ok(204, patch)
	u := decode[api.Upload](w.t, w.ok(200, get(s, admin, path)), 200)
	if u.State != "ready" || u.FileName != "a.wim" || len(u.Editions) != 3 {
		w.t.Errorf("upload is %+v", u)
	}
	other := strings.TrimPrefix(w.ok(201, begin).header.Get("Location"), rest.Prefix)
	w.ok(204, upload("DELETE", other, token))
	w.no(404, "upload_not_found", upload("DELETE", other, token))
}

func (w *world) templates() {
	s := w.s
	source := s.StarterTemplate()
	t := decode[api.Template](w.t, w.ok(201, post(s, admin, "/templates", wire.SaveTemplate{Name: "Lab", Source: source})), 201)
	w.no(422, "template_wrong_root", post(s, admin, "/templates", wire.SaveTemplate{Name: "Bad", Source: "<unattend/>"}))
	w.ok(200, get(s, viewer, "/templates"))
	w.no(422, "request_invalid", get(s, viewer, "/templates?limit=x"))
	w.ok(200, get(s, viewer, "/templates/Lab"))
	w.no(404, "template_not_found", get(s, viewer, "/templates/nope"))
	w.ok(200, put(s, admin, "/templates/Lab", wire.SaveTemplate{Name: "Lab", Description: "2", Source: source}))
	w.no(404, "template_not_found", put(s, admin, "/templates/nope", wire.SaveTemplate{Name: "Lab", Source: source}))
	w.ok(200, get(s, viewer, "/templates/"+t.ID+"/versions"))
	w.no(404, "template_not_found", get(s, viewer, "/templates/nope/versions"))
	a := w.ok(200, get(s, admin, "/templates/"+t.ID+"/source"))
	if string(a.body) != source || a.header.Get("Content-Type") != "application/xml" {
		w.t.Errorf("source is %s, %.80s", a.header.Get("Content-Type"), a.body)
	}
	w.no(403, "forbidden", get(s, viewer, "/templates/"+t.ID+"/source"))
	w.ok(200, post(s, admin, "/template-checks", wire.CheckTemplate{Source: source}))
	w.no(422, "template_malformed", post(s, admin, "/template-checks", wire.CheckTemplate{Source: "<"}))

	spec := api.TaskSequenceSpec{Layout: protocol.LayoutGPTUEFI, Edition: 1, BootSignature: protocol.BootSignature2011}
	body := wire.SaveTaskSequence{Name: "UEFI", Spec: spec, Template: "Lab"}
	w.ok(201, post(s, admin, "/task-sequences", body))
	w.no(409, "name_taken", post(s, admin, "/task-sequences", body))
	w.ok(200, get(s, viewer, "/task-sequences"))
	w.no(422, "request_invalid", get(s, viewer, "/task-sequences?x=1"))
	w.ok(200, get(s, viewer, "/task-sequences/UEFI"))
	w.no(404, "task_sequence_not_found", get(s, viewer, "/task-sequences/nope"))
	w.ok(200, get(s, viewer, "/default-task-sequence"))
	w.ok(200, put(s, admin, "/task-sequences/UEFI", body))
	body.Spec.Layout = "zip"
	w.no(422, "layout_unknown", put(s, admin, "/task-sequences/UEFI", body))
}

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

func (w *world) people() {
	s := w.s
	u := decode[api.User](w.t, w.ok(201, post(s, admin, "/users", wire.CreateUser{Login: "ann", Role: "viewer"})), 201)
	w.no(409, "name_taken", post(s, admin, "/users", wire.CreateUser{Login: "ann", Role: "viewer"}))
	w.ok(200, get(s, admin, "/users"))
	w.no(403, "forbidden", get(s, viewer, "/users"))
	w.ok(200, get(s, admin, "/users/"+u.ID))
	w.no(404, "user_not_found", get(s, admin, "/users/nope"))

	n := decode[api.NewToken](w.t, w.ok(201, post(s, admin, "/tokens", wire.CreateToken{Name: "ci", Role: "viewer", TTLSeconds: 3600})), 201)
	w.no(403, "forbidden", post(s, viewer, "/tokens", wire.CreateToken{Name: "ci", Role: "admin"}))
	w.ok(200, get(s, viewer, "/tokens"))
	w.no(422, "request_invalid", get(s, viewer, "/tokens?limit=-1"))
	w.ok(200, ask{method: "GET", path: "/overview", token: n.Secret})
	w.ok(204, post(s, admin, "/tokens/"+n.ID+"/revocations", nil))
	w.no(404, "token_not_found", post(s, admin, "/tokens/nope/revocations", nil))
	w.no(401, "token_invalid", ask{method: "GET", path: "/overview", token: n.Secret})

	w.ok(200, get(s, admin, "/audit?object_kind=user&object_id="+u.ID))
	w.no(403, "forbidden", get(s, helpdesk, "/audit"))
}
