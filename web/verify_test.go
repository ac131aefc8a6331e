package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/webtest"
)

// From a stick's page to the job that checks it, and back to what was found.
func TestVerify(t *testing.T) {
	t.Parallel()
	x := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, x.Site, "helpdesk", "en")
	stick := "/sticks/" + x.Done.Builds[0].StickID
	p := v.get(stick).want(http.StatusOK).shows("not since it was written", "Download, to check it without the console")
	offered := p.all("a", "id", "stick-check")
	if len(offered) != 1 {
		t.Fatal("the stick's page does not offer to check it")
	}
	p = v.get(attr(offered[0], "href")).want(http.StatusOK).shows("Check sticks", "Nothing is written to them.").lacks("Nothing is erased before")
	form := url.Values{"kind": {"verify"}, "host": {x.Host.ID}, "key": {p.value("key")}}
	for _, box := range p.all("input", "name", "device") {
		if has(box, "checked") {
			form.Add("device", attr(box, "value"))
		}
	}
	v.post("/jobs/confirm", form).want(http.StatusOK).shows("Confirm what will be checked", "Check 1 stick", "A stick that is mounted is left alone.").lacks("will be erased", "cannot be undone")
	p = v.post("/jobs", form).want(http.StatusOK)
	if !strings.HasPrefix(p.path, "/jobs/job_") {
		t.Fatalf("the page is %s", p.path)
	}
	p.shows("Check")
	if _, err := x.CancelJob(t.Context(), x.Helpdesk, strings.TrimPrefix(p.path, "/jobs/")); err != nil {
		t.Fatal(err)
	}

	job := x.Compare(t, x.Done)
	for _, locale := range []string{"en", "zh-CN"} {
		v := signedIn(t, x.Site, "viewer", locale)
		for _, path := range []string{"/jobs/" + job.ID, stick, "/sticks/" + x.Done.Builds[1].StickID, "/hosts/" + x.Host.ID} {
			v.get(path).want(http.StatusOK)
		}
	}
	v.get("/jobs/"+job.ID).shows("2 of 2 sticks are as they should be.", "Every byte is as it was written.", "Windows has written its registry. Windows has extended its volume.", "efi/microsoft/boot/bootmgfw.efi")
	v.get(stick).shows("Proven intact", "Compared with what was recorded.")
	v.get("/sticks/" + x.Done.Builds[1].StickID).shows("In use, as it should be")

	var f protocol.RecordFile
	if err := json.Unmarshal([]byte(v.get(stick+"/record").want(http.StatusOK).body), &f); err != nil || f.Stick.StickID != x.Done.Builds[0].StickID || len(f.Body) == 0 {
		t.Errorf("%+v, %v", f, err)
	}
	// What was not verified cannot be compared.
	other := "/sticks/" + x.Failed.Builds[1].StickID
	if len(v.get(other).want(http.StatusOK).all("a", "id", "stick-check")) > 0 {
		t.Error("a stick without a record may be checked")
	}
	v.get(other + "/record").want(http.StatusNotFound)
}

// A stick that is mounted cannot be chosen, and it says why.
func TestVerifyMounted(t *testing.T) {
	t.Parallel()
	x := webtest.Play(t, webtest.Start(t))
	i := slices.IndexFunc(x.Host.Devices, func(d api.Device) bool { return len(d.AutomountedAt) > 0 })
	if i < 0 {
		t.Fatal("no device of the scene is mounted")
	}
	p := signedIn(t, x.Site, "helpdesk", "en").get("/jobs/new?kind=verify&host=" + x.Host.ID).want(http.StatusOK)
	p.shows(x.Host.Devices[i].AutomountedAt[0])
}
