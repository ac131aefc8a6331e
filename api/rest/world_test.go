package rest_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// builds goes through a job stick by stick.
func (w *world) builds() {
	s, ctx := w.s, w.t.Context()
	stick := apitest.Stick("life.img")
	_, session := s.Connect(w.t, "life", stick)
	order := wire.QueueJob{Image: "win11-ent", Host: "life", Devices: []wire.QueueDevice{{Identity: stick.Identity}}}
	w.no(404, "host_not_found", post(s, viewer, "/job-estimates", wire.EstimateJob{Host: "nope", Bytes: []int64{stick.Bytes}}))
	if e := decode[wire.Estimate](w.t, w.ok(200, post(s, viewer, "/job-estimates", wire.EstimateJob{Host: "life", Bytes: []int64{stick.Bytes}})), 200); e.Builds != 0 {
		w.t.Errorf("nothing was built there, and it takes %+v", e)
	}
	job := decode[api.Job](w.t, w.ok(202, post(s, helpdesk, "/jobs", order)), 202)
	work, err := s.HostClaim(ctx, session)
	if err != nil {
		w.t.Fatal(err)
	}
	b := work.Assigns[0].Builds[0]
	events := []protocol.Event{
		{Type: protocol.EventAccepted},
		{Type: protocol.EventLog, Log: &protocol.LogLine{Level: "info", Code: "x", Params: map[string]string{"a": "b"}}},
		{Type: protocol.EventTouched},
		{Type: protocol.EventVerified, Result: &protocol.Result{DiskID: "0000000b"}},
	}
	for i := range events {
		events[i].AttemptRef, events[i].HostSeq = protocol.AttemptRef{BuildID: b.BuildID, Attempt: b.Attempt}, int64(i+1)
	}
	if _, err := s.HostEvents(ctx, session, events); err != nil {
		w.t.Fatal(err)
	}
	path := "/builds/" + b.BuildID
	l := decode[api.List[api.JobBuild]](w.t, w.ok(200, get(s, viewer, "/builds?state=verified&host=life&stick="+b.StickID)), 200)
	if len(l.Items) != 1 || l.Items[0].ID != b.BuildID || l.Items[0].Version != "1.0.0" || l.Items[0].HostName != "life" {
		w.t.Errorf("%+v", l)
	}
	w.no(422, "request_invalid", get(s, viewer, "/builds?state=lost&from=yesterday"))
	w.no(404, "stick_not_found", get(s, viewer, "/builds?stick=nope"))
	if x := decode[api.JobBuild](w.t, w.ok(200, get(s, viewer, path)), 200); x.JobID != job.ID || len(x.Steps) == 0 || x.State != "verified" {
		w.t.Errorf("%+v", x)
	}
	w.no(404, "build_not_found", get(s, viewer, "/builds/nope"))
	one := decode[api.List[api.JobEvent]](w.t, w.ok(200, get(s, viewer, path+"/history?limit=1")), 200)
	if len(one.Items) != 1 || one.Next == "" {
		w.t.Fatalf("%+v", one)
	}
	next := decode[api.List[api.JobEvent]](w.t, w.ok(200, get(s, viewer, path+"/history?cursor="+one.Next)), 200)
	if len(next.Items) == 0 || next.Items[0].Seq <= one.Items[0].Seq || next.Next != "" {
		w.t.Errorf("%+v", next)
	}
	w.no(422, "cursor_invalid", get(s, viewer, path+"/history?cursor=x"))
	log := decode[api.List[api.JobEvent]](w.t, w.ok(200, get(s, viewer, path+"/log")), 200)
	if len(log.Items) != 1 || log.Items[0].Log == nil || log.Items[0].Log.Code != "x" {
		w.t.Errorf("%+v", log)
	}
	w.no(404, "build_not_found", get(s, viewer, "/builds/nope/log"))
	w.labels(job.ID, b.BuildID, b.StickID)
	w.lives(b.StickID)
}

// labels are those of what may be handed out.
func (w *world) labels(job, build, stick string) {
	s := w.s
	for _, path := range []string{"/jobs/" + job, "/sticks/" + stick} {
		l := decode[wire.Items[api.Label]](w.t, w.ok(200, get(s, viewer, path+"/labels")), 200).Items
		if len(l) != 1 || l[0].BuildID != build || l[0].URL != "https://console.test/sticks/"+stick || !strings.HasPrefix(l[0].Code, "<svg ") || l[0].VerifiedAt == nil {
			w.t.Errorf("%s: %+v", path, l)
		}
	}
	w.no(404, "job_not_found", get(s, viewer, "/jobs/nope/labels"))
	w.no(404, "stick_not_found", get(s, viewer, "/sticks/nope/labels"))
}

// tables make a job of a table.
func (w *world) tables() {
	s := w.s
	s.Connect(w.t, "many", apitest.Stick("t1.img"), apitest.Stick("t2.img"))
	table := wire.Batch{Table: "Ann\tNB-1\tINC-1\nBob\t\t\n", Host: "many", Image: "win11-ent", ExternalRef: api.ExternalRef{System: "servicenow", ID: "INC-9"}, Variables: map[string]string{"computer_name": "PC-{n}"}}
	p := decode[wire.BatchPlan](w.t, w.ok(200, post(s, helpdesk, "/batch-checks", table)), 200)
	if !p.OK || len(p.Rows) != 2 || p.Rows[0].Computer != "NB-1" || p.Rows[1].Computer != "PC-2" || p.Rows[1].Reference != "INC-9" ||
		p.Rows[0].Identity == nil || p.Rows[1].Identity == nil || *p.Rows[0].Identity == *p.Rows[1].Identity {
		w.t.Errorf("%+v", p)
	}
	wrong := table
	wrong.Table = "Ann,NB-1\nBob,NB-1\nCy,a b\n"
	p = decode[wire.BatchPlan](w.t, w.ok(200, post(s, helpdesk, "/batch-checks", wrong)), 200)
	if p.OK || len(p.Rows[1].Problems) != 1 || p.Rows[1].Problems[0].Code != "computer_name_twice" || len(p.Rows[2].Problems) != 2 {
		w.t.Errorf("%+v", p)
	}
	refused := wantProblem(w.t, send(w.t, s, post(s, helpdesk, "/batches", wrong)), 422, "batch_rows_wrong")
	if len(refused.Errors) != 3 || !slices.ContainsFunc(refused.Errors, func(e wire.FieldError) bool {
		return e.Location == "body.table.rows[2].identity" && e.Code == "batch_row_no_stick" && e.Detail != ""
	}) {
		w.t.Errorf("%+v", refused.Errors)
	}
	w.no(422, "batch_empty", post(s, helpdesk, "/batch-checks", wire.Batch{Host: "many", Table: " "}))
	w.no(403, "forbidden", post(s, viewer, "/batch-checks", table))
	job := decode[api.Job](w.t, w.ok(202, post(s, helpdesk, "/batches", table)), 202)
	for query, want := range map[string]int{
		"/builds?reference=INC-1&reference_system=servicenow": 1, "/builds?reference=INC-1&reference_system=jira": 0, "/builds?reference_system=servicenow": 2,
		"/jobs?reference=INC-9&reference_system=servicenow": 1, "/jobs?reference=INC-9&reference_system=jira": 0,
	} {
		if l := decode[api.List[json.RawMessage]](w.t, w.ok(200, get(s, viewer, query)), 200); len(l.Items) != want {
			w.t.Errorf("%s lists %d, want %d", query, len(l.Items), want)
		}
	}
	if len(job.Builds) != 2 || job.Builds[0].Holder != "Ann" || job.Builds[0].ExternalRef != (api.ExternalRef{System: "servicenow", ID: "INC-1"}) || job.Builds[1].ExternalRef.ID != "INC-9" ||
		job.Builds[1].Variables["computer_name"] != "PC-2" {
		w.t.Errorf("%+v", job.Builds)
	}
}

// lives takes a stick from hand to hand.
func (w *world) lives(id string) {
	s, path := w.s, "/sticks/"+id
	scanned := decode[wire.Scanned](w.t, w.ok(200, post(s, helpdesk, "/scans", wire.ScanStick{Code: id, Act: "issue", Holder: "Bob"})), 200)
	if scanned.Stick.Holder != "Bob" || scanned.Seq == 0 {
		w.t.Errorf("scanned: %+v", scanned)
	}
	w.no(422, "scan_foreign", post(s, helpdesk, "/scans", wire.ScanStick{Code: "nope", Act: "return"}))
	w.no(422, "request_invalid", post(s, helpdesk, "/scans", wire.ScanStick{Code: id, Act: "burn"}))
	if v := decode[api.Stick](w.t, w.ok(200, post(s, helpdesk, path+"/undos", wire.UndoStickMove{Seq: scanned.Seq})), 200); v.Life != "stock" {
		w.t.Errorf("undone: %+v", v)
	}
	w.no(409, "stick_moved_on", post(s, helpdesk, path+"/undos", wire.UndoStickMove{Seq: scanned.Seq}))
	w.no(403, "forbidden", post(s, viewer, path+"/issues", wire.IssueStick{Holder: "Ann"}))
	w.no(422, "holder_missing", post(s, helpdesk, path+"/issues", wire.IssueStick{}))
	v := decode[api.Stick](w.t, w.ok(200, post(s, helpdesk, path+"/issues", wire.IssueStick{Holder: "Ann", Reference: "INC-7"})), 200)
	if v.Life != "issued" || v.Holder != "Ann" || v.Reference != "INC-7" {
		w.t.Errorf("issued: %+v", v)
	}
	w.no(409, "stick_issued", post(s, admin, path+"/retirements", nil))
	w.no(409, "stick_place", post(s, helpdesk, path+"/finds", nil))
	w.ok(200, post(s, helpdesk, path+"/losses", wire.Reason{Reason: "on a train"}))
	w.no(409, "stick_place", post(s, helpdesk, path+"/losses", nil))
	tasks := decode[wire.Items[api.StickTask]](w.t, w.ok(200, get(s, viewer, path+"/tasks")), 200).Items
	if len(tasks) == 0 {
		w.t.Fatal("a loss leaves nothing to do")
	}
	w.no(404, "stick_not_found", get(s, viewer, "/sticks/nope/tasks"))
	no := false
	tick := path + "/tasks/" + tasks[0].ID + "/ticks"
	if t := decode[api.StickTask](w.t, w.ok(200, post(s, helpdesk, tick, nil)), 200); t.DoneAt == nil || t.DoneBy == "" {
		w.t.Errorf("ticked: %+v", t)
	}
	if t := decode[api.StickTask](w.t, w.ok(200, post(s, helpdesk, tick, wire.TickStickTask{Done: &no})), 200); t.DoneAt != nil {
		w.t.Errorf("not after all: %+v", t)
	}
	w.no(404, "task_not_found", post(s, helpdesk, path+"/tasks/nope/ticks", nil))
	if l := decode[api.List[api.Stick]](w.t, w.ok(200, get(s, viewer, "/sticks?life=lost&tasks=open")), 200); len(l.Items) != 1 {
		w.t.Errorf("%d sticks are lost", len(l.Items))
	}
	w.ok(200, post(s, helpdesk, path+"/finds", nil))
	w.ok(200, post(s, admin, path+"/retirements", wire.Reason{Reason: "worn"}))
	w.no(403, "forbidden", post(s, helpdesk, path+"/retirements", nil))
	w.ok(200, post(s, helpdesk, path+"/returns", nil))
	if l := decode[api.List[api.StickEvent]](w.t, w.ok(200, get(s, viewer, path+"/history")), 200); !slices.ContainsFunc(l.Items, func(e api.StickEvent) bool {
		return e.Reason == "on a train"
	}) {
		w.t.Errorf("its life is %+v", l.Items)
	}
}

// places are sites and the hosts in them.
func (w *world) places() {
	s := w.s
	a := w.ok(201, post(s, admin, "/sites", wire.SaveSite{Name: "Lyon"}))
	site := decode[api.Site](w.t, a, 201)
	w.no(409, "name_taken", post(s, admin, "/sites", wire.SaveSite{Name: "Lyon"}))
	w.no(403, "forbidden", post(s, helpdesk, "/sites", wire.SaveSite{Name: "Nice"}))
	w.ok(200, get(s, viewer, "/sites?q=lyo"))
	w.no(422, "request_invalid", get(s, viewer, "/sites?state=open"))
	w.ok(200, get(s, viewer, "/sites/Lyon"))
	w.no(404, "site_not_found", get(s, viewer, "/sites/nope"))
	change := put(s, admin, "/sites/"+site.ID, wire.SaveSite{Name: "Lyon 2"})
	change.header = map[string]string{"If-Match": a.header.Get("ETag")}
	w.ok(200, change)
	w.no(412, "stale", change)
	change.header = nil
	w.no(428, "match_missing", change)

	host, _ := s.Connect(w.t, "mover")
	move := put(s, admin, "/hosts/mover", wire.UpdateHost{Name: "moved", Site: "Lyon 2"})
	if h := decode[api.Host](w.t, w.ok(200, move), 200); h.Name != "moved" || h.SiteID != site.ID {
		w.t.Errorf("%+v", h)
	}
	w.no(404, "host_not_found", move)
	w.no(409, "site_in_use", post(s, admin, "/sites/"+site.ID+"/retirements", nil))
	w.ok(200, put(s, admin, "/hosts/"+host.ID, wire.UpdateHost{Name: "moved", Site: "Default"}))
	if v := decode[api.Site](w.t, w.ok(200, post(s, admin, "/sites/"+site.ID+"/retirements", wire.Reason{Reason: "sold"})), 200); v.RetiredAt == nil {
		w.t.Errorf("%+v", v)
	}
	w.no(409, "site_closed", post(s, admin, "/enrolments", wire.CreateEnrolment{SiteID: site.ID}))
	closed := put(s, admin, "/sites/"+site.ID, wire.SaveSite{Name: "Lyon", Default: true})
	w.no(409, "site_closed", closed)
	w.no(404, "site_not_found", post(s, admin, "/sites/nope/restorations", nil))
	if v := decode[api.Site](w.t, w.ok(200, post(s, admin, "/sites/"+site.ID+"/restorations", nil)), 200); v.RetiredAt != nil {
		w.t.Errorf("%+v", v)
	}
	for _, path := range []string{"/sites/Default", "/hosts/moved", "/images/win11-ent", "/templates/Lab", "/task-sequences/UEFI"} {
		w.ok(200, get(s, viewer, path+"/history?limit=5"))
		at := strings.LastIndexByte(path, '/')
		w.no(404, map[string]string{
			"/sites": "site_not_found", "/hosts": "host_not_found", "/images": "image_not_found", "/templates": "template_not_found",
			"/task-sequences": "task_sequence_not_found",
		}[path[:at]], get(s, viewer, path[:at]+"/nope/history"))
	}
	l := decode[api.List[api.HistoryEntry]](w.t, w.ok(200, get(s, viewer, "/sites/"+site.ID+"/history?limit=1")), 200)
	if len(l.Items) != 1 || l.Next == "" || l.Items[0].Action != "retire_site" {
		w.t.Fatalf("%+v", l)
	}
	if more := decode[api.List[api.HistoryEntry]](w.t, w.ok(200, get(s, viewer, "/sites/Lyon%202/history?cursor="+l.Next)), 200); len(more.Items) != 3 {
		w.t.Errorf("%+v", more)
	}
}

// shelves are templates and task sequences that go out of use.
func (w *world) shelves() {
	s := w.s
	w.no(403, "forbidden", post(s, helpdesk, "/templates/Lab/retirements", nil))
	w.ok(201, post(s, admin, "/templates", wire.SaveTemplate{Name: "Old", Source: s.StarterTemplate()}))
	w.ok(200, post(s, admin, "/templates/Old/retirements", wire.Reason{Reason: "done"}))
	if l := decode[api.List[api.Template]](w.t, w.ok(200, get(s, viewer, "/templates?state=retired")), 200); len(l.Items) != 1 {
		w.t.Errorf("%d templates are out of use", len(l.Items))
	}
	w.ok(200, post(s, admin, "/templates/Old/restorations", nil))
	w.no(404, "template_not_found", post(s, admin, "/templates/nope/restorations", nil))
	w.ok(200, post(s, admin, "/task-sequences/UEFI/retirements", nil))
	w.ok(200, post(s, admin, "/task-sequences/UEFI/restorations", nil))
	w.no(403, "forbidden", post(s, helpdesk, "/task-sequences/UEFI/retirements", nil))
	w.no(404, "task_sequence_not_found", post(s, admin, "/task-sequences/nope/restorations", nil))
	if l := decode[wire.Items[api.TaskSequenceVersion]](w.t, w.ok(200, get(s, viewer, "/task-sequences/UEFI/versions")), 200); len(l.Items) == 0 {
		w.t.Error("no versions")
	}
	w.no(404, "task_sequence_not_found", get(s, viewer, "/task-sequences/nope/versions"))
	v := decode[api.Version](w.t, w.ok(200, get(s, viewer, "/images/win11-ent/versions/1.0.0")), 200)
	w.ok(200, get(s, viewer, "/versions/"+v.ID+"/history"))
	w.no(404, "image_version_not_found", get(s, viewer, "/versions/nope/history"))
}

// others are people whom an admin looks after.
func (w *world) others() {
	s, ctx := w.s, w.t.Context()
	u := decode[api.User](w.t, w.ok(201, post(s, admin, "/users", wire.CreateUser{Login: "bob", Role: "viewer", Password: apitest.Password})), 201)
	path := "/users/" + u.ID
	w.no(422, "request_invalid", get(s, admin, "/users?role=king"))
	if v := decode[api.User](w.t, w.ok(200, put(s, admin, path, wire.UpdateUser{Name: "Bob B.", Role: "helpdesk"})), 200); v.Name != "Bob B." || v.Role != helpdesk {
		w.t.Errorf("%+v", v)
	}
	w.no(422, "role_unknown", put(s, admin, path, wire.UpdateUser{Name: "Bob", Role: "king"}))
	link := decode[api.SignInLink](w.t, w.ok(201, post(s, admin, path+"/sign-in-links", wire.CreateSignInLink{TTLSeconds: 60})), 201)
	w.no(403, "forbidden", post(s, helpdesk, path+"/sign-in-links", nil))
	if _, err := s.RedeemSignInLink(ctx, api.Anonymous("en", "req", "192.0.2.1"), link.Secret); err != nil {
		w.t.Fatal(err)
	}
	sessions := decode[wire.Items[api.Session]](w.t, w.ok(200, get(s, admin, path+"/sessions")), 200).Items
	if len(sessions) != 1 {
		w.t.Fatalf("%+v", sessions)
	}
	w.no(403, "forbidden", get(s, viewer, path+"/sessions"))
	w.ok(204, post(s, admin, path+"/sessions/"+sessions[0].ID+"/revocations", nil))
	w.no(404, "session_not_found", post(s, admin, path+"/sessions/nope/revocations", nil))
	w.ok(204, post(s, admin, path+"/sign-outs", nil))
	w.no(404, "user_not_found", post(s, admin, "/users/nope/sign-outs", nil))
	w.ok(201, post(s, admin, path+"/password-links", nil))
	w.no(403, "forbidden", post(s, viewer, path+"/password-links", nil))
	for _, noun := range []string{"unlocks", "second-factor-resets", "disablements", "enablements"} {
		w.ok(200, post(s, admin, path+"/"+noun, nil))
		w.no(404, "user_not_found", post(s, admin, "/users/nope/"+noun, nil))
		w.no(403, "forbidden", post(s, helpdesk, path+"/"+noun, nil))
	}
	w.no(409, "not_oneself", post(s, admin, "/users/"+s.Admin.UserID+"/disablements", nil))
}

// server is what an admin sets, keeps and reads.
func (w *world) server() {
	s := w.s
	w.ok(200, get(s, admin, "/settings"))
	if l := decode[wire.Items[api.Setting]](w.t, w.ok(200, get(s, admin, "/settings?group=storage&origin=default&changed=no&q=upload")), 200); len(l.Items) != 2 {
		w.t.Errorf("%+v", l)
	}
	w.no(422, "request_invalid", get(s, admin, "/settings?origin=nowhere"))
	w.no(422, "request_invalid", get(s, admin, "/settings?limit=1"))
	w.no(403, "forbidden", get(s, helpdesk, "/settings"))
	a := w.ok(200, get(s, admin, "/settings/banner"))
	w.no(404, "setting_unknown", get(s, admin, "/settings/nope"))
	set := put(s, admin, "/settings/banner", wire.SaveSetting{Value: "Closed on Friday"})
	set.header = map[string]string{"If-Match": a.header.Get("ETag")}
	if v := decode[api.Setting](w.t, w.ok(200, set), 200); v.Value != "Closed on Friday" || v.Origin != api.OriginConsole {
		w.t.Errorf("%+v", v)
	}
	w.no(412, "stale", set)
	w.no(422, "setting_invalid", put(s, admin, "/settings/upload-limit", wire.SaveSetting{Value: "much"}))
	w.ok(204, remove(s, admin, "/settings/banner"))
	if v := decode[api.Setting](w.t, w.ok(200, get(s, admin, "/settings/banner")), 200); v.Origin != api.OriginDefault {
		w.t.Errorf("%+v", v)
	}
	w.no(404, "setting_unknown", remove(s, admin, "/settings/nope"))
	if l := decode[api.List[api.HistoryEntry]](w.t, w.ok(200, get(s, admin, "/settings/banner/history")), 200); len(l.Items) != 2 {
		w.t.Errorf("%+v", l)
	}
	w.no(404, "setting_unknown", get(s, admin, "/settings/nope/history"))

	view := decode[api.View](w.t, w.ok(201, post(s, viewer, "/views", wire.CreateView{List: "jobs", Name: "Failed", Query: "state=failed&x=1"})), 201)
	if view.Query != "state=failed" {
		w.t.Errorf("%+v", view)
	}
	w.no(403, "forbidden", post(s, viewer, "/views", wire.CreateView{List: "jobs", Name: "Ours", Shared: true}))
	w.ok(200, get(s, viewer, "/views?list=jobs"))
	w.no(422, "request_invalid", get(s, viewer, "/views?limit=1"))
	w.ok(200, get(s, viewer, "/views/"+view.ID))
	w.no(404, "view_not_found", get(s, helpdesk, "/views/"+view.ID))
	w.ok(200, put(s, viewer, "/views/"+view.ID, wire.SaveView{Name: "Failures", Query: "state=failed"}))
	w.no(404, "view_not_found", put(s, helpdesk, "/views/"+view.ID, wire.SaveView{Name: "x", Query: ""}))
	w.no(404, "view_not_found", remove(s, helpdesk, "/views/"+view.ID))
	w.ok(204, remove(s, viewer, "/views/"+view.ID))

	first := decode[api.FirstRun](w.t, w.ok(200, get(s, admin, "/first-run")), 200)
	w.no(403, "forbidden", get(s, viewer, "/first-run"))
	w.no(422, "first_run_step_unknown", post(s, admin, "/first-run/marks", wire.MarkFirstRun{Step: "coffee", Mark: "done"}))
	w.no(409, "first_run_open", post(s, admin, "/first-run/completions", nil))
	for _, step := range slices.Sorted(maps.Keys(first.States)) {
		if first.States[step] == api.FirstRunOpen {
			w.ok(200, post(s, admin, "/first-run/marks", wire.MarkFirstRun{Step: step, Mark: api.FirstRunSkipped}))
		}
	}
	if v := decode[api.FirstRun](w.t, w.ok(200, post(s, admin, "/first-run/completions", nil)), 200); v.FinishedAt == nil {
		w.t.Errorf("%+v", v)
	}

	w.ok(200, get(s, viewer, "/search?q=win11"))
	w.no(422, "request_invalid", get(s, viewer, "/search?q="+strings.Repeat("x", 101)))
	w.exports()
}

// exports are files of the audit log.
func (w *world) exports() {
	s := w.s
	a := w.ok(200, get(s, admin, "/audit/export?action=save_setting"))
	var entries []api.AuditEntry
	if err := json.Unmarshal(a.body, &entries); err != nil || len(entries) != 2 {
		w.t.Errorf("%d lines, %v", len(entries), err)
	}
	a = w.ok(200, get(s, admin, "/audit/export?format=csv&action=save_setting"))
	if lines := strings.Split(strings.TrimSpace(string(a.body)), "\n"); len(lines) != 3 || !strings.HasPrefix(lines[0], "id,at,") {
		w.t.Errorf("%q", lines)
	}
	a = w.ok(200, get(s, admin, "/audit/export?action=publish_capture"))
	if err := json.Unmarshal(a.body, &entries); err != nil || len(entries) != 0 {
		w.t.Errorf("%s, %v", a.body, err)
	}
	w.no(422, "request_invalid", get(s, admin, "/audit/export?format=xml&from=yesterday&x=1"))
	w.no(422, "actor_unknown", get(s, admin, "/audit/export?actor=nobody"))
	w.no(403, "forbidden", get(s, helpdesk, "/audit/export"))
}
