package web_test

import (
	"encoding/csv"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/webtest"
)

// act sends a form of a stick's page, made from the stick as it is now.
func (v *visitor) act(scene *webtest.Scene, path, act string, form url.Values) *page {
	v.t.Helper()
	sent := url.Values{"revision": {strconv.FormatInt(stickOf(v.t, scene, strings.TrimPrefix(path, "/sticks/")).Revision, 10)}}
	maps.Copy(sent, form)
	return v.post(path+"/"+act, sent)
}

// A stick goes from hand to hand, is lost, found and taken out of use.
func TestLifeOfAStick(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v, admin := signedIn(t, scene.Site, "helpdesk", "en"), signedIn(t, scene.Site, "admin", "en")
	evil := `<img src=x onerror=alert(1)>`
	path := "/sticks/" + scene.Wiped.Builds[0].StickID

	v.act(scene, path, "issue", url.Values{"holder": {" "}, "reference": {"INC-" + evil}}).want(http.StatusUnprocessableEntity).shows("Say who gets the stick.")
	p := v.act(scene, path, "issue", url.Values{"holder": {evil}, "reference": {"INC-77"}}).want(http.StatusOK)
	p.shows(evil+" has AA00000000000489 now.", "Handed out to "+evil+" by helpdesk.", "INC-77", "issued").check("en")
	if len(p.all("img", "src", "x")) != 0 {
		t.Error("a holder's name is markup")
	}
	if len(p.all("form", "action", path+"/issue")) != 0 {
		t.Error("what somebody has is offered to others")
	}
	v.act(scene, path, "issue", url.Values{"holder": {"Bob"}}).want(http.StatusConflict).shows(evil + " has this stick.")
	p = v.act(scene, path, "lost", url.Values{"reason": {"on the train " + evil}}).want(http.StatusOK)
	p.shows("Nobody knows where this stick is.", "Declared lost by helpdesk.", "on the train "+evil).lacks("Disable the account")
	if len(p.all("a", "id", "stick-wipe")) != 0 || len(p.all("form", "action", path+"/return")) != 0 {
		t.Error("a lost stick is offered to be wiped or taken back")
	}
	v.act(scene, path, "lost", nil).want(http.StatusConflict).shows("That cannot be done with this stick where it is now")
	back := "/sticks/" + scene.Failed.Builds[0].StickID
	v.act(scene, back, "return", nil).want(http.StatusOK)
	v.act(scene, back, "issue", url.Values{"holder": {"Bob"}}).want(http.StatusConflict).shows("was not wiped since")
	v.act(scene, path, "return", nil).want(http.StatusConflict).shows("is declared lost")
	p = v.act(scene, path, "found", url.Values{"reason": {"in a drawer"}}).want(http.StatusOK).shows("Found; noted by helpdesk.", "in a drawer", "returned")
	if first := p.all("li", "data-event", "stick_found"); len(first) != 1 {
		t.Errorf("the find is there %d times", len(first))
	}

	// Out of use: an admin, who types its name.
	v.act(scene, path, "retire", url.Values{"name": {"AA00000000000489"}}).want(http.StatusForbidden)
	if len(v.get(path).all("form", "action", path+"/retire")) != 0 {
		t.Error("helpdesk is offered to take a stick out of use")
	}
	admin.act(scene, path, "retire", url.Values{"name": {"AA"}, "reason": {"worn"}}).want(http.StatusUnprocessableEntity).shows("AA00000000000489")
	admin.act(scene, path, "retire", url.Values{"name": {"AA00000000000489"}, "reason": {"worn"}}).want(http.StatusOK).shows("Taken out of use by admin.", "worn", "out of use")
	v.get("/sticks?life=retired").want(http.StatusOK).shows("AA00000000000489")
	v.act(scene, path, "return", nil).want(http.StatusOK).shows("returned")
	signedIn(t, scene.Site, "viewer", "zh-CN").get(path).want(http.StatusOK).shows("由 admin 停用", "由 helpdesk 报失").check("zh-CN")
	viewer := signedIn(t, scene.Site, "viewer", "en")
	for _, act := range []string{"issue", "return", "lost", "found", "retire", "tasks/x"} {
		viewer.post(path+"/"+act, nil).want(http.StatusForbidden)
		if len(viewer.get(path).all("form", "action", path+"/"+act)) != 0 {
			t.Errorf("a viewer is offered to %s", act)
		}
	}
}

// What was done with a stick on its page by mistake is taken back there, once, as
// long as nothing happened to the stick since.
func TestUndoOnAStick(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "helpdesk", "en")
	b := scene.Done.Builds[0]
	path := "/sticks/" + b.StickID
	if len(v.get(path).want(http.StatusOK).all("button", "id", "stick-undo")) != 0 {
		t.Error("pressing is offered to be undone")
	}
	before := stickOf(t, scene, b.StickID)
	p := v.act(scene, path, "return", nil).want(http.StatusOK).shows("is back.", "Undo the return")
	undo := url.Values{"seq": {p.value("seq")}}
	v.post(path+"/undo", url.Values{"seq": {"x"}}).want(http.StatusUnprocessableEntity)
	p = v.post(path+"/undo", undo).want(http.StatusOK).shows("is as it was before.").lacks("Undo the return", "Does it hold user data?")
	if now := stickOf(t, scene, b.StickID); now.Life != before.Life || now.Holder != before.Holder || now.Holder == "" {
		t.Errorf("undone: %s, %q", now.Life, now.Holder)
	}
	if len(p.all("form", "action", path+"/return")) != 1 {
		t.Error("the stick cannot be returned again")
	}
	v.post(path+"/undo", undo).want(http.StatusConflict).shows("something happened to this stick since")
	path = "/sticks/" + scene.Wiped.Builds[0].StickID
	p = v.act(scene, path, "issue", url.Values{"holder": {"Ada"}}).want(http.StatusOK).shows("Undo handing out")
	if len(signedIn(t, scene.Site, "viewer", "en").get(path).all("button", "id", "stick-undo")) != 0 {
		t.Error("a viewer is offered to undo")
	}
	v.post(path+"/undo", url.Values{"seq": {p.value("seq")}}).want(http.StatusOK).lacks("Undo handing out")
	signedIn(t, scene.Site, "viewer", "en").post(path+"/undo", undo).want(http.StatusForbidden)
}

// What is to be disabled after a loss is listed by what was pressed, and ticked
// off; the list of sticks can be narrowed to what is left.
func TestLostStick(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "helpdesk", "en")
	b := scene.Done.Builds[0]
	path := "/sticks/" + b.StickID
	p := v.act(scene, path, "lost", url.Values{"reason": {"stolen"}}).want(http.StatusOK)
	p.shows("To be disabled", "Disable the computer account of", "Void the BitLocker recovery key", "Sign Grace Hopper out everywhere").check("en")
	tasks, err := scene.StickTasks(t.Context(), scene.Viewer, b.StickID)
	if err != nil || len(tasks) != 3 {
		t.Fatalf("%+v, %v", tasks, err)
	}
	if note := v.get("/sticks").want(http.StatusOK).all("div", "id", "open-tasks"); len(note) != 1 {
		t.Error("the list does not say that something is to be disabled")
	}
	for i, task := range tasks {
		v.get("/sticks?tasks=open").want(http.StatusOK).shows(b.Identity.Serial, "not ticked off yet")
		p = v.act(scene, path, "tasks/"+task.ID, url.Values{"done": {"yes"}}).want(http.StatusOK)
		if n := strings.Count(p.text(), "Done by helpdesk"); n != i+1 {
			t.Errorf("%d of %d are ticked off", n, i+1)
		}
	}
	if p := v.get("/sticks?tasks=open").want(http.StatusOK).shows("Nothing fits these filters"); len(p.all("div", "id", "open-tasks")) != 0 {
		t.Error("the list says that something is to be disabled")
	}
	v.act(scene, path, "tasks/"+tasks[0].ID, nil).want(http.StatusOK)
	v.get("/sticks?tasks=open").want(http.StatusOK).shows(b.Identity.Serial)
	signedIn(t, scene.Site, "viewer", "en").post(path+"/tasks/"+tasks[0].ID, url.Values{"done": {"yes"}}).want(http.StatusForbidden)
	v.act(scene, path, "tasks/task_01jd6y9k3te0mv8b0g2z5q4w7x", url.Values{"done": {"yes"}}).want(http.StatusNotFound)
	v.act(scene, path, "found", nil).want(http.StatusOK).shows("Dropped: the stick was found first.")
	audit, err := scene.ListAudit(t.Context(), scene.Admin, api.AuditFilter{ObjectKind: "stick", ObjectID: b.StickID}, api.Page{})
	if err != nil || len(audit.Items) != 6 || audit.Items[0].Action != "stick_found" {
		t.Errorf("%d entries, %v", len(audit.Items), err)
	}
}

// The page of a version leads to the sticks that carry it.
func TestSticksOfAVersion(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "viewer", "en")
	p := v.get("/versions/" + scene.Version.ID).want(http.StatusOK).shows("3 sticks carry it")
	to := attr(p.all("a", "id", "version-sticks")[0], "href")
	v.get(to).want(http.StatusOK).shows(scene.Done.Builds[0].Identity.Serial, scene.Done.Builds[1].Identity.Serial).lacks("AA00000000000489")
}

// The list of sticks is a file, narrowed as the page is; no cell is a formula.
func TestSticksExport(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	const formula = `=HYPERLINK("http://x","y")`
	if _, err := scene.IssueStick(t.Context(), scene.Helpdesk, api.IssueStickInput{ID: scene.Wiped.Builds[0].StickID, Holder: formula, Reference: "+1"}); err != nil {
		t.Fatal(err)
	}
	v := signedIn(t, scene.Site, "viewer", "en")
	to := attr(v.get("/sticks?life=issued").want(http.StatusOK).all("a", "id", "sticks-csv")[0], "href")
	rows := must[[][]string](t)(csv.NewReader(strings.NewReader(v.get(to).want(http.StatusOK).body)).ReadAll())
	if len(rows) != 5 || rows[0][0] != "id" || rows[1][0] != scene.Wiped.Builds[0].StickID || rows[1][5] != "'"+formula || rows[1][6] != "'+1" {
		t.Errorf("%d rows: %q", len(rows), rows)
	}
	all := must[[][]string](t)(csv.NewReader(strings.NewReader(v.get("/sticks/export").want(http.StatusOK).body)).ReadAll())
	if len(all) <= len(rows) {
		t.Errorf("%d rows in all", len(all))
	}
	if none := v.get("/sticks/export?life=lost").want(http.StatusOK); strings.Count(none.body, "\n") != 1 {
		t.Errorf("of no stick: %q", none.body)
	}
	v.get("/sticks/export?color=red").want(http.StatusUnprocessableEntity).shows("cannot be narrowed by")
	v.get("/sticks/export?life=undead").want(http.StatusUnprocessableEntity)
}
