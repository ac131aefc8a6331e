package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/certificate"
	"github.com/stickpress/stickpress/web/webtest"
)

// picked is a device as the form carries it.
func picked(t *testing.T, d protocol.Device) string {
	t.Helper()
	raw, err := json.Marshal(d.Identity)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestWipeForm(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "helpdesk", "en")
	p := v.get("/jobs/new?kind=wipe&host=" + scene.Host.ID).want(http.StatusOK)
	if p.value("method") != "auto" || p.value("passes") != "2" {
		t.Errorf("the form begins with %s, %s passes", p.value("method"), p.value("passes"))
	}
	// The small one is offered, one that is being pressed is not; an internal
	// disk is not even shown.
	for port, offered := range map[string]bool{"device-1-3-0": true, "device-1-2.5-0": false, "device-1-2.7-0": true} {
		if box := p.all("input", "id", port)[0]; has(box, "disabled") == offered {
			t.Errorf("%s: offered %v", port, !offered)
		}
	}
	if len(p.all("input", "id", "device-ata-1-0")) != 0 {
		t.Error("an internal disk is among the sticks")
	}
	form := url.Values{
		"kind": {"wipe"}, "host": {scene.Host.ID}, "method": {"overwrite"}, "passes": {"2"}, "reference": {"INC-7"},
		"device": {picked(t, scene.Free[0])}, "key": {p.value("key")},
	}
	p = v.post("/jobs/confirm", form).want(http.StatusOK)
	p.shows("Confirm what will be wiped", "PHOTOS (exFAT)", "This cannot be undone.", "Overwrite all of it", "Two, a pattern and its complement",
		"at 20 MB/s that is", "So this is not Purge", "Wipe 1 stick").lacks("Erase and press")
	if back := p.all("button", "id", "back"); attr(back[0], "formaction") != "/jobs/new" || p.value("method") != "overwrite" {
		t.Errorf("the way back to %s forgets the method %s", attr(back[0], "formaction"), p.value("method"))
	}
	if p := v.post("/jobs/new", form).want(http.StatusOK); p.value("method") != "overwrite" || p.value("reference") != "INC-7" || !has(p.all("input", "id", "device-1-2.7-0")[0], "checked") {
		t.Error("the form forgets what was chosen")
	}
	v.post("/jobs", form).want(http.StatusUnprocessableEntity).shows("Type that number")
	form.Set("count", "1")
	form.Set("passes", "9")
	v.post("/jobs", form).want(http.StatusUnprocessableEntity).shows("with 9 passes")
	form.Set("passes", "2")
	p = v.post("/jobs", form).want(http.StatusOK)
	p.shows("Wipe", "Overwrite all of it", "INC-7", "Erase")
	jobs, err := scene.ListJobs(t.Context(), scene.Viewer, api.JobFilter{Reference: "INC-7"}, api.Page{})
	if err != nil || len(jobs.Items) != 1 || *jobs.Items[0].Options.Wipe != (protocol.WipeOptions{Method: protocol.WipeOverwrite, Passes: 2}) {
		t.Errorf("%+v, %v", jobs.Items, err)
	}
}

// What the page says is what was signed, and the file proves it.
func TestCertificatePage(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	b := scene.Wiped.Builds[0]
	v := signedIn(t, scene.Site, "viewer", "en")
	p := v.get("/jobs/"+scene.Wiped.ID).want(http.StatusOK).shows("The stick is wiped", "Overwritten twice", "cannot discard; everything is overwritten", "Wiped: erased").lacks("verified", "hand it")
	to := attr(p.all("a", "id", "certificate-"+b.ID)[0], "href")
	if to != "/certificates/"+b.CertificateID {
		t.Fatalf("the job leads to %s", to)
	}
	p = v.get(to).want(http.StatusOK)
	p.shows("Certificate of erasure", b.CertificateID, b.StickID, "AA00000000000489", "15 518 924 800 B (14.5 GiB)", "Overwritten twice",
		"A discard was tried first; the stick cannot.", "Clear, as NIST SP 800-88 Rev. 1", "Nothing from outside reaches them", "not Purge",
		"bench-1", "helpdesk", "INC-1039", "certificate verify")
	if p.all("a", "id", "certificate-file")[0] == nil {
		t.Error("no file is offered")
	}
	signedIn(t, scene.Site, "viewer", "zh-CN").get(to).want(http.StatusOK).shows("擦除证书", "因此这不是")

	file := v.get(to + "/file").want(http.StatusOK)
	if got := file.header.Get("Content-Disposition"); got != `attachment; filename="`+b.CertificateID+`.json"` {
		t.Errorf("the file is offered as %s", got)
	}
	signed, err := certificate.Parse([]byte(file.body))
	if err != nil {
		t.Fatal(err)
	}
	identity, err := scene.Identity(t.Context(), scene.Viewer)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := signed.VerifyBy(identity.Fingerprint); err != nil || s.ID != b.CertificateID {
		t.Errorf("%+v, %v", s, err)
	}
	p.shows(identity.Fingerprint)
	v.get("/certificates/cert_01jd6y9k3te0mv8b0g2z5q4w7x").want(http.StatusNotFound).shows("There is no such certificate.")
	v.get("/sticks/"+b.StickID).want(http.StatusOK).shows("it carries nothing", "in stock", "Overwritten twice", "Wiped: erased, and all of it read back.")
}

// A stick comes back and is wanted by somebody else.
func TestReturnedStick(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v, admin := signedIn(t, scene.Site, "helpdesk", "en"), signedIn(t, scene.Site, "admin", "en")
	b := scene.Done.Builds[0]
	path := "/sticks/" + b.StickID
	signedIn(t, scene.Site, "viewer", "en").get(path).want(http.StatusOK).shows("issued", "Grace Hopper").lacks("Return")
	p := v.act(scene, path, "return", nil).want(http.StatusOK)
	p.shows("returned", "Before it is pressed for somebody else it has to be wiped.", "Returned; taken back by helpdesk.").lacks("may be handed out")
	if len(p.all("a", "id", "stick-wipe")) != 0 {
		t.Error("the wipe is offered before anybody said what becomes of the data")
	}
	early := url.Values{
		"host": {scene.Host.ID}, "version": {scene.Version.ID}, "holder": {"Bob"}, "device": {picked(t, protocol.Device{Identity: b.Identity})}, "count": {"1"}, "key": {"k0"},
	}
	p = v.post("/jobs", early).want(http.StatusConflict).shows("nobody has said what becomes of its user data")
	if to := attr(p.all("a", "id", "settle-data")[0], "href"); to != path+"#data" {
		t.Errorf("the way out is %s", to)
	}
	p = v.act(scene, path, "data", url.Values{"data": {"none"}}).want(http.StatusOK)
	wipe := attr(p.all("a", "id", "stick-wipe")[0], "href")
	if box := v.get(wipe).want(http.StatusOK).all("input", "id", "device-"+b.Identity.Port+"-0"); !has(box[0], "checked") {
		t.Error("the form of the wipe does not have the stick ticked")
	}
	v.get("/sticks?life=returned").want(http.StatusOK).shows(b.Identity.Serial).lacks(scene.Done.Builds[1].Identity.Serial)
	v.post("/jobs/where", url.Values{"host": {scene.Host.ID}, "version": {scene.Version.ID}}).want(http.StatusOK).shows("returned by Grace Hopper, not wiped since", "pressed for Alan Turing")

	device := protocol.Device{Identity: b.Identity}
	form := url.Values{
		"host": {scene.Host.ID}, "version": {scene.Version.ID}, "holder": {"Bob"}, "device": {picked(t, device)}, "count": {"1"}, "key": {"k"},
	}
	p = v.post("/jobs", form).want(http.StatusConflict)
	p.shows("still holds what was pressed for somebody else (last: Grace Hopper)", "Wipe these sticks first").lacks("as an admin")
	if to := attr(p.all("a", "id", "wipe-first")[0], "href"); to != wipe {
		t.Errorf("the way out is %s, not %s", to, wipe)
	}
	form.Set("override", "stick_not_wiped")
	v.post("/jobs", form).want(http.StatusForbidden)
	form.Del("override")
	p = admin.post("/jobs", form).want(http.StatusConflict).shows("Let it pass this once, as an admin.")
	if has(p.all("input", "name", "override")[0], "checked") {
		t.Error("the override is ticked already")
	}
	form.Set("override", "stick_not_wiped")
	form.Set("key", "k2")
	admin.post("/jobs", form).want(http.StatusOK).shows("stick_not_wiped", "for Bob")
}

// A wipe that failed says what that means, and leads to another.
func TestWipeFailed(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	in := apitest.Order("", "bench-1", scene.Free[0])
	in.Kind, in.Options.Wipe = protocol.JobWipe, &protocol.WipeOptions{Method: protocol.WipeOverwrite, Passes: 1}
	j, err := scene.QueueJob(t.Context(), scene.Helpdesk, in)
	if err != nil {
		t.Fatal(err)
	}
	press, b := scene.Claim(t, j), j.Builds[0]
	press.Report(t, b, protocol.Event{Type: protocol.EventTouched})
	press.Report(t, b, protocol.Event{Type: protocol.EventFailed, Fault: &protocol.Fault{Code: protocol.FaultWipeWrite, Touched: true, Params: map[string]string{
		"offset": "4096", "wiped_bytes": "1073741824", "total_bytes": "128035676160",
	}}})
	p := signedIn(t, scene.Site, "helpdesk", "en").get("/jobs/" + j.ID).want(http.StatusOK)
	p.shows("1 GiB of 119 GiB hold nothing old any more", "destroy the stick", "there is no certificate", "Wipe again", "0 of 1 sticks are wiped").lacks("press it again", "Hand out only")
	if to := attr(p.all("a", "id", "job-again")[0], "href"); !strings.Contains(to, "kind=wipe") || !strings.Contains(to, "passes=1") {
		t.Errorf("wiping again is %s", to)
	}
}
