package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/webtest"
)

// A site is made, renamed, gets hosts, and is closed when they are gone.
func TestSites(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "admin", "en")
	evil := `<i>Lab</i> "&`
	p := v.post("/sites", url.Values{"name": {evil}}).want(http.StatusOK).shows("The site " + evil + " is there.")
	lab := p.path
	v.post("/sites", url.Values{"name": {strings.ToUpper(evil)}}).want(http.StatusConflict).shows("There is a site of this name already")
	v.post(lab, url.Values{"name": {"Lab 2"}, "revision": {"1"}}).want(http.StatusOK).shows("The site Lab 2 is saved.", "Site saved", evil)

	// Somebody else was faster: what was typed stays, what they saved is beside it.
	p = v.post(lab, url.Values{"name": {"Lab 3"}, "revision": {"1"}}).want(http.StatusPreconditionFailed).shows("Lab 2", "as somebody else has saved it meanwhile")
	if p.value("name") != "Lab 3" || p.value("revision") != "2" {
		t.Errorf("the form has %q at revision %s", p.value("name"), p.value("revision"))
	}

	site, err := scene.GetSite(t.Context(), scene.Admin, "Lab 2")
	if err != nil {
		t.Fatal(err)
	}
	home := v.get("/sites").want(http.StatusOK).shows("Default", "Lab 2")
	if home.value("name") != "" {
		t.Error("the form for a new site is filled in")
	}
	v.post("/sites/"+scene.Host.SiteID+"/move", url.Values{"host": {scene.Host.ID}, "to": {site.ID}}).want(http.StatusOK).shows("1 host now belongs to Lab 2.")
	v.get(lab).shows("bench-1")
	v.get("/hosts?site=Lab+2").shows("bench-1").lacks("bench-2")
	v.get("/hosts/" + scene.Host.ID).shows("Host renamed or moved")

	closing := url.Values{"name": {"Lab 2"}, "revision": {"2"}, "reason": {"moved out"}}
	v.post(lab+"/retire", url.Values{"name": {"lab"}, "revision": {"2"}}).want(http.StatusUnprocessableEntity)
	v.post(lab+"/retire", closing).want(http.StatusConflict).shows("Lab 2 is still in use (hosts: 1")
	v.post("/hosts/"+scene.Host.ID, url.Values{"host-name": {"bench one"}, "site": {scene.Host.SiteID}, "revision": {"2"}}).want(http.StatusOK).shows("bench one is saved.")
	v.post(lab+"/retire", closing).want(http.StatusOK).shows("The site Lab 2 is closed.", "Open the site again", "moved out")
	v.get("/sites").lacks("Lab 2")
	v.get("/sites?state=retired").shows("Lab 2")
	v.post("/hosts/"+scene.Host.ID, url.Values{"host-name": {"bench one"}, "site": {site.ID}, "revision": {"3"}}).
		want(http.StatusConflict).shows("The site Lab 2 is closed")
	v.post(lab+"/retire", url.Values{"back": {"yes"}, "revision": {"3"}}).want(http.StatusOK).shows("The site Lab 2 is open again.")
	// The default one is another now, and stays open.
	v.post(lab, url.Values{"name": {"Lab 2"}, "default": {"on"}, "revision": {"4"}}).want(http.StatusOK)
	v.post(lab+"/retire", url.Values{"name": {"Lab 2"}, "revision": {"5"}}).want(http.StatusConflict).shows("Lab 2 is the default site.")
	e, err := scene.CreateEnrolment(t.Context(), scene.Admin, api.CreateEnrolmentInput{})
	if err != nil || e.SiteID != site.ID {
		t.Errorf("a host is enrolled at %s, %v", e.SiteID, err)
	}
	for _, role := range []string{"viewer", "helpdesk"} {
		low := signedIn(t, scene.Site, role, "en")
		low.get(lab).want(http.StatusOK).lacks("Close the site", "Change")
		low.post("/sites", url.Values{"name": {"x"}}).want(http.StatusForbidden)
		low.post(lab, url.Values{"name": {"x"}, "revision": {"5"}}).want(http.StatusForbidden)
		low.post(lab+"/retire", url.Values{"name": {"Lab 2"}, "revision": {"5"}}).want(http.StatusForbidden)
		low.post("/hosts/"+scene.Host.ID, url.Values{"host-name": {"x"}, "revision": {"3"}}).want(http.StatusForbidden)
	}
}

// Two people edit one host: the second one is told, and keeps what was typed.
func TestHostIsStale(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "admin", "en")
	revision := v.get("/hosts/" + scene.Host.ID).value("revision")
	form := func(name string) url.Values {
		return url.Values{"host-name": {name}, "site": {scene.Host.SiteID}, "revision": {revision}}
	}
	v.post("/hosts/"+scene.Host.ID, form("first")).want(http.StatusOK)
	p := v.post("/hosts/"+scene.Host.ID, form("second")).want(http.StatusPreconditionFailed).shows("first · Default", "admin has changed this host")
	if p.value("host-name") != "second" {
		t.Errorf("the form has %q", p.value("host-name"))
	}
	v.post("/hosts/"+scene.Host.ID, url.Values{"host-name": {"second"}, "site": {scene.Host.SiteID}, "revision": {p.value("revision")}}).want(http.StatusOK).shows("second is saved.")
}
