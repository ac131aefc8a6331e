package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/webtest"
)

// Sticks go over a desk, one scan each, without a script.
func TestScan(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "helpdesk", "en")
	id := scene.Wiped.Builds[0].StickID
	short, evil := api.ShortName(id), `<img src=x onerror=alert(1)>`
	scan := func(act, holder, code string) *page {
		t.Helper()
		return v.post("/sticks/scan", url.Values{"act": {act}, "holder": {holder}, "reference": {"INC-5"}, "code": {code}}).want(http.StatusOK)
	}
	said := func(p *page, tone string) *page {
		t.Helper()
		if len(p.all("div", "data-tone", tone)) != 1 {
			t.Errorf("the scan is not %s:\n%s", tone, p.text())
		}
		return p
	}
	v.get("/sticks/scan").want(http.StatusOK).shows("Nothing was scanned yet").check("en")
	said(scan("issue", "Ada", "4006381333931"), "bad").shows("This is no code of a stick's label", "4006381333931")
	said(scan("issue", "Ada", evil), "bad").shows(evil)
	said(scan("issue", "", short), "bad").shows("Say who gets the stick.")
	p := said(scan("issue", evil, "https://old.example/sticks/"+id), "good").shows(short, evil+" has it now.", "1 stick")
	p.check("en")
	if len(p.all("img", "src", "x")) != 0 {
		t.Error("what was scanned is markup")
	}
	if p.value("holder") != evil || p.value("reference") != "INC-5" || p.value("code") != "" {
		t.Errorf("the form is %q, %q, %q", p.value("holder"), p.value("reference"), p.value("code"))
	}
	said(scan("issue", evil, short), "warn").shows("had it already")
	said(scan("issue", "Bob", short), "bad").shows(evil + " has this stick.")

	// The scan that did something is taken back, once.
	undo := url.Values{"stick": {id}, "seq": {v.get("/sticks/scan").value("seq")}}
	v.post("/sticks/scan/undo", undo).want(http.StatusOK).shows("Taken back: as it was before.", "0 sticks")
	v.post("/sticks/scan/undo", undo).want(http.StatusOK).shows("something happened to this stick since")
	if s := stickOf(t, scene, id); s.Life != "stock" || s.Holder != "" {
		t.Errorf("undone: %s, %q", s.Life, s.Holder)
	}

	// What came back asks for its data; what is lost is found on its page.
	scan("issue", "Ada", short)
	p = said(scan("return", "", strings.ToLower(short)), "good").shows("It is back.", "Does it hold user data?")
	if len(p.all("a", "href", "/sticks/"+id+"#data")) != 1 {
		t.Error("nothing leads to the question")
	}
	v.act(scene, "/sticks/"+id, "lost", nil).want(http.StatusOK)
	p = said(scan("return", "", short), "bad").shows("It is declared lost.")
	if len(p.all("a", "href", "/sticks/"+id+"#found")) != 1 {
		t.Error("nothing leads to the find")
	}
	signedIn(t, scene.Site, "helpdesk", "zh-CN").get("/sticks/scan").want(http.StatusOK).shows("尚未扫描").check("zh-CN")
	v.post("/sticks/scan/clear", nil).want(http.StatusOK).shows("Nothing was scanned yet")
	for _, path := range []string{"/sticks/scan", "/sticks/scan/undo", "/sticks/scan/clear"} {
		signedIn(t, scene.Site, "viewer", "en").post(path, url.Values{"seq": {"1"}, "code": {short}, "act": {"return"}}).want(http.StatusForbidden)
	}
}

// Before a stick that came back is written to, its page asks for its user's
// data; the forms of new jobs say why it cannot be chosen, and where that is
// settled.
func TestStickData(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v, admin := signedIn(t, scene.Site, "helpdesk", "en"), signedIn(t, scene.Site, "admin", "en")
	b := scene.Done.Builds[0]
	path, evil := "/sticks/"+b.StickID, `<img src=x onerror=alert(1)>`
	v.get(path).want(http.StatusOK).lacks("Does it hold user data?")
	v.act(scene, path, "return", nil).want(http.StatusOK).shows("Does it hold user data?", "Check it:").lacks("Copy it:").check("en")
	p := admin.get(path).want(http.StatusOK).shows("Copy it:")
	to := attr(p.all("a", "id", "data-capture")[0], "href")
	if p := admin.get(to).want(http.StatusOK); len(p.all("input", "checked", "")) == 0 {
		t.Error("the capture's form has not chosen the stick")
	}
	for _, form := range []string{"/jobs/new?kind=wipe&host=" + scene.Host.ID, "/jobs/new?kind=raw&host=" + scene.Host.ID} {
		if p := v.get(form).want(http.StatusOK).shows("nobody has said what becomes of its user data"); len(p.all("a", "href", path+"#data")) != 1 {
			t.Errorf("%s does not lead to the question", form)
		}
	}
	where := url.Values{"kind": {"press"}, "host": {scene.Host.ID}, "version": {scene.Version.ID}, "sequence": {scene.Sequence.ID}}
	if p := v.post("/jobs/where", where).want(http.StatusOK).shows("nobody has said what becomes of its user data"); len(p.all("a", "href", path+"#data")) != 1 {
		t.Error("the port map does not lead to the question")
	}

	v.act(scene, path, "data", url.Values{"data": {"given_up"}, "reason": {evil}}).want(http.StatusUnprocessableEntity).shows("Say who answers for the loss.")
	v.act(scene, path, "data", url.Values{"data": {"eaten"}}).want(http.StatusUnprocessableEntity).shows("Say what becomes of the data")
	p = v.act(scene, path, "data", url.Values{"data": {"given_up"}, "signer": {"Grace Hopper"}, "reason": {evil}}).want(http.StatusOK)
	p.shows("may be pressed or wiped now", "Grace Hopper signed the loss of its user data; noted by helpdesk.", evil, "its loss was signed").lacks("Does it hold user data?").check("en")
	if len(p.all("img", "src", "x")) != 0 {
		t.Error("a reason is markup")
	}
	v.act(scene, path, "data", url.Values{"data": {"none"}}).want(http.StatusConflict).shows("is said already")
	v.get("/jobs/new?kind=wipe&host=" + scene.Host.ID).want(http.StatusOK).lacks("nobody has said")
	signedIn(t, scene.Site, "viewer", "zh-CN").get(path).want(http.StatusOK).shows("签字同意舍弃用户数据").check("zh-CN")
	signedIn(t, scene.Site, "viewer", "en").post(path+"/data", url.Values{"data": {"none"}}).want(http.StatusForbidden)

	// Of one from which Windows has run nobody says that it holds none.
	used := "/sticks/" + scene.Done.Builds[1].StickID
	v.act(scene, used, "return", nil).want(http.StatusOK)
	scene.Compare(t, scene.Done)
	v.get(used).want(http.StatusOK).shows("Windows has run from it").lacks("Check it:")
	v.act(scene, used, "data", url.Values{"data": {"none"}}).want(http.StatusConflict).shows("Windows has run from this stick")
	v.act(scene, used, "data", url.Values{"data": {"copied"}, "reason": {"share"}}).want(http.StatusOK).shows("Its user data was copied; noted by helpdesk.", "share")
}

func stickOf(t *testing.T, scene *webtest.Scene, id string) api.Stick {
	t.Helper()
	s, err := scene.GetStick(t.Context(), scene.Viewer, id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
