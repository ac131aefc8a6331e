package web_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/wim/exclusion"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/web/webtest"
)

// An admin captures a file; whoever is no admin is not offered to.
func TestCaptureForm(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	file := apitest.Image("/srv/images/reference pc.vhdx")
	if err := scene.HostInventory(t.Context(), scene.Session, &protocol.Inventory{Devices: scene.Free, Files: []protocol.Device{file}}); err != nil {
		t.Fatal(err)
	}
	signedIn(t, scene.Site, "helpdesk", "en").get("/jobs/new").want(http.StatusOK).lacks("Capture")
	signedIn(t, scene.Site, "helpdesk", "en").get("/jobs/new?kind=capture").want(http.StatusForbidden)
	signedIn(t, scene.Site, "admin", "zh-CN").get("/jobs/new?kind=capture&host="+scene.Host.ID).want(http.StatusOK).shows("映像中排除的内容", "reference pc.vhdx")

	v := signedIn(t, scene.Site, "admin", "en")
	p := v.get("/jobs/new?kind=capture&host=" + scene.Host.ID).want(http.StatusOK)
	p.shows("reference pc.vhdx", "/srv/images", "disk image", "Nothing on the source is changed").lacks("will be erased")
	boxes := p.all("input", "name", "device")
	for _, box := range boxes {
		if attr(box, "type") != "radio" {
			t.Errorf("%s is one of several", attr(box, "id"))
		}
	}
	if len(boxes) != 3 {
		t.Errorf("%d sources are offered", len(boxes))
	}
	form := url.Values{
		"kind": {"capture"}, "host": {scene.Host.ID}, "key": {p.value("key")}, "image": {"win11-ent"}, "number": {"24.2.1"}, "channel": {"testing"},
		"notes": {"reference PC 4"}, "exclude": {exclusion.Default}, "device": {picked(t, file)}, "any_state": {"on"},
	}
	p = v.post("/jobs/confirm", form).want(http.StatusOK)
	p.shows("Confirm what will be captured", "This Windows will be read", "bench-1", "reference pc.vhdx", "win11-ent 24.2.1", "reference PC 4", "Capture it also if it is not generalized", "How long it takes is not known yet").lacks("erased", "cannot be undone")
	if p.value("exclude") != strings.TrimSpace(exclusion.Default) {
		t.Errorf("the confirmation's list of what is left out is %q", p.value("exclude"))
	}
	nothing := maps.Clone(form)
	nothing.Del("device")
	v.post("/jobs/confirm", nothing).want(http.StatusUnprocessableEntity).shows("Choose a stick or a disk image.")
	p = v.post("/jobs", form).want(http.StatusConflict).shows("has this version already")
	if p.value("image") != "win11-ent" || p.value("notes") != "reference PC 4" {
		t.Errorf("the form forgets: %q, %q", p.value("image"), p.value("notes"))
	}
	form.Set("number", "24.3.0")
	form.Set("exclude", "\\ok\n[section]")
	v.post("/jobs", form).want(http.StatusUnprocessableEntity).shows("Line 2 of the exclusion list")
	form.Set("exclude", "\\pagefile.sys")
	form.Set("partition", "two")
	v.post("/jobs", form).want(http.StatusUnprocessableEntity).shows("There is no partition")
	form.Del("partition")
	p = v.post("/jobs", form).want(http.StatusOK)
	p.shows("Capture of win11-ent 24.3.0", "reference pc.vhdx", "reference PC 4", `\pagefile.sys`, "capture_not_generalized", "testing", "No version is published.").lacks("Wipe", "must be pressed again")
	again := v.get("/jobs/new?kind=capture&host=" + scene.Host.ID).want(http.StatusOK)
	again.shows("being pressed")
	w, err := scene.HostClaim(t.Context(), scene.Session)
	if err != nil || len(w.Assigns) != 1 {
		t.Fatalf("%+v, %v", w, err)
	}
	made := scene.Bring(t, w.Assigns[0].Ticket)
	ref := protocol.AttemptRef{BuildID: w.Assigns[0].Builds[0].BuildID, Attempt: 1}
	_, err = scene.HostEvents(t.Context(), scene.Session, []protocol.Event{
		{AttemptRef: ref, HostSeq: 1, Type: protocol.EventAccepted},
		{AttemptRef: ref, HostSeq: 2, Type: protocol.EventVerified, Result: &protocol.Result{Capture: &protocol.CaptureResult{
			VersionID: made, Bytes: 5 << 30, ProductName: "Windows 11 Enterprise", ImageState: "IMAGE_STATE_COMPLETE",
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	p = v.get(p.path).want(http.StatusOK).shows("The image version is published", "Windows 11 Enterprise", "IMAGE_STATE_COMPLETE", "5 GiB", "captured", "Captured: the version is published.").lacks("verified", "read back")
	if to := attr(p.all("a", "id", "job-captured")[0], "href"); to != "/versions/"+made {
		t.Errorf("the job leads to %s", to)
	}
	v.get("/").want(http.StatusOK)
	v.get("/jobs").want(http.StatusOK).shows("Capture of win11-ent 24.3.0")
}

// The list that captures begin with is an admin's to change.
func TestExclusionsPage(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	signedIn(t, scene.Site, "helpdesk", "en").get("/exclusions").want(http.StatusForbidden)
	v := signedIn(t, scene.Site, "admin", "en")
	p := v.get("/exclusions").want(http.StatusOK).shows("as it came").lacks("Back to the list")
	if !strings.Contains(p.value("list"), `\hiberfil.sys`) {
		t.Errorf("the list is %q", p.value("list"))
	}
	v.post("/exclusions", url.Values{"list": {`C:\no`}, "revision": {"0"}}).want(http.StatusUnprocessableEntity).shows("Line 1 of the exclusion list")
	p = v.post("/exclusions", url.Values{"list": {"\\mine\r\n"}, "revision": {"0"}}).want(http.StatusOK).shows("Back to the list")
	if got := strings.TrimSpace(p.value("list")); got != `\mine` {
		t.Errorf("the list is %q", got)
	}
	v.post("/exclusions", url.Values{"list": {"\\theirs"}, "revision": {"99"}}).want(http.StatusPreconditionFailed)
	if p := v.get("/jobs/new?kind=capture"); strings.TrimSpace(p.value("exclude")) != `\mine` {
		t.Errorf("a capture begins with %q", p.value("exclude"))
	}
	v.post("/exclusions", url.Values{"default": {"on"}, "revision": {"1"}}).want(http.StatusOK).shows("as it came")
}
