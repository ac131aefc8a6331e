package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/web/webtest"
)

// The set-up goes from step to step without a script, can be left, knows what
// is there, and is locked at its end.
func TestFirstRun(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	for _, locale := range []string{"en", "zh-CN"} { // check_test.go looks at each page
		v := signedIn(t, s, "admin", locale)
		for _, step := range api.FirstRunSteps {
			v.get("/first-run/" + string(step)).want(http.StatusOK)
		}
	}
	v := signedIn(t, s, "admin", "en")
	at := func(want api.FirstRunStep) *page {
		t.Helper()
		p := v.get("/first-run").want(http.StatusOK)
		if p.path != "/first-run/"+string(want) {
			t.Fatalf("the first run goes on at %s, want %s", p.path, want)
		}
		return p
	}
	if len(v.get("/").want(http.StatusOK).all("a", "id", "next-first-run")) != 1 {
		t.Error("the overview does not lead to the first run")
	}

	p := at(api.FirstRunAddress).shows("None: only this machine is answered")
	bad := v.post("/first-run/address", url.Values{"value": {"ftp://x"}, "revision": {p.value("revision")}}).want(http.StatusUnprocessableEntity)
	if bad.value("value") != "ftp://x" {
		t.Error("the address that was typed is gone")
	}
	p.lacks("Certificate for") // this server keeps none
	v.post("/first-run/tls", url.Values{"make": {"yes"}, "names": {"desk.example"}}).want(http.StatusConflict)
	v.post("/first-run/address", url.Values{"value": {"http://desk.example:8080"}, "revision": {p.value("revision")}}).want(http.StatusOK)

	at(api.FirstRunStorage)
	v.post("/first-run/storage/mark", url.Values{"mark": {"done"}}).want(http.StatusOK)

	host := at(api.FirstRunHost).shows("No host yet.")
	if !strings.Contains(host.body, `http-equiv="refresh"`) {
		t.Error("without a script the page does not look again")
	}
	lines := v.post("/first-run/host", nil).want(http.StatusOK)
	lines.shows("sudo stickpress-agent enroll http://desk.example:8080 --token spo_", "install-agent.ps1 -Server http://desk.example:8080 -Token spo_")
	if strings.Contains(lines.body, `http-equiv="refresh"`) {
		t.Error("the page that shows the line once loads itself again")
	}
	s.Connect(t, "bench", plugged("1-2.1"))

	form := at(api.FirstRunImage).fields()
	fields := map[string]string{"image": "win11-ent", "version": "1.0.0", "channel": "stable", "back": form.Get("back")}
	p = v.postFile(fields, "notes.wim", []byte("no image at all")).want(http.StatusUnprocessableEntity).shows("Image", "This file is no image that a stick can be made of")
	if p.fields().Get("image") != "win11-ent" || p.fields().Get("back") != "/first-run/image" || len(p.all("a", "id", "step-image")) != 1 {
		t.Errorf("an upload that was refused is not at its step:\n%s", p.text())
	}
	v.post("/first-run/image/mark", url.Values{"mark": {"skipped"}}).want(http.StatusOK)
	// What is looked into for long says why it was refused on a page that leads back.
	damaged := apitest.DiskImage(t, "zstd -q -o out disk")
	damaged[len(damaged)-1] ^= 1
	for p = v.postFile(fields, "bad.img.zst", damaged).want(http.StatusOK); strings.Contains(p.text(), "being inspected"); {
		p = v.get(p.path).want(http.StatusOK)
	}
	if p.shows("The image is damaged"); len(p.all("a", "href", "/first-run/image#upload")) != 1 {
		t.Errorf("a damaged image leads to %v", p.links())
	}
	v.get("/inspections/x?back=https://example.org").want(http.StatusNotFound)
	at(api.FirstRunTemplate)
	v.post("/first-run/image/mark", url.Values{"mark": {"open"}}).want(http.StatusOK)
	s.Publish(t, "win11-ent", "1.0.0")

	zones := at(api.FirstRunTemplate).shows("UTC-08:00 Los Angeles, Vancouver · Pacific Standard Time", "UTC+05:30 Kolkata").text()
	if west, east := strings.Index(zones, "UTC-08:00"), strings.Index(zones, "UTC+10:00"); west < 0 || east < west || strings.Index(zones, "UTC+01:00") > east {
		t.Error("the zones are not in the order of their clocks")
	}
	signedIn(t, s, "admin", "zh-CN").get("/first-run/template").want(http.StatusOK).shows("UTC+08:00 上海、北京、香港 · China Standard Time")
	v.post("/first-run/template", url.Values{"account": {"a<b"}}).want(http.StatusUnprocessableEntity).shows("A local account has")
	made := v.post("/first-run/template", url.Values{"account": {"desk"}, "language": {"de-DE"}, "naming": {"windows"}}).want(http.StatusOK)
	secret := strings.TrimSpace(made.all("pre", "id", "account-password")[0].FirstChild.Data)
	sequence, err := s.GetTaskSequence(t.Context(), s.Admin, "")
	if err != nil {
		t.Fatal(err)
	}
	source, err := s.TemplateSource(t.Context(), s.Admin, sequence.Current.TemplateVersionID)
	if err != nil {
		t.Fatal(err)
	}
	if len(secret) < 20 || !strings.Contains(source, "<Value>"+secret+"</Value>") || !strings.Contains(source, "<UILanguage>de-DE<") {
		t.Errorf("what jobs use is not what was chosen:\n%s", source)
	}

	at(api.FirstRunPress).shows("No host shows a free virtual stick.")
	if len(v.get("/").want(http.StatusOK).all("a", "id", "next-first-run")) != 1 {
		t.Error("the overview does not lead back to a set-up that is open")
	}
	v.post("/first-run/finish", nil).want(http.StatusConflict).shows("A step of the first run is still open.")
	v.post("/first-run/press/mark", url.Values{"mark": {"skipped"}}).want(http.StatusOK).shows("All steps are seen to")
	v.post("/first-run/finish", nil).want(http.StatusOK).shows("The first run is finished.").lacks("Set up the console")

	// Nor does it take anything, even so.
	v.post("/first-run/address", url.Values{"value": {"http://late.example"}, "revision": {"1"}}).want(http.StatusConflict)
	v.post("/first-run/host", nil).want(http.StatusConflict).lacks("stickpress-agent enroll")
	v.post("/first-run/tls", url.Values{"make": {"yes"}, "names": {"late.example"}}).want(http.StatusConflict).shows("is locked")
	if body := v.get("/settings").want(http.StatusOK).body; !strings.Contains(body, "http://desk.example:8080") || strings.Contains(body, "late.example") {
		t.Error("the address is another one")
	}
	if p := v.get("/first-run/address").want(http.StatusOK).shows("was finished by", "is locked"); p.path != "/first-run" {
		t.Errorf("a step is open still: %s", p.path)
	}
	v.post("/first-run/storage/mark", url.Values{"mark": {"open"}}).want(http.StatusConflict)
	v.post("/first-run/template", url.Values{"language": {"fr-FR"}}).want(http.StatusConflict)
}

// plugged is a stick that somebody owns.
func plugged(port string) protocol.Device {
	d := apitest.Stick(port)
	d.Kind = protocol.KindUSB
	return d
}

// Only admins see it.
func TestFirstRunWall(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	v := signedIn(t, s, "helpdesk", "en")
	if len(v.get("/").want(http.StatusOK).all("a", "id", "next-first-run")) != 0 {
		t.Error("helpdesk is led to the first run")
	}
	for _, path := range []string{"/first-run", "/first-run/address", "/first-run/host", "/first-run/press"} {
		v.get(path).want(http.StatusForbidden)
	}
	for _, path := range []string{"/first-run/storage/mark", "/first-run/host", "/first-run/template", "/first-run/press", "/first-run/finish"} {
		v.post(path, url.Values{"mark": {"done"}}).want(http.StatusForbidden)
	}
}

// A host with a virtual stick gets the first build with one click.
func TestFirstRunPress(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	s.Publish(t, "win11-ent", "1.0.0")
	h, _ := s.Connect(t, "bench", plugged("1-2.1"), apitest.Stick("stick-1.img"))
	v := signedIn(t, s, "admin", "en")
	p := v.get("/first-run/press").want(http.StatusOK).shows("win11-ent 1.0.0 goes onto the virtual stick stick-1.img of host bench.")
	form := url.Values{"version": {p.value("version")}, "host": {p.value("host")}, "port": {p.value("port")}}
	real := url.Values{"version": form["version"], "host": {h.ID}, "port": {"1-2.1"}}
	v.post("/first-run/press", real).want(http.StatusConflict).shows("No stick was touched.")
	done := v.post("/first-run/press", form).want(http.StatusOK).shows("The first stick is on its way.")
	if !strings.HasPrefix(done.path, "/jobs/job_") {
		t.Errorf("it leads to %s", done.path)
	}
	v.post("/first-run/press", form).want(http.StatusConflict) // it is being pressed
}

// The first page of all offers the languages, and keeps the link's token.
func TestSetupLanguage(t *testing.T) {
	t.Parallel()
	s := webtest.Bare(t)
	v := visit(t, s, "en")
	p := v.get("/setup?token=abc").want(http.StatusOK)
	v.locale = "zh-CN"
	p = v.post("/preferences", url.Values{"locale": {"zh-CN"}, "back": {p.value("back")}}).want(http.StatusOK)
	if p.path != "/setup?token=abc" || p.value("token") != "abc" {
		t.Errorf("choosing a language leads to %s", p.path)
	}
}
