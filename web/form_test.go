package web_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/web/webtest"
)

// A form without JavaScript carries the file itself.
func TestUploadByForm(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	v := signedIn(t, s, "admin", "en")
	p := v.postFile(map[string]string{"image": "win11-ent", "version": "1.0.0", "channel": "stable", "commit": "abc"}, "install.wim", apitest.WIM(t))
	p.want(http.StatusOK).shows("win11-ent 1.0.0 is published.", "Windows 11 ARM", "install.wim", "stable")
	if !strings.HasPrefix(p.path, "/versions/") {
		t.Errorf("the page is %s", p.path)
	}

	// The bytes are kept when a field is wrong: they need not be sent again.
	p = v.postFile(map[string]string{"image": "win11-ent", "version": "one", "channel": "stable"}, "install.wim", apitest.WIM(t))
	p.want(http.StatusUnprocessableEntity).shows("one is not a version number", "The file is here already")
	if p.value("image") != "win11-ent" || p.value("version") != "one" {
		t.Error("the form forgot what was typed")
	}
	fields := map[string]string{"upload": p.value("upload"), "image": p.value("image"), "version": "1.0.1", "channel": "stable"}
	v.postFile(fields, "", nil).want(http.StatusOK).shows("win11-ent 1.0.1 is published.")
	fields["version"] = "1.0.1"
	v.postFile(fields, "", nil).want(http.StatusConflict).shows("The image has this version already")

	v.postFile(map[string]string{"image": "x", "version": "1.0.0"}, "disk.iso", []byte("not an image at all")).
		want(http.StatusUnprocessableEntity).shows("This file is no image that a stick can be made of")
	v.postFile(map[string]string{"image": "x", "version": "1.0.0"}, "", nil).want(http.StatusUnprocessableEntity).shows("Choose a file first.")
	v.post("/images", url.Values{"image": {"x"}}).want(http.StatusUnprocessableEntity).shows("The form could not be read.")
	signedIn(t, s, "helpdesk", "en").postFile(map[string]string{"image": "x", "version": "1.0.0"}, "install.wim", apitest.WIM(t)).
		want(http.StatusForbidden).shows("it takes the role admin")
}

func (v *visitor) postFile(fields map[string]string, name string, raw []byte) *page {
	v.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for field, value := range fields {
		if err := w.WriteField(field, value); err != nil {
			v.t.Fatal(err)
		}
	}
	if name != "" {
		part, err := w.CreateFormFile("file", name)
		if err != nil {
			v.t.Fatal(err)
		}
		if _, err := part.Write(raw); err != nil {
			v.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		v.t.Fatal(err)
	}
	return v.do(http.MethodPost, "/images", w.FormDataContentType(), &body)
}

func TestTemplateForm(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	v := signedIn(t, s, "admin", "en")
	source := v.get("/templates/new").want(http.StatusOK).value("source")
	if !strings.Contains(source, "{{computer_name}}") {
		t.Errorf("a new template begins with %q", source)
	}
	broken := strings.Replace(source, "</settings>", "</setting>", 1)
	p := v.post("/templates", url.Values{"name": {"Office <b>"}, "source": {broken}}).want(http.StatusUnprocessableEntity)
	p.shows("This is not well-formed XML. Line ", "column ")
	if p.value("source") != broken || p.value("name") != "Office <b>" {
		t.Error("the form forgot what was typed")
	}
	p = v.post("/templates", url.Values{"name": {"Office <b>"}, "source": {source}}).want(http.StatusOK)
	p.shows("Office <b> is saved as version 1.")
	form := url.Values{"name": {"Office <b>"}, "source": {strings.Replace(source, "<Extend>true", "<Extend>false", 1)}, "revision": {p.value("revision")}}
	p = v.post(p.path, form).want(http.StatusOK)
	p.shows("version 2", "The volume is not told to grow")
	// The form of the page before is stale now.
	p = v.post(p.path, form).want(http.StatusPreconditionFailed)
	p.shows("admin saved version")
	if p.value("source") != form.Get("source") {
		t.Error("the form forgot what was typed")
	}

	check := v.post("/templates/check", url.Values{"source": {broken}}).want(http.StatusOK)
	if !strings.Contains(check.body, `"severity":"error"`) || !strings.Contains(check.body, `"line":`) || check.header.Get("Content-Type") != "application/json" {
		t.Errorf("the check says %s", check.body)
	}
	check = v.post("/templates/check", url.Values{"source": {form.Get("source")}}).want(http.StatusOK)
	if !strings.Contains(check.body, `"severity":"warning"`) {
		t.Errorf("the check says %s", check.body)
	}

	signedIn(t, s, "helpdesk", "en").get(p.path).want(http.StatusOK).shows("Only admins see the source").lacks("computer_name}}")
}

func TestSequenceForm(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	v := signedIn(t, s, "admin", "en")
	p := v.get("/task-sequences/new").want(http.StatusOK)
	form := url.Values{
		"name": {"UEFI only"}, "layout": {"gpt-uefi"}, "edition": {"0"}, "boot_signature": {"2023"}, "template": {""}, "revision": {p.value("revision")},
	}
	p = v.post("/task-sequences", form).want(http.StatusUnprocessableEntity)
	p.shows("0 is not an index")
	if p.value("layout") != "gpt-uefi" || p.value("boot_signature") != "2023" || p.value("template") != "" || p.value("name") != "UEFI only" {
		t.Error("the form forgot what was chosen")
	}
	form.Set("edition", "2")
	p = v.post("/task-sequences", form).want(http.StatusOK).shows("UEFI only is saved as version 1.")
	if got := p.value("edition"); got != "2" {
		t.Errorf("edition %s was saved", got)
	}
	v.post("/task-sequences", form).want(http.StatusConflict).shows("There is a task sequence of this name already.")
}

// Pages and actions ask for the role that they need.
func TestWalls(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	for role, posts := range map[string][]string{
		"viewer":   {"/jobs", "/jobs/new", "/jobs/where", "/jobs/confirm", "/jobs/" + scene.Running.ID + "/cancel", "/jobs/" + scene.Running.ID + "/schedule"},
		"helpdesk": {"/templates", "/task-sequences", "/hosts/enrol", "/images/win11-ent/channel"},
	} {
		v := signedIn(t, scene.Site, role, "en")
		for _, path := range posts {
			v.post(path, url.Values{"revision": {"1"}, "name": {"x"}}).want(http.StatusForbidden).shows("Your role does not allow this")
		}
	}
	gets := map[string][]string{"viewer": {"/jobs/new", "/jobs/new/names", "/jobs/" + scene.Running.ID + "/schedule"}, "helpdesk": {"/templates/new", "/task-sequences/new"}}
	for role, paths := range gets {
		v := signedIn(t, scene.Site, role, "en")
		for _, path := range paths {
			v.get(path).want(http.StatusForbidden).shows("Your role does not allow this")
		}
		v.get("/images").lacks("Upload and publish")
		v.get("/hosts/" + scene.Host.ID).lacks("Revoke the host")
		v.get("/versions/" + scene.Version.ID).lacks("Withdraw")
	}
	signedIn(t, scene.Site, "viewer", "en").get("/jobs/" + scene.Running.ID).lacks("Cancel the job")
	v := signedIn(t, scene.Site, "viewer", "zh-CN")
	v.get("/nothing/here").want(http.StatusNotFound).shows("没有此页面", "req_")
	v.get("/hosts/enrol").want(http.StatusNotFound)
	v.get("/jobs/job_00000000000000000000000000").want(http.StatusNotFound)
	v.get("/jobs/nonsense").want(http.StatusNotFound)
	v.get("/sticks?after=nonsense").want(http.StatusOK).shows("找不到列表的这一页")
}

// What people and hosts call things is shown as they wrote it.
func TestNothingIsMarkup(t *testing.T) {
	t.Parallel()
	const evil = `<img src=x onerror=alert(1)>"'&amp;`
	s := webtest.Start(t)
	s.Publish(t, "win11-ent", "1.0.0")
	stick := apitest.Stick("a.img")
	stick.Vendor, stick.Model, stick.Serial, stick.Volumes = evil, evil, evil, []string{evil}
	host, session := s.Connect(t, "bench", stick)
	in := apitest.Order("win11-ent", "bench", stick)
	in.Holder, in.ExternalRef = evil, api.Ticket(evil)
	job, err := s.QueueJob(t.Context(), s.Helpdesk, in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.HostClaim(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	b := job.Builds[0]
	var events []protocol.Event
	for i, e := range []protocol.Event{
		{Type: protocol.EventAccepted},
		{Type: protocol.EventLog, Log: &protocol.LogLine{Level: "warn", Text: evil}},
		{Type: protocol.EventFailed, Fault: protocol.NewFault(protocol.FaultTool, "tool", evil, "status", "1", "detail", evil)},
	} {
		e.BuildID, e.Attempt, e.HostSeq = b.ID, 1, int64(i+1)
		events = append(events, e)
	}
	if _, err := s.HostEvents(t.Context(), session, events); err != nil {
		t.Fatal(err)
	}
	v := signedIn(t, s, "helpdesk", "en")
	for _, path := range []string{"/", "/jobs", "/jobs/" + job.ID, "/jobs/new", "/hosts/" + host.ID, "/sticks", "/sticks/" + b.StickID} {
		p := v.get(path).want(http.StatusOK)
		if len(p.all("img", "", "")) > 0 || !strings.Contains(p.text(), "<img src=x") && path != "/jobs/new" {
			t.Errorf("%s does not show the text as text", path)
		}
	}
}

func TestHostForms(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "admin", "en")
	path := "/hosts/" + scene.Host.ID
	p := v.get(path)
	form := url.Values{"revision": {p.value("revision")}, "name": {"bench"}, "reason": {"gone"}}
	v.post(path+"/lost", form).want(http.StatusUnprocessableEntity).shows("Type bench-1 to confirm.")
	form.Set("name", "bench-1")
	form.Set("revision", "9999")
	v.post(path+"/lost", form).want(http.StatusPreconditionFailed).shows("Somebody else has changed this host")
	form.Set("revision", v.get(path).value("revision"))
	v.post(path+"/revoke", form).want(http.StatusOK).shows("bench-1 is revoked.", "revoked")
	v.post("/hosts/enrol", nil).want(http.StatusOK).shows("stickpress-agent enroll "+scene.URL+" --token spo_", "Works once, until 2")

	v.post("/versions/"+scene.Version.ID+"/withdraw", url.Values{"revision": {"1"}, "reason": {"bad"}, "name": {"win11-ent 24.2.1"}}).
		want(http.StatusConflict).shows("is what stable points to")
	stable := v.get("/images/win11-ent").value("revision")
	v.post("/images/win11-ent/channel", url.Values{"channel": {"stable"}, "version": {"24.2.0"}, "revision": {stable}}).want(http.StatusOK).shows("Channel stable points to 24.2.0.")
	revision := v.get("/versions/" + scene.Version.ID).value("revision")
	v.post("/versions/"+scene.Version.ID+"/withdraw", url.Values{"revision": {revision}, "reason": {"bad"}, "name": {"win11-ent 24.2.1"}}).
		want(http.StatusOK).shows("Version 24.2.1 is withdrawn.")
}

func TestTokens(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	v := signedIn(t, s, "helpdesk", "en")
	p := v.post("/account/tokens", url.Values{"name": {"tickets"}, "role": {"helpdesk"}, "days": {"30"}}).want(http.StatusOK)
	p.shows("It is shown only now", "stp_", "tickets")
	v.get("/account").shows("tickets").lacks("stp_")
	v.post("/account/tokens", url.Values{"name": {"more"}, "role": {"admin"}}).want(http.StatusForbidden)
	tokens, err := s.ListTokens(t.Context(), s.Helpdesk, api.TokenFilter{}, api.Page{})
	if err != nil || len(tokens.Items) != 1 {
		t.Fatalf("there are %d tokens (%v)", len(tokens.Items), err)
	}
	path := "/tokens/" + tokens.Items[0].ID
	if len(v.get("/account").all("a", "href", path)) == 0 {
		t.Error("the account does not lead to the token's page")
	}
	v.post(path+"/revoke", url.Values{"name": {"ticket"}}).want(http.StatusUnprocessableEntity).shows("active", "Type tickets to confirm").check("en")
	v.post(path+"/revoke", url.Values{"name": {"tickets"}}).want(http.StatusOK).shows("The token is revoked.", "revoked")
}
