package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/webtest"
)

// A list is narrowed by its address; what narrows it stands as chips, each of
// which leads to the list without it.
func TestNarrowedList(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "viewer", "en")
	rows := func(p *page) int {
		n := 0
		for _, tr := range p.all("tr", "", "") {
			if within(tr, "tbody") {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		path string
		rows int
	}{
		{"/jobs", 4},
		{"/jobs?state=failed", 1},
		{"/jobs?state=active", 1},
		{"/jobs?q=inc-104", 3},
		{"/jobs?q=alan+t", 1},
		{"/jobs?host=bench-1&state=succeeded", 2},
		{"/jobs?host=" + scene.Host.ID, 4},
		{"/jobs?image=win11-ent&kind=press&site=Default", 3},
		{"/jobs?kind=wipe", 1},
		{"/jobs?reference=INC-1041", 1},
		{"/jobs?to=2020-01-01", 0},
		{"/jobs?from=2020-01-01", 4},
		{"/sticks?holder=grace", 2},
		{"/sticks?state=wiped&host=bench-1", 1},
		{"/hosts?state=online", 1},
		{"/hosts?q=ENCH-2", 1},
		{"/hosts?state=revoked", 0},
		{"/images?q=win1", 2},
		{"/versions?image=win11-ent&state=published", 1},
		{"/versions?format=raw", 1},
		{"/templates?q=start", 1},
		{"/task-sequences?state=retired", 0},
	} {
		p := v.get(c.path).want(http.StatusOK)
		if n := rows(p); n != c.rows {
			t.Errorf("%s has %d rows, want %d: %s", c.path, n, c.rows, p.text())
		}
		query, _ := url.Parse(c.path)
		if chips := len(p.all("li", "class", "chip")); chips != len(query.Query()) {
			t.Errorf("%s has %d chips", c.path, chips)
		}
		if c.rows == 0 {
			p.shows("Nothing fits these filters")
		}
	}
	p := v.get("/jobs?host=bench-1&state=failed").want(http.StatusOK)
	if p.value("state") != "failed" || p.value("host") != "bench-1" {
		t.Errorf("the bar has %q and %q", p.value("state"), p.value("host"))
	}
	for _, a := range p.all("a", "aria-label", "Remove the filter State: failed") {
		if attr(a, "href") != "/jobs?host=bench-1" {
			t.Errorf("the chip leads to %s", attr(a, "href"))
		}
	}
	// A version's ID says nothing to people.
	p = v.get("/sticks?version=" + scene.Version.ID).want(http.StatusOK)
	if named := scene.Version.ImageName + " " + scene.Version.Version; len(p.all("a", "aria-label", "Remove the filter Version's ID: "+named)) != 1 {
		t.Errorf("no chip says %s", named)
	}
	// A form that was sent without scripts has an address without its empty fields.
	if p := v.get("/jobs?q=&state=failed&host=&kind="); p.path != "/jobs?state=failed" {
		t.Errorf("the address is %s", p.path)
	}
	if p := v.get("/jobs?q="); p.path != "/jobs" {
		t.Errorf("the address is %s", p.path)
	}
}

// What the address says and the list does not know is left out, and said.
func TestFilterIsNotUnderstood(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "viewer", "en")
	for path, note := range map[string]string{
		"/jobs?state=broken":                  "The filter “State: broken” was left out. “broken” is none of the values of this filter, which are active, queued, ",
		"/jobs?host=nowhere":                  "The filter “Host: nowhere” was left out.",
		"/jobs?from=yesterday":                "“yesterday” is no day. Write it as 2026-11-27.",
		"/jobs?color=red":                     "The address has the filter “color”, which this list does not have.",
		"/jobs?after=nonsense":                "This page of the list",
		"/sticks?version=24.2.1":              "The filter “Version's ID: 24.2.1” was left out.",
		"/versions?format=zip&image=x":        "The filter “Image: x” was left out.",
		"/hosts?site=Atlantis":                "The filter “Site: Atlantis” was left out.",
		"/jobs?q=" + strings.Repeat("x", 300): "It is longer than 200 bytes",
		"/jobs?q=%ff":                         "This text holds characters that cannot be kept.",
	} {
		p := v.get(path).want(http.StatusOK).shows(note)
		if len(p.all("li", "class", "chip")) != 0 {
			t.Errorf("%s has a chip", path)
		}
	}
}

// The pages of a list lead on and back.
func TestPagesOfAList(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	for i := range 60 {
		if _, err := s.CreateImage(t.Context(), s.Admin, api.CreateImageInput{Name: "image-" + string(rune('a'+i/26)) + string(rune('a'+i%26))}); err != nil {
			t.Fatal(err)
		}
	}
	v := signedIn(t, s, "viewer", "en")
	first := v.get("/images?q=image").shows("image-aa").lacks("image-cb")
	rel := func(p *page, name string) string {
		for _, a := range p.all("a", "rel", name) {
			return attr(a, "href")
		}
		return ""
	}
	second := v.get(rel(first, "next")).shows("image-cb").lacks("image-aa")
	if rel(first, "prev") != "" || rel(second, "next") != "" || !strings.Contains(rel(second, "prev"), "q=image") {
		t.Errorf("the pages lead to %q, %q and %q", rel(first, "prev"), rel(second, "next"), rel(second, "prev"))
	}
	v.get(rel(second, "prev")).shows("image-aa").lacks("image-cb")
}

func TestViews(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	viewer, admin := signedIn(t, scene.Site, "viewer", "en"), signedIn(t, scene.Site, "admin", "en")
	evil := `<b onclick="x">&`
	p := viewer.post("/views", url.Values{"list": {"jobs"}, "query": {"state=failed&color=red"}, "name": {evil}}).want(http.StatusOK)
	if p.path != "/jobs?state=failed" {
		t.Errorf("the view leads to %s", p.path)
	}
	here := p.all("a", "aria-current", "page")
	tab := ""
	for _, a := range here {
		if within(a, "nav") && attr(a, "href") == "/jobs?state=failed" {
			tab = a.FirstChild.Data
		}
	}
	if tab != evil {
		t.Errorf("the tab is %q", tab)
	}
	admin.get("/jobs").lacks(evil)
	viewer.post("/views", url.Values{"list": {"jobs"}, "query": {"state=failed"}, "name": {evil}}).want(http.StatusConflict).shows("There is a view of this name already")
	viewer.post("/views", url.Values{"list": {"jobs"}, "name": {"all"}, "shared": {"on"}}).want(http.StatusForbidden)
	viewer.post("/views", url.Values{"list": {"pets"}, "name": {"all"}}).want(http.StatusUnprocessableEntity).shows("There is no list “pets”")
	viewer.post("/views", url.Values{"list": {"users"}, "name": {"all"}}).want(http.StatusForbidden)
	admin.post("/views", url.Values{"list": {"audit"}, "query": {"action=sign_in"}, "name": {"Who came"}, "shared": {"on"}}).want(http.StatusOK).shows("Who came", "Signed in")
	admin.get("/views").shows("Who came")
	viewer.get("/views").lacks("Who came")
	viewer.post("/views", url.Values{"list": {"jobs"}, "name": {" "}}).want(http.StatusUnprocessableEntity)
	admin.post("/views", url.Values{"list": {"jobs"}, "query": {"kind=wipe"}, "name": {"Wipes"}, "shared": {"on"}}).want(http.StatusOK)
	manage := viewer.get("/views?list=jobs").want(http.StatusOK).shows("Wipes", evil)
	var rename, remove, shared string
	views, err := scene.ListViews(t.Context(), scene.Viewer, "jobs")
	if err != nil || len(views) != 2 || !views[0].Shared {
		t.Fatalf("%v, %v", views, err)
	}
	shared = views[0].ID
	for _, form := range manage.all("form", "method", "post") {
		action := attr(form, "action")
		if strings.Contains(action, shared) {
			t.Error("a viewer is offered to change everybody's view")
		}
		if strings.HasPrefix(action, "/views/view_") {
			rename = action
		}
	}
	for _, link := range manage.all("a", "class", "btn btn-danger") {
		remove = attr(link, "href")
	}
	viewer.get("/views/" + shared + "/delete").want(http.StatusForbidden)
	admin.get("/views/"+shared+"/delete").want(http.StatusOK).shows("It goes from everybody's list", "kind=wipe").check("en")
	admin.get(remove).want(http.StatusNotFound)
	p = viewer.get(remove).want(http.StatusOK).shows("only the name and the filters are forgotten", "state=failed", evil)
	p.check("en")
	stale := p.fields()
	values := url.Values{"list": {"jobs"}, "query": {"state=failed"}, "name": {"Broken"}, "revision": {"1"}}
	viewer.post(rename, values).want(http.StatusOK).shows("The view Broken is saved.")
	viewer.post(rename, values).want(http.StatusPreconditionFailed)
	p = viewer.post(remove, stale).want(http.StatusPreconditionFailed).shows("viewer has changed this view", "Broken")
	if len(p.all("form", "action", remove)) != 1 {
		t.Error("who was asked is not asked again")
	}
	viewer.post("/views/"+shared+"/delete", url.Values{"list": {"jobs"}, "revision": {"1"}}).want(http.StatusForbidden)
	admin.post(remove, url.Values{"list": {"jobs"}, "revision": {"2"}}).want(http.StatusNotFound)
	viewer.post(remove, url.Values{"list": {"jobs"}, "revision": {"2"}}).want(http.StatusOK).shows("The view Broken is deleted.")
	admin.post("/views/"+shared+"/delete", url.Values{"list": {"jobs"}, "revision": {"1"}}).want(http.StatusOK).lacks("everybody's")
}
