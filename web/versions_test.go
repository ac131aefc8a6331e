package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/webtest"
)

// Versions of a template stand side by side, and an older one comes back as the
// newest.
func TestTemplateVersions(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "admin", "en")
	path := "/templates/" + scene.Template.ID
	first := v.get(path).value("source")
	evil := `<!-- <script>alert(1)</script> -->`
	second := strings.Replace(first, "</unattend>", evil+"\n</unattend>", 1)
	v.post(path, url.Values{"name": {"Starter"}, "description": {"with a remark"}, "source": {second}, "revision": {"2"}}).
		want(http.StatusOK).shows("Starter is saved as version 2.", "Template saved", "with a remark")

	versions, err := scene.ListTemplateVersions(t.Context(), scene.Admin, scene.Template.ID, api.Page{})
	if err != nil || len(versions.Items) != 2 {
		t.Fatalf("%v, %v", versions, err)
	}
	p := v.get(path+"/compare?from="+versions.Items[1].ID).want(http.StatusOK).shows(evil, "Restore version 1")
	if len(p.all("td", "class", "diff-new")) != 1 || len(p.all("td", "class", "diff-old")) != 0 {
		t.Errorf("%d lines are new, %d old", len(p.all("td", "class", "diff-new")), len(p.all("td", "class", "diff-old")))
	}
	v.get(path + "/compare").want(http.StatusOK).shows(evil)
	v.get(path + "/compare?from=nonsense&to=" + versions.Items[0].ID).want(http.StatusOK).shows(evil)
	same := v.get(path + "/compare?from=" + versions.Items[0].ID + "&to=" + versions.Items[0].ID).want(http.StatusOK).shows("Nothing differs.")
	if len(same.all("button", "class", "btn btn-primary")) != 0 {
		t.Error("the current version can be restored")
	}

	// Somebody else saved: theirs and yours stand side by side, and yours is kept.
	mine := strings.Replace(first, "</unattend>", "<!-- mine -->\n</unattend>", 1)
	p = v.post(path, url.Values{"name": {"Renamed"}, "source": {mine}, "revision": {"2"}}).want(http.StatusPreconditionFailed).
		shows("Somebody else has saved meanwhile", "admin saved version 2", evil, "<!-- mine -->")
	if p.value("source") != mine || p.value("name") != "Renamed" {
		t.Errorf("the editor has lost what was typed: %q", p.value("name"))
	}
	v.post(path+"/restore", url.Values{"version": {versions.Items[1].ID}, "revision": {"2"}}).want(http.StatusPreconditionFailed)
	p = v.post(path+"/restore", url.Values{"version": {versions.Items[1].ID}, "revision": {p.value("revision")}}).want(http.StatusOK).shows("Starter is saved as version 3.")
	if p.value("source") != first {
		t.Error("the restored version is another one")
	}
	helpdesk := signedIn(t, scene.Site, "helpdesk", "en")
	helpdesk.get(path + "/compare").want(http.StatusForbidden)
	helpdesk.post(path+"/restore", url.Values{"version": {versions.Items[1].ID}, "revision": {"4"}}).want(http.StatusForbidden)
}

func TestSequenceVersions(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "admin", "en")
	path := "/task-sequences/" + scene.Sequence.ID
	form := func(edition, revision string) url.Values {
		return url.Values{
			"name": {"Portable Windows"}, "layout": {"mbr-dual"}, "edition": {edition}, "boot_signature": {"2011"},
			"template": {scene.Template.ID}, "portable": {"on"}, "revision": {revision},
		}
	}
	v.post(path, form("2", "2")).want(http.StatusOK).shows("saved as version 2", "Task sequence saved")
	versions, err := scene.ListTaskSequenceVersions(t.Context(), scene.Admin, scene.Sequence.ID, api.Page{})
	old := versions.Items
	if err != nil || len(old) != 2 || old[1].Spec.Edition != 1 {
		t.Fatalf("%v, %v", old, err)
	}
	p := v.get(path+"/compare?from="+old[1].ID).want(http.StatusOK).shows("Edition's index: 1", "Edition's index: 2", "Restore version 1")
	if len(p.all("td", "class", "diff-new")) != 1 {
		t.Error("more than one choice differs")
	}
	p = v.post(path, form("3", "2")).want(http.StatusPreconditionFailed).shows("Somebody else has saved meanwhile", "Edition's index: 2", "Edition's index: 3")
	if p.value("edition") != "3" {
		t.Errorf("the form has edition %s", p.value("edition"))
	}
	v.post(path+"/restore", url.Values{"version": {old[1].ID}, "revision": {p.value("revision")}}).want(http.StatusOK).shows("saved as version 3")
	v.post(path+"/restore", url.Values{"version": {"seqver_x"}, "revision": {p.value("revision")}}).want(http.StatusUnprocessableEntity)
	signedIn(t, scene.Site, "viewer", "en").get(path + "/compare").want(http.StatusOK).lacks("Restore version")
}

// What is retired is out of the way, keeps what it has, and can come back.
func TestRetire(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "admin", "en")
	template, sequence := "/templates/"+scene.Template.ID, "/task-sequences/"+scene.Sequence.ID
	gone := func(name, revision string) url.Values { return url.Values{"name": {name}, "revision": {revision}} }
	v.post(template+"/retire", gone("starter", "2")).want(http.StatusUnprocessableEntity).shows("Type Starter to confirm")
	v.post(template+"/retire", gone("Starter", "1")).want(http.StatusPreconditionFailed)
	v.post(template+"/retire", gone("Starter", "2")).want(http.StatusOK).shows("The template Starter is retired.", "Bring the template back")
	v.get("/templates").lacks("Starter").shows("No templates yet")
	v.get("/templates?state=retired").shows("Starter")
	// The task sequence that has it keeps it; another one may not take it.
	form := url.Values{"name": {"Second"}, "layout": {"mbr-dual"}, "edition": {"1"}, "boot_signature": {"2011"}, "template": {scene.Template.ID}}
	v.post("/task-sequences", form).want(http.StatusConflict).shows("The template Starter is retired.")
	p := v.get(sequence).want(http.StatusOK)
	if p.value("template") != scene.Template.ID {
		t.Error("the form has lost the retired template")
	}
	form.Set("name", "Portable Windows")
	form.Set("edition", "2")
	form.Set("revision", p.value("revision"))
	v.post(sequence, form).want(http.StatusOK).shows("saved as version 2")
	form.Del("template")
	form.Set("name", "Second")
	v.post("/task-sequences", form).want(http.StatusOK)

	p = v.get(sequence)
	v.post(sequence+"/retire", gone("Portable Windows", p.value("revision"))).want(http.StatusOK).shows("The task sequence Portable Windows is retired.")
	v.get("/jobs/new?host=" + scene.Host.ID).lacks("Portable Windows")
	second, err := scene.GetTaskSequence(t.Context(), scene.Admin, "")
	if err != nil || second.Name != "Second" {
		t.Fatalf("the default one is %s, %v", second.Name, err)
	}
	v.post("/task-sequences/"+second.ID+"/retire", gone("Second", "2")).want(http.StatusConflict).shows("Second is the last task sequence in use")
	v.post(sequence+"/retire", url.Values{"back": {"yes"}, "revision": {"1"}}).want(http.StatusPreconditionFailed)
	v.post(template+"/retire", url.Values{"back": {"yes"}, "revision": {"3"}}).want(http.StatusOK).shows("The template Starter is in use again.")
	viewer := signedIn(t, scene.Site, "helpdesk", "en")
	viewer.get(template).lacks("Retire the template")
	viewer.post(template+"/retire", gone("Starter", "4")).want(http.StatusForbidden)
	viewer.post(sequence+"/retire", gone("Portable Windows", "4")).want(http.StatusForbidden)
}
