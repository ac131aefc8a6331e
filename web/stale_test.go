package web_test

import (
	"net/http"
	"net/url"
	"strconv"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/webtest"
)

// A form that was made from what somebody else has changed meanwhile changes
// nothing, says so, and keeps what was typed.
func TestStaleForms(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v, ctx := signedIn(t, scene.Site, "admin", "en"), t.Context()
	const told = " has changed this"
	revision := func(p *page, action string) string {
		t.Helper()
		for _, form := range p.all("form", "action", action) {
			for n := range form.Descendants() {
				if n.Data == "input" && attr(n, "name") == "revision" {
					return attr(n, "value")
				}
			}
		}
		t.Fatalf("%s has no form for %s with a revision", p.path, action)
		return ""
	}
	field := func(p *page, name, value string) {
		t.Helper()
		for _, tag := range []string{"input", "textarea"} {
			for _, n := range p.all(tag, "name", name) {
				if attr(n, "value") == value || n.FirstChild != nil && n.FirstChild.Data == value {
					return
				}
			}
		}
		t.Errorf("%s: no field %s has kept %q", p.path, name, value)
	}

	t.Run("a stick is handed out", func(t *testing.T) {
		id := scene.Wiped.Builds[0].StickID
		form := url.Values{"revision": {revision(v.get("/sticks/"+id), "/sticks/"+id+"/issue")}, "holder": {"Ada Lovelace"}, "reference": {"INC-77"}}
		must[api.Stick](t)(scene.IssueStick(ctx, scene.Helpdesk, api.IssueStickInput{ID: id, Holder: "Bob"}))
		must[api.Stick](t)(scene.ReturnStick(ctx, scene.Helpdesk, api.MoveStickInput{ID: id}))
		must[api.Stick](t)(scene.SettleStickData(ctx, scene.Helpdesk, api.SettleStickDataInput{Stick: id, Data: api.DataCopied, Reason: "share"}))
		form.Set("holder", "bob") // nobody but whose data it holds gets it
		p := v.post("/sticks/"+id+"/issue", form).want(http.StatusPreconditionFailed).shows("helpdesk" + told)
		p.check("en")
		field(p, "holder", "bob")
		field(p, "reference", "INC-77")
		if s := stickOf(t, scene, id); s.Life != "returned" {
			t.Errorf("the stick is %s", s.Life)
		}
		form.Set("revision", revision(p, "/sticks/"+id+"/issue"))
		v.post("/sticks/"+id+"/issue", form).want(http.StatusOK)
		v.post("/sticks/"+id+"/issue", form).want(http.StatusOK) // twice, as by a double click
	})
	t.Run("a stick is lost", func(t *testing.T) {
		id := scene.Failed.Builds[0].StickID
		form := url.Values{"revision": {revision(v.get("/sticks/"+id), "/sticks/"+id+"/lost")}, "reason": {"on the train"}}
		must[api.Stick](t)(scene.ReturnStick(ctx, scene.Helpdesk, api.MoveStickInput{ID: id}))
		field(v.post("/sticks/"+id+"/lost", form).want(http.StatusPreconditionFailed).shows(told), "reason", "on the train")
		form = url.Values{"revision": form["revision"], "data": {api.DataGivenUp}, "signer": {"Grace"}, "reason": {"she said so"}}
		p := v.post("/sticks/"+id+"/data", form).want(http.StatusPreconditionFailed).shows(told)
		field(p, "signer", "Grace")
		field(p, "reason", "she said so")
	})
	t.Run("a task is ticked off", func(t *testing.T) {
		id := scene.Done.Builds[0].StickID
		must[api.Stick](t)(scene.DeclareStickLost(ctx, scene.Helpdesk, api.MoveStickInput{ID: id}))
		tasks := must[[]api.StickTask](t)(scene.StickTasks(ctx, scene.Helpdesk, id))
		path := "/sticks/" + id + "/tasks/" + tasks[0].ID
		form := url.Values{"revision": {revision(v.get("/sticks/"+id), path)}, "done": {"yes"}}
		v.post(path, url.Values{"done": {"yes"}}).want(http.StatusUnprocessableEntity).shows("This form does not say which state it was made from")
		must[api.StickTask](t)(scene.TickStickTask(ctx, scene.Helpdesk, api.TickStickTaskInput{Stick: id, Task: tasks[0].ID, Done: true}))
		v.post(path, form).want(http.StatusPreconditionFailed).shows(told, "Done by helpdesk").check("en")
		other := "/sticks/" + id + "/tasks/" + tasks[1].ID
		v.post(other, form).want(http.StatusOK).shows("Done by admin")
		v.post(other, form).want(http.StatusOK) // twice, as by a double click
		must[api.Stick](t)(scene.StickFound(ctx, scene.Helpdesk, api.MoveStickInput{ID: id}))
		v.post("/sticks/"+id+"/tasks/"+tasks[2].ID, form).want(http.StatusPreconditionFailed).shows(told, "Dropped: the stick was found first.")
	})
	t.Run("what captures leave out", func(t *testing.T) {
		form := url.Values{"revision": {revision(v.get("/exclusions"), "/exclusions")}, "list": {"\\mine"}}
		must[api.Exclusions](t)(scene.SaveExclusions(ctx, scene.Admin, api.SaveExclusionsInput{List: "\\theirs"}))
		p := v.post("/exclusions", form).want(http.StatusPreconditionFailed).shows(told, "\\theirs")
		p.check("en")
		field(p, "list", "\\mine")
		form.Set("revision", revision(p, "/exclusions"))
		v.post("/exclusions", form).want(http.StatusOK)
	})
	t.Run("a stick is returned", func(t *testing.T) {
		id := scene.Done.Builds[1].StickID
		form := url.Values{"revision": {revision(v.get("/sticks/"+id), "/sticks/"+id+"/return")}}
		must[api.Stick](t)(scene.DeclareStickLost(ctx, scene.Helpdesk, api.MoveStickInput{ID: id}))
		must[api.Stick](t)(scene.StickFound(ctx, scene.Helpdesk, api.MoveStickInput{ID: id}))
		must[api.Stick](t)(scene.SettleStickData(ctx, scene.Helpdesk, api.SettleStickDataInput{Stick: id, Data: api.DataCopied, Reason: "share"}))
		must[api.Stick](t)(scene.IssueStick(ctx, scene.Helpdesk, api.IssueStickInput{ID: id, Holder: "Grace Hopper"}))
		v.post("/sticks/"+id+"/return", form).want(http.StatusPreconditionFailed).shows(told)
	})
	t.Run("a channel is pointed", func(t *testing.T) {
		p := v.get("/images/win11-ent")
		path := "/images/win11-ent/channel"
		form := url.Values{"channel": {"stable"}, "version": {scene.Version.ID}, "revision": {revision(p, path)}}
		must[api.Channel](t)(scene.SetChannel(ctx, scene.Admin, api.SetChannelInput{Image: "win11-ent", Channel: "stable", Version: "24.2.0"}))
		v.post(path, form).want(http.StatusPreconditionFailed).shows(told)
		form = url.Values{"channel": {"pilot"}, "version": {scene.Version.ID}, "revision": {strconv.FormatInt(api.Absent, 10)}}
		v.post(path, form).want(http.StatusOK).shows("Channel pilot points to 24.2.1", "stable")
		v.post(path, form).want(http.StatusPreconditionFailed).shows(told) // it was made meanwhile
	})
	t.Run("the name of a version to withdraw is mistyped", func(t *testing.T) {
		path := "/versions/" + scene.Version.ID
		form := url.Values{"revision": {revision(v.get(path), path+"/withdraw")}, "name": {"win11-ent 24.2"}, "reason": {"broken driver"}}
		p := v.post(path+"/withdraw", form).want(http.StatusUnprocessableEntity)
		field(p, "reason", "broken driver")
		field(p, "name", "win11-ent 24.2")
	})
	t.Run("a host is revoked", func(t *testing.T) {
		path := "/hosts/" + scene.Host.ID
		form := url.Values{"revision": {revision(v.get(path), path+"/revoke")}, "name": {scene.Host.Name}, "reason": {"sold"}}
		must[api.Host](t)(scene.UpdateHost(ctx, scene.Admin, api.UpdateHostInput{ID: scene.Host.ID, Name: scene.Host.Name, SiteID: site(t, scene)}))
		p := v.post(path+"/revoke", form).want(http.StatusPreconditionFailed).shows(told)
		p.check("en")
		field(p, "reason", "sold")
		field(p, "name", scene.Host.Name)
	})
}

// site is another site than the default one.
func site(t *testing.T, scene *webtest.Scene) string {
	t.Helper()
	return must[api.Site](t)(scene.SaveSite(t.Context(), scene.Admin, api.SaveSiteInput{Name: "Hamburg"})).ID
}
