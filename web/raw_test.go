package web_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/url"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/web/webtest"
)

// A disk image is chosen, confirmed with what is wrong about copies, and
// queued.
func TestRawJob(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "helpdesk", "en")
	version := v.get("/versions/"+scene.Disk.ID).want(http.StatusOK).shows("RAW", "4 MiB", "cafe1234", "Trusted: jobs write only what it lists").lacks("Languages", "I vouch")
	link := "/jobs/new?kind=raw&version=" + scene.Disk.ID
	if len(version.all("a", "href", link)) != 1 {
		t.Errorf("the version's page has no link to %s", link)
	}
	form := v.get(link).want(http.StatusOK).shows("Write sticks", "rescue 5.0.0", "RAW · 4 MiB").lacks("win11-ent 24.2.1")
	if form.value("version") != scene.Disk.ID {
		t.Errorf("chosen is %q", form.value("version"))
	}
	// What brings the sockets up to date sends the form, which says its kind.
	if len(form.all("section", "data-from", "/jobs/new")) != 1 || form.value("kind") != "raw" {
		t.Error("the sockets become those of another kind")
	}
	boxes := form.all("input", "name", "device")
	fields := url.Values{"kind": {"raw"}, "host": {scene.Host.ID}, "version": {scene.Disk.ID}, "key": {form.value("key")}}
	small := 0
	for _, box := range boxes {
		if has(box, "disabled") {
			continue
		}
		fields.Add("device", attr(box, "value"))
		if attr(box, "id") == "device-1-3-0" {
			small++
		}
	}
	if small != 1 || len(fields["device"]) != 7 {
		t.Errorf("%d sticks may be chosen, the one that is too small to press %d times", len(fields["device"]), small)
	}
	v.post("/jobs/confirm", fields).want(http.StatusOK).shows("All 7 sticks get one disk identity (cafe1234)", "by the trusted block map", "MBR", "Erase and write 7 sticks")
	one := url.Values{"kind": {"raw"}, "host": {scene.Host.ID}, "version": {scene.Disk.ID}, "key": {"k"}, "device": fields["device"][:1]}
	v.post("/jobs/confirm", one).want(http.StatusOK).lacks("get one disk identity")
	// Two that nobody else's content is on.
	fields["device"] = fields["device"][4:6]
	fields.Set("erase_first", "on")
	v.post("/jobs/confirm", fields).want(http.StatusOK).shows("All 2 sticks get", "Erase first")
	fields.Set("count", "2")
	v.post("/jobs", fields).want(http.StatusOK).shows("Write image", "rescue 5.0.0")
}

// What was written as it is has no person whom it is made for.
func TestRawEnds(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "helpdesk", "en")
	for _, tt := range []struct {
		end   protocol.Event
		shows string
	}{
		{protocol.Event{Type: protocol.EventFailed, Fault: &protocol.Fault{Code: protocol.FaultWrite, Touched: true, Params: map[string]string{"offset": "4096"}}}, "Write again"},
		{protocol.Event{Type: protocol.EventVerified, Result: &protocol.Result{}}, "The stick carries the image"},
	} {
		in := apitest.Order("", "bench-1", scene.Free[0])
		in.Kind, in.Version = protocol.JobRaw, scene.Disk.ID
		j, err := scene.QueueJob(t.Context(), scene.Helpdesk, in)
		if err != nil {
			t.Fatal(err)
		}
		raw, b := scene.Claim(t, j), j.Builds[0]
		raw.Report(t, b, protocol.Event{Type: protocol.EventTouched})
		raw.Report(t, b, tt.end)
		v.get("/jobs/"+j.ID).want(http.StatusOK).shows(tt.shows).lacks("hand it", "Hand out", "Press again", "press it again")
	}
}

// The form of a press does not offer what cannot be pressed.
func TestPressOffersNoDisks(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	signedIn(t, scene.Site, "helpdesk", "en").get("/jobs/new").want(http.StatusOK).shows("win11-ent 24.2.1").lacks("rescue 5.0.0")
}

func TestNoDiskImages(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	s.Publish(t, "win11-ent", "1.0.0")
	s.Enroll(t, "bench")
	signedIn(t, s, "helpdesk", "en").get("/jobs/new?kind=raw").want(http.StatusOK).shows("There is no disk image to write yet", "An admin does this.")
}

func TestBlockMapForm(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "admin", "en")
	path := "/versions/" + scene.Disk.ID
	revision := v.get(path).value("revision")
	send := func(raw []byte, fields ...string) *page {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		sent := map[string]string{"revision": revision}
		for _, f := range fields {
			sent[f] = "yes"
		}
		for name, value := range sent {
			if err := form.WriteField(name, value); err != nil {
				t.Fatal(err)
			}
		}
		if raw != nil {
			part, err := form.CreateFormFile("block_map", "rescue.bmap")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := part.Write(raw); err != nil {
				t.Fatal(err)
			}
		}
		if err := form.Close(); err != nil {
			t.Fatal(err)
		}
		return v.do(http.MethodPost, path+"/block-map", form.FormDataContentType(), &body)
	}
	send(nil).want(http.StatusOK).shows("Not trusted: jobs write the whole disk.")
	revision = v.get(path).value("revision")
	send([]byte("<bmap/>"), "trusted").want(http.StatusUnprocessableEntity).shows("This is no block map that can be used")
	send(apitest.DiskImage(t, "bmaptool -q create disk -o out"), "trusted").want(http.StatusOK).shows("The block map is saved.", "Trusted: jobs write only what it lists")

	// It was made from what another admin has changed meanwhile.
	p := send(nil).want(http.StatusPreconditionFailed).shows("admin has changed this", "Trusted: jobs write only what it lists")
	p.check("en")
	if len(p.all("input", "name", "trusted")) != 1 || has(p.all("input", "name", "trusted")[0], "checked") {
		t.Error("what was ticked is not kept")
	}
	if zone := p.all("details", "class", "panel danger"); len(zone) != 1 || has(zone[0], "open") {
		t.Error("what is wrong with the block map is said of withdrawing the version")
	}
	revision = ""
	send(nil).want(http.StatusUnprocessableEntity).shows("This form does not say which state it was made from")
}
