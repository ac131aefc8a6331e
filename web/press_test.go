package web_test

import (
	"bytes"
	"cmp"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/web/webtest"
)

// fields are what the form that is open would send, without its buttons.
func (p *page) fields() url.Values {
	form := url.Values{}
	for n := range p.doc.Descendants() {
		name := attr(n, "name")
		switch {
		case name == "" || !within(n, "main") || has(n, "disabled"):
		case n.Data == "textarea":
			value := ""
			if n.FirstChild != nil {
				value = n.FirstChild.Data
			}
			form.Add(name, value)
		case n.Data == "select":
			for o := range n.Descendants() {
				if o.Data == "option" && has(o, "selected") {
					form.Add(name, attr(o, "value"))
				}
			}
		case n.Data == "input" && (attr(n, "type") == "checkbox" || attr(n, "type") == "radio"):
			if has(n, "checked") {
				form.Add(name, cmp.Or(attr(n, "value"), "on"))
			}
		case n.Data == "input":
			form.Add(name, attr(n, "value"))
		}
	}
	return form
}

// More sticks than a job may have are refused where they are chosen, and not
// after they were confirmed.
func TestPressTooMany(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	var devices []protocol.Device
	for i := range api.MaxDevices + 1 {
		devices = append(devices, apitest.Stick("stick-"+strconv.Itoa(i)))
	}
	h, _ := scene.Connect(t, "wall", devices...)
	v := signedIn(t, scene.Site, "helpdesk", "en")
	form := v.post("/jobs/where", v.get("/jobs/new?host="+h.ID).want(http.StatusOK).fields()).want(http.StatusOK).shows("33 free sticks").fields()
	for _, d := range devices {
		form.Add("device", picked(t, d))
	}
	p := v.post("/jobs/confirm", form).want(http.StatusUnprocessableEntity).shows("One job takes at most 32 sticks.")
	if n := len(p.fields()["device"]); n != len(devices) {
		t.Errorf("%d sticks are still chosen", n)
	}
	form["device"] = form["device"][1:]
	v.post("/jobs/confirm", form).want(http.StatusOK).shows("Everything on these 32 sticks will be erased")
}

// The three steps of pressing, and back, without JavaScript.
func TestPressSteps(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "helpdesk", "en")
	p := v.get("/jobs/new?host=" + scene.Host.ID).want(http.StatusOK)
	p.shows("Which Windows", "win11-ent 24.2.1", "Published", "mbr-dual: starts on UEFI and BIOS", "What you pressed last")
	form := p.fields()
	if got := form.Get("version"); got != scene.Version.ID+"@stable" {
		t.Errorf("%q is chosen at first, want what is to be handed out", got)
	}
	form.Set("holder", "Grace")
	form.Set("reference", "INC-7")
	form.Set("erase_first", "on")
	form.Set("computer_name", "NB {n}")
	p = v.post("/jobs/where", form).want(http.StatusUnprocessableEntity).shows("cannot be a computer's name")
	if p.value("computer_name") != "NB {n}" || p.value("holder") != "Grace" {
		t.Error("the form forgot what was typed")
	}
	form.Set("computer_name", "NB-{ticket}-{n:02}")
	p = v.post("/jobs/where", form).want(http.StatusOK)
	p.shows("bench-1", "6 free sticks", "PHOTOS (exFAT)", "too small")
	form = p.fields()
	v.post("/jobs/confirm", form).want(http.StatusUnprocessableEntity).shows("Choose at least one stick.")
	form["device"] = []string{picked(t, scene.Free[0]), picked(t, scene.Free[1])}
	p = v.post("/jobs/confirm", form).want(http.StatusOK)
	p.shows("Everything on these 2 sticks will be erased", "1-2.7", "SanDisk Extreme Pro", "PHOTOS (exFAT)",
		"/media/ada/PHOTOS", "1-2.8", "no serial", "win11-ent 24.2.1", "(stable)", "This cannot be undone.", "1 · Windows 11 Enterprise", "Portable Windows",
		"Starter", "Grace", "INC-7", "NB-INC-7-01", "NB-INC-7-02", "the whole stick, before anything is written", "Type the number of sticks", "less than a minute, as most of the 2 sticks before")
	confirm := p.fields()
	back := v.post("/jobs/where", confirm).want(http.StatusOK)
	if got := back.fields(); len(got["device"]) != 2 || got.Get("holder") != "Grace" || got.Get("version") != scene.Version.ID+"@stable" {
		t.Errorf("going back forgets what was chosen: %v", got)
	}
	first := v.post("/jobs/new", back.fields()).want(http.StatusOK)
	if got := first.fields(); len(got["device"]) != 2 || got.Get("computer_name") != "NB-{ticket}-{n:02}" || got.Get("erase_first") == "" {
		t.Errorf("going back twice forgets what was typed: %v", got)
	}

	confirm.Set("count", "3")
	v.post("/jobs", confirm).want(http.StatusUnprocessableEntity).shows("2 sticks are listed.")
	confirm.Set("count", "2")
	p = v.post("/jobs", confirm).want(http.StatusOK).shows("2 sticks", "Grace", "INC-7", "queued", "(stable)")
	if twice := v.post("/jobs", confirm).want(http.StatusOK); twice.path != p.path {
		t.Errorf("a form that is sent twice makes %s and %s", p.path, twice.path)
	}
	confirm.Set("key", "another")
	v.post("/jobs", confirm).want(http.StatusConflict).shows("The stick in port 1-2.7 belongs to another job")
	v.post("/jobs/confirm", url.Values{"device": {"{"}}).want(http.StatusUnprocessableEntity).shows("The form could not be read.")
	p = v.post(p.path+"/cancel", nil).want(http.StatusOK).shows("cancelled")
	v.post(p.path+"/cancel", nil).want(http.StatusOK)
	v.post("/jobs/"+scene.Done.ID+"/cancel", nil).want(http.StatusConflict).shows("The job has ended already (succeeded)")

	// What was pressed last is offered, and comes back filled in.
	last := v.get("/jobs/new").want(http.StatusOK).shows("What you pressed last", "2 sticks for Grace")
	again := v.get(attr(last.all("a", "id", "repeat")[0], "href")).want(http.StatusOK).fields()
	for name, want := range map[string]string{"holder": "Grace", "reference": "INC-7", "computer_name": "NB-{ticket}-{n:02}", "version": scene.Version.ID + "@stable", "erase_first": "on"} {
		if got := again.Get(name); got != want {
			t.Errorf("repeated, %s is %q, want %q", name, got, want)
		}
	}
	if len(again["device"]) != 0 {
		t.Error("repeated, sticks are chosen already")
	}
}

// A stick that was pulled out, or plugged in anew, after it was confirmed leads
// back to the sticks, with all that was typed.
func TestPulledStick(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "helpdesk", "en")
	form := url.Values{
		"host": {scene.Host.ID}, "version": {scene.Version.ID}, "holder": {"Grace"}, "computer_name": {"NB-{n}"},
		"device": {picked(t, scene.Free[0]), picked(t, scene.Free[1])}, "key": {"k"},
	}
	form = v.post("/jobs/confirm", form).want(http.StatusOK).fields()
	form.Set("count", "2")
	scene.Replug(t, "1-2.8")
	p := v.post("/jobs", form).want(http.StatusConflict).shows("This is not the stick that was confirmed", "1-2.7")
	got := p.fields()
	if got.Get("holder") != "Grace" || got.Get("computer_name") != "NB-{n}" || len(got["device"]) != 1 || got.Get("device") != picked(t, scene.Free[0]) {
		t.Errorf("the form has %v", got)
	}
	form = v.post("/jobs/confirm", got).want(http.StatusOK).fields()
	form.Set("count", "1")
	v.post("/jobs", form).want(http.StatusOK).shows("1 stick for Grace")
}

// Typing is asked for only where somebody may miss what is lost.
func TestTypingIsAskedForWithCare(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	ver := s.Publish(t, "win11-ent", "1.0.0")
	blank, photos := apitest.Stick("a"), apitest.Stick("b")
	photos.Volumes = []string{"PHOTOS (exFAT)"}
	host, session := s.Connect(t, "bench-1", blank, photos)
	if err := s.HostDisconnected(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	v := signedIn(t, s, "helpdesk", "en")
	form := url.Values{"host": {host.ID}, "version": {ver.ID}, "device": {picked(t, photos)}}
	p := v.post("/jobs/where", form).want(http.StatusOK).shows("bench-1 is offline.")
	if got := p.fields()["device"]; len(got) != 1 {
		t.Errorf("a host that is away offers %v", got)
	}
	v.post("/jobs/confirm", form).want(http.StatusOK).shows("Type the number of sticks", "was not written by this console, or belongs to somebody: b.")
	v.post("/jobs", form).want(http.StatusUnprocessableEntity).shows("1 stick is listed")
	form.Set("device", picked(t, blank))
	p = v.post("/jobs/confirm", form).want(http.StatusOK).lacks("Type the number of sticks")
	p.shows("bench-1 is offline. The job waits until it is back.", "compares each stick with this confirmation again", "not known yet")
	v.post("/jobs", p.fields()).want(http.StatusOK).shows("queued")
}

// A table is checked cell by cell before anything is queued, dealt to the ports,
// and becomes one job.
func TestPressTable(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "helpdesk", "en")
	form := url.Values{
		"by": {"table"}, "host": {scene.Host.ID}, "version": {scene.Version.ID + "@stable"}, "reference": {"INC-9"}, "computer_name": {"NB-{n:02}"}, "key": {"k"},
		"table": {"User;Computer;Ticket;Floor\r\n\"Ada <b>\";PC 1;INC-1;3\r\n王芳;;\r\nGrace;nb-02;\r\n"},
	}
	p := v.post("/jobs/where", form).want(http.StatusUnprocessableEntity)
	p.shows("Cells cannot be used in the rows: 1, 3.", "“PC 1” cannot be a computer's name", "Sticks 2 and 3 would both be called nb-02", "These columns were left out: Floor")
	fixed := p.fields()
	if got := fixed["row_computer"]; len(got) != 3 || got[0] != "PC 1" || fixed["row_holder"][1] != "王芳" {
		t.Fatalf("the form has %v", fixed)
	}
	if len(p.all("b", "", "")) > 20 || strings.Contains(p.body, "Ada <b>\"") {
		t.Error("a cell became markup")
	}
	fixed["row_computer"] = []string{"PC-1", "", ""}
	fixed["row_holder"][2], fixed["row_reference"][2] = "", "" // taken out
	p = v.post("/jobs/where", fixed).want(http.StatusOK)
	p.shows("Ada <b>", "PC-1", "王芳", "NB-02", "INC-9").lacks("Grace")
	if len(p.all("li", "id", "socket-1-2_7-0")) != 1 {
		t.Error("the port map of a table's sticks is empty")
	}
	dealt := p.fields()
	if len(dealt["row_device"]) != 2 || dealt["row_device"][0] == dealt["row_device"][1] || dealt["row_device"][0] == "" {
		t.Fatalf("dealt %v", dealt["row_device"])
	}
	twice := p.fields()
	twice["row_device"][1] = twice["row_device"][0]
	v.post("/jobs/confirm", twice).want(http.StatusUnprocessableEntity).shows("Row 1 has this stick already.", "Nothing was queued.")
	none := p.fields()
	none["row_device"][1] = "none"
	v.post("/jobs/confirm", none).want(http.StatusUnprocessableEntity).shows("This row has no stick.")

	dealt["row_device"] = []string{picked(t, scene.Free[1]), picked(t, scene.Free[0])}
	p = v.post("/jobs/confirm", dealt).want(http.StatusOK).shows("PC-1", "NB-02", "1-2.8", "INC-1", "INC-9")
	confirm := p.fields()
	confirm.Set("count", "2")
	p = v.post("/jobs", confirm).want(http.StatusOK).shows("王芳", "NB-02 · ")
	job, err := scene.GetJob(t.Context(), scene.Viewer, strings.TrimPrefix(p.path, "/jobs/"))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ holder, name, ticket, port string }{
		{"Ada <b>", "PC-1", "INC-1", "1-2.8"}, {"王芳", "NB-02", "INC-9", "1-2.7"},
	} {
		b := job.Builds[i]
		if b.Holder != want.holder || b.Variables["computer_name"] != want.name || b.ExternalRef.ID != want.ticket || b.Identity.Port != want.port {
			t.Errorf("build %d is %+v", i+1, b)
		}
	}
	if job.Channel != "stable" || job.Holder != "" {
		t.Errorf("the job is %+v", job)
	}
	// Those that did not end well come back as rows.
	p = v.post(p.path+"/cancel", nil).want(http.StatusOK)
	again := v.get(attr(p.all("a", "id", "job-again")[0], "href")).want(http.StatusOK).fields()
	if len(again["row_holder"]) != 2 || again["row_computer"][1] != "NB-02" || again["row_device"][0] != picked(t, scene.Free[1]) {
		t.Errorf("pressing again begins with %v", again)
	}
}

// A file is taken as well, and what cannot be read says where.
func TestPressTableFile(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "helpdesk", "en")
	send := func(raw string) *page {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for name, value := range map[string]string{"by": "table", "host": scene.Host.ID, "version": scene.Version.ID, "table": ""} {
			if err := w.WriteField(name, value); err != nil {
				t.Fatal(err)
			}
		}
		part, err := w.CreateFormFile("file", "sticks.csv")
		if err == nil {
			_, err = part.Write([]byte(raw))
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return v.do(http.MethodPost, "/jobs/where", w.FormDataContentType(), &body)
	}
	p := send("\uFEFFAda,PC-1,INC-1\r\nGrace,PC-2,INC-2\r\n").want(http.StatusOK).shows("Ada", "PC-2", "INC-2")
	if got := p.fields()["row_device"]; len(got) != 2 {
		t.Errorf("dealt %v", got)
	}
	send("J\xFCrgen,PC-1").want(http.StatusUnprocessableEntity).shows("not in UTF-8")
	send("Ada,PC-1\n\"Grace").want(http.StatusUnprocessableEntity).shows("A quotation mark in line 2")
	send(strings.Repeat("Ada\n", 33)).want(http.StatusUnprocessableEntity).shows("33 rows; a job has at most 32 sticks")
	send("").want(http.StatusUnprocessableEntity).shows("There is no row in the table.")
	send(strings.Repeat("a", 1<<18+1)).want(http.StatusRequestEntityTooLarge).shows("at most 256 KiB")
}

// A job for later waits, says so, and can be moved.
func TestPressLater(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "helpdesk", "en")
	form := url.Values{
		"host": {scene.Host.ID}, "version": {scene.Version.ID}, "device": {picked(t, scene.Free[1])}, "key": {"k"},
		"when": {"later"}, "at": {"2020-01-01T08:00"}, "zone": {"Europe/Berlin"},
	}
	p := v.post("/jobs", form).want(http.StatusUnprocessableEntity).shows("This time is over.")
	if p.value("at") != "2020-01-01T08:00" || p.value("zone") != "Europe/Berlin" {
		t.Error("the form forgot the time")
	}
	form.Set("zone", "Moon/Base <b>")
	v.post("/jobs", form).want(http.StatusUnprocessableEntity).shows("“Moon/Base <b>” is no time zone")
	form.Set("zone", "Europe/Berlin")
	day := scene.Store.Now().AddDate(0, 0, 1).Format("2006-01-02")
	form.Set("at", day+"T25:00")
	v.post("/jobs", form).want(http.StatusUnprocessableEntity).shows("no time that the clocks")
	form.Set("at", day+"T08:15")
	p = v.post("/jobs", form).want(http.StatusOK).shows("scheduled", "Scheduled for")
	v.get("/jobs").want(http.StatusOK).shows("scheduled")
	job, err := scene.GetJob(t.Context(), scene.Viewer, strings.TrimPrefix(p.path, "/jobs/"))
	if err != nil || job.NotBefore == nil || job.NotBefore.Minute() != 15 {
		t.Fatalf("%+v, %v", job.NotBefore, err)
	}
	signedIn(t, scene.Site, "viewer", "en").get(p.path).want(http.StatusOK).shows("Scheduled for").lacks("Change the time")
	change := attr(p.all("a", "id", "job-schedule")[0], "href")
	p = v.get(change).want(http.StatusOK)
	move := p.fields()
	move.Set("at", day+"T09:45")
	v.post(change, move).want(http.StatusOK).shows("scheduled", "moved the job to")
	move.Set("at", day+"T10:00")
	p = v.post(change, move).want(http.StatusPreconditionFailed)
	if p.value("at") != day+"T10:00" {
		t.Error("the form forgot the time")
	}
	now := p.fields()
	now.Set("when", "now")
	v.post(change, now).want(http.StatusOK).shows("queued", "let the job begin at once").lacks("Scheduled for")
	scene.Claim(t, job)
	v.post(change, v.get(change).fields()).want(http.StatusConflict).shows("has begun already")
}

// What is typed is shown as text, on each of the steps.
func TestPressNothingIsMarkup(t *testing.T) {
	t.Parallel()
	const evil = `<img src=x onerror=alert(1)>"'&amp;`
	s := webtest.Start(t)
	ver := s.Publish(t, "win11-ent", "1.0.0")
	stick := apitest.Stick("a")
	stick.Vendor, stick.Model, stick.Serial, stick.Volumes = evil, evil, evil, []string{evil}
	stick.Refusals = nil
	host, _ := s.Connect(t, "bench", stick)
	v := signedIn(t, s, "helpdesk", "en")
	form := url.Values{
		"host": {host.ID}, "version": {ver.ID}, "holder": {evil}, "reference": {evil}, "device": {picked(t, stick)},
		"when": {"later"}, "at": {evil}, "zone": {evil}, "count": {evil}, "table": {evil}, "key": {evil},
	}
	table := url.Values{"by": {"table"}, "row_holder": {evil}, "row_computer": {evil}, "row_reference": {evil}, "row_device": {evil}}
	for name, values := range form {
		if table[name] == nil {
			table[name] = values
		}
	}
	table.Del("table")
	for _, form := range []url.Values{form, table} {
		for _, path := range []string{"/jobs/new", "/jobs/where", "/jobs/confirm", "/jobs"} {
			p := v.post(path, form)
			if len(p.all("img", "", "")) > 0 || p.status >= 500 {
				t.Errorf("%s: status %d, %d images", path, p.status, len(p.all("img", "", "")))
			}
		}
	}
	form.Set("when", "now")
	form.Set("count", "1")
	p := v.post("/jobs", form).want(http.StatusOK)
	if len(p.all("img", "", "")) > 0 {
		t.Error("the job's page shows markup")
	}
}

// Labels are for what may be handed out, and lead to the stick's page.
func TestLabels(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "viewer", "en")
	v.get("/jobs/"+scene.Failed.ID+"/labels").want(http.StatusOK).shows("1 stick", "Alan Turing", "INC-1042", "win11-ent 24.2.1 · CA 2011")
	b := scene.Done.Builds[0]
	short := strings.ToUpper(b.StickID[len(b.StickID)-7:])
	for _, paper := range []string{"62x29", "89x36", "a4-labels", "a4-handover"} {
		p := v.get("/jobs/"+scene.Done.ID+"/labels?paper="+paper).want(http.StatusOK).shows("2 sticks", short, "Grace Hopper", "INC-1041")
		if len(p.all("svg", "class", "qr")) != 2 || !strings.Contains(p.body, scene.URL+"/sticks/"+b.StickID) {
			t.Errorf("%s has no code of the stick's page", paper)
		}
	}
	v.get("/sticks/" + b.StickID).want(http.StatusOK).shows("Label")
	v.get("/sticks/"+b.StickID+"/label?paper=a4-handover").want(http.StatusOK).shows("1 stick", short, "Taken by, date")
	v.get("/sticks/" + scene.Wiped.Builds[0].StickID + "/label").want(http.StatusOK).shows("no stick here that may be handed out")
	v.get("/jobs/" + scene.Done.ID + "/labels?paper=<b>").want(http.StatusUnprocessableEntity)
	v.get("/jobs/job_01jd6y9k3te0mv8b0g2z5q4w7x/labels").want(http.StatusNotFound)
}
