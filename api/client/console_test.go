package client_test

import (
	"context"
	"encoding/csv"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/api/rest/resttest"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// A stick goes from hand to hand, by the client alone.
func TestStickLife(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	ctx := t.Context()
	s.Publish(t, "win11-ent", "1.0.0")
	d := apitest.Stick("a.img")
	_, session := s.Connect(t, "bench", d)
	c := as(t, s, api.RoleHelpdesk)
	must[api.Estimate](t)(c.EstimateJob(ctx, api.EstimateInput{Host: "bench", Bytes: []int64{d.Bytes}}))
	job := must[api.Job](t)(c.QueueJob(ctx, apitest.Order("win11-ent", "bench", d)))
	work := must[api.HostWork](t)(s.HostClaim(ctx, session))
	ref := protocol.AttemptRef{BuildID: work.Assigns[0].Builds[0].BuildID, Attempt: 1}
	must[api.HostWork](t)(s.HostEvents(ctx, session, []protocol.Event{
		{AttemptRef: ref, HostSeq: 1, Type: protocol.EventAccepted},
		{AttemptRef: ref, HostSeq: 2, Type: protocol.EventLog, Log: &protocol.LogLine{Level: "info", Code: "hello"}},
		{AttemptRef: ref, HostSeq: 3, Type: protocol.EventVerified, Result: &protocol.Result{DiskID: "0000000a"}},
	}))
	l := must[api.List[api.JobBuild]](t)(c.ListBuilds(ctx, api.BuildFilter{JobID: job.ID, State: "verified"}, api.Page{}))
	if len(l.Items) != 1 || l.Items[0].ImageName != "win11-ent" {
		t.Fatalf("%+v", l)
	}
	if b := must[api.JobBuild](t)(c.GetBuild(ctx, l.Items[0].ID)); b.StickID != job.Builds[0].StickID {
		t.Errorf("%+v", b)
	}
	if events := must[[]api.JobEvent](t)(c.BuildEvents(ctx, l.Items[0].ID, 0)); len(events) < 4 {
		t.Errorf("%d events", len(events))
	}
	if log := must[[]api.JobEvent](t)(c.BuildLog(ctx, l.Items[0].ID, 0)); len(log) != 1 || log[0].Log.Code != "hello" {
		t.Errorf("%+v", log)
	}
	s.Connect(t, "many", apitest.Stick("b.img"))
	table := wire.Batch{Table: "Cy,PC-1,INC-5", Host: "many", Image: "win11-ent"}
	if p := must[wire.BatchPlan](t)(c.CheckBatch(ctx, table)); !p.OK || len(p.Rows) != 1 {
		t.Errorf("%+v", p)
	}
	if j := must[api.Job](t)(c.QueueBatch(ctx, table)); j.Builds[0].Holder != "Cy" {
		t.Errorf("%+v", j)
	}
	id := job.Builds[0].StickID
	must[api.Stick](t)(c.IssueStick(ctx, api.IssueStickInput{ID: id, Holder: "Ann", Reference: "INC-1"}))
	must[api.Stick](t)(c.DeclareStickLost(ctx, api.MoveStickInput{ID: id, Reason: "on a train"}))
	tasks := must[[]api.StickTask](t)(c.StickTasks(ctx, id))
	for _, done := range []bool{true, false} {
		task := must[api.StickTask](t)(c.TickStickTask(ctx, api.TickStickTaskInput{Stick: id, Task: tasks[0].ID, Done: done}))
		if (task.DoneAt != nil) != done {
			t.Errorf("%+v, want done %t", task, done)
		}
	}
	if found := must[[]api.Found](t)(c.Search(ctx, "Ann")); len(found) == 0 {
		t.Error("nobody is found")
	}
	must[api.Stick](t)(c.StickFound(ctx, api.MoveStickInput{ID: id}))
	_, err := c.RetireStick(ctx, api.MoveStickInput{ID: id})
	wantCode(t, err, 403, "forbidden")
	if v := must[api.Stick](t)(as(t, s, api.RoleAdmin).RetireStick(ctx, api.MoveStickInput{ID: id})); v.Life != "retired" {
		t.Errorf("%+v", v)
	}
}

// What an admin looks after: sites, settings, people, what is out of use.
func TestAdmin(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	ctx := t.Context()
	c := as(t, s, api.RoleAdmin)
	site := must[api.Site](t)(c.SaveSite(ctx, api.SaveSiteInput{Name: "Lyon"}))
	site = must[api.Site](t)(c.SaveSite(ctx, api.SaveSiteInput{ID: site.ID, Name: "Lyon 2", Revision: site.Revision}))
	_, err := c.SaveSite(ctx, api.SaveSiteInput{ID: site.ID, Name: "Lyon 3", Revision: site.Revision - 1})
	wantCode(t, err, 412, "stale")
	if l := must[api.List[api.Site]](t)(c.ListSites(ctx, api.ShelfFilter{Search: "lyon"}, api.Page{})); len(l.Items) != 1 {
		t.Errorf("%+v", l)
	}
	for _, back := range []bool{false, true} {
		in := api.RetireInput{ID: site.ID, Back: back, Reason: "x"}
		if v := must[api.Site](t)(c.RetireSite(ctx, in)); (v.RetiredAt == nil) != back {
			t.Errorf("%+v", v)
		}
	}
	if l := must[api.List[api.HistoryEntry]](t)(c.ListHistory(ctx, "site", "Lyon 2", api.Page{Limit: 2})); len(l.Items) != 2 || l.Next == "" {
		t.Errorf("%+v", l)
	}
	s.Connect(t, "bench")
	if h := must[api.Host](t)(c.UpdateHost(ctx, api.UpdateHostInput{ID: "bench", Name: "moved", SiteID: "Lyon 2"})); h.SiteID != site.ID {
		t.Errorf("%+v", h)
	}
	if got := must[api.Site](t)(c.GetSite(ctx, "Lyon 2")); got.Hosts != 1 {
		t.Errorf("%+v", got)
	}

	set := must[api.Setting](t)(c.GetSetting(ctx, api.SettingBanner))
	must[api.Setting](t)(c.SaveSetting(ctx, api.SaveSettingInput{Name: set.Name, Value: "hello", Revision: api.Absent}))
	_, err = c.SaveSetting(ctx, api.SaveSettingInput{Name: set.Name, Value: "again", Revision: api.Absent})
	wantCode(t, err, 412, "stale")
	if all := must[[]api.Setting](t)(c.ListSettings(ctx, api.SettingFilter{})); len(all) < 4 {
		t.Errorf("%+v", all)
	}
	if set := must[[]api.Setting](t)(c.ListSettings(ctx, api.SettingFilter{Origin: api.OriginConsole})); len(set) != 1 || set[0].Name != api.SettingBanner {
		t.Errorf("%+v", set)
	}
	must[api.FirstRun](t)(c.GetFirstRun(ctx))

	u := must[api.User](t)(c.CreateUser(ctx, api.CreateUserInput{Login: "bob", Role: api.RoleViewer}))
	u = must[api.User](t)(c.UpdateUser(ctx, api.UpdateUserInput{ID: u.ID, Name: "Bob", Role: api.RoleHelpdesk, Revision: u.Revision}))
	if link := must[api.SignInLink](t)(c.CreatePasswordLink(ctx, u.ID)); link.Secret == "" {
		t.Errorf("%+v", link)
	}
	if v := must[api.User](t)(c.SetUserDisabled(ctx, u.ID, true)); !v.Disabled {
		t.Errorf("%+v", v)
	}
	must[api.User](t)(c.SetUserDisabled(ctx, u.ID, false))
	must[api.User](t)(c.UnlockUser(ctx, u.ID))
	must[api.User](t)(c.ResetTOTP(ctx, u.ID))
	must[[]api.Session](t)(c.ListSessions(ctx, u.ID))
	if err := c.EndSessions(ctx, u.ID); err != nil {
		t.Error(err)
	}
	wantCode(t, c.EndSession(ctx, u.ID, "nope"), 404, "session_not_found")
	must[[]api.View](t)(c.ListViews(ctx, ""))

	source := s.StarterTemplate()
	tpl := must[api.Template](t)(c.SaveTemplate(ctx, api.SaveTemplateInput{Name: "Lab", Source: source}))
	if v := must[api.Template](t)(c.RetireTemplate(ctx, api.RetireInput{ID: tpl.ID})); v.RetiredAt == nil {
		t.Errorf("%+v", v)
	}
	_, err = c.RetireTaskSequence(ctx, api.RetireInput{ID: "nope"})
	wantCode(t, err, 404, "task_sequence_not_found")

	var file strings.Builder
	if err := c.ExportAudit(ctx, api.AuditFilter{Action: "save_site"}, "csv", &file); err != nil {
		t.Fatal(err)
	}
	if rows, err := csv.NewReader(strings.NewReader(file.String())).ReadAll(); err != nil || len(rows) != 3 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	err = c.ExportAudit(ctx, api.AuditFilter{Actor: "nobody"}, "json", &file)
	wantCode(t, err, 422, "actor_unknown")
	n := 0
	saved := func(ctx context.Context, p api.Page) (api.List[api.AuditEntry], error) {
		return c.ListAudit(ctx, api.AuditFilter{Action: "save_site"}, p)
	}
	for _, err := range client.All(ctx, saved) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d lines", n)
	}
}
