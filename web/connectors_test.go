package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/webtest"
)

// An admin makes a connector, tries its mapping and says what is written back.
func TestConnectors(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "admin", "en")
	v.get("/connectors").want(http.StatusOK).shows("Service desk", "ServiceNow", "HTTP Basic")
	form := v.get("/connectors/new").want(http.StatusOK).fields()
	form.Set("system", "jira")
	form.Set("method", "glpi")
	form.Set("name", "jira")
	p := v.post("/connectors", form).want(http.StatusUnprocessableEntity)
	if p.value("name") != "jira" {
		t.Error("the form forgot the name")
	}
	form.Set("method", "header")
	p = v.post("/connectors", form).want(http.StatusOK).shows("It is shown only now", "/api/v1/hooks/jira", "Nothing was sent yet")
	secret := regexp.MustCompile(`[A-Z2-7]{26}`).FindString(p.all("pre", "id", "new-secret")[0].FirstChild.Data)
	if secret == "" {
		t.Fatal("no secret is shown")
	}
	k, err := scene.GetConnector(t.Context(), scene.Admin, "jira")
	if err != nil {
		t.Fatal(err)
	}
	path := "/connectors/" + k.ID
	if strings.Contains(v.get(path).want(http.StatusOK).text(), secret) {
		t.Error("the secret is shown twice")
	}
	// What does not prove where it comes from is said, and nothing of it shown.
	_, err = scene.ReceiveHook(t.Context(), api.Anonymous("en", "req_1", "192.0.2.77"), api.HookDelivery{
		Connector: "jira", Header: http.Header{"X-Stickpress-Secret": {"guessed"}}, Body: []byte(`{"issue":{"key":"ITSM-0"}}`),
	})
	if err == nil {
		t.Fatal("a wrong secret is believed")
	}
	v.get(path).want(http.StatusOK).shows("A delivery was refused", "192.0.2.77", "compare the secret there with the one here").lacks("ITSM-0", "guessed")
	_, err = scene.ReceiveHook(t.Context(), api.Anonymous("en", "req_1", "192.0.2.9"), api.HookDelivery{
		Connector: "jira", Header: http.Header{"X-Stickpress-Secret": {secret}}, Body: []byte(`{"issue":{"key":"ITSM-1","fields":{"reporter":{"displayName":"Ada <b>L."}}}}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	v.get(path).want(http.StatusOK).shows("new request", "ITSM-1", "192.0.2.9", "Refused before a later delivery was believed").lacks("A delivery was refused")

	// The mapping is tried on the last delivery at once, and on what is typed.
	p = v.get(path+"/mapping").want(http.StatusOK).shows("new request", "Ada <b>L.", "by the path")
	form = p.fields()
	form.Set("path_image", "issue.fields.os")
	form.Set("otherwise_image", "win12")
	form.Set("table_image", "Windows 10 = win10-ltsc\n* = win11-ent\n\n")
	form.Set("document", `{"issue":{"key":"ITSM-2","fields":{"os":"windows 10"}}}`)
	form.Set("do", "test")
	p = v.post(path+"/mapping", form).want(http.StatusOK).shows("win10-ltsc", "replaced", "found: windows 10")
	if p.fields().Get("table_image") != "Windows 10 = win10-ltsc\n* = win11-ent" {
		t.Errorf("the table is %q", p.fields().Get("table_image"))
	}
	form.Set("document", "{")
	v.post(path+"/mapping", form).want(http.StatusUnprocessableEntity).shows("neither JSON nor a form")
	form.Set("do", "save")
	v.post(path+"/mapping", form).want(http.StatusNotFound).shows("There is no such image")
	form.Set("otherwise_image", "win11-ent")
	v.post(path+"/mapping", form).want(http.StatusOK).shows("The mapping is saved.")
	v.post(path+"/mapping", form).want(http.StatusPreconditionFailed).shows("admin has changed this connector")

	// What would be sent is shown before it is kept.
	form = v.get(path+"/write-back").want(http.StatusOK).shows("https://INSTANCE.atlassian.net/rest/api/2/issue/REQ0010042/comment", "being made by grace").fields()
	form.Set("do", "test")
	form.Set("body", `{"body": {{.holder}}}`)
	v.post(path+"/write-back", form).want(http.StatusUnprocessableEntity).shows("no JSON whatever the ticket holds")
	form.Set("body", `{"body": "{{.holder}}"}`)
	v.post(path+"/write-back", form).want(http.StatusOK).shows(`{"body": "Ada Lovelace"}`)
	form.Set("do", "save")
	v.post(path+"/write-back", form).want(http.StatusUnprocessableEntity).shows("Type the secret")
	form.Set("secret", "their password")
	p = v.post(path+"/write-back", form).want(http.StatusOK).shows("Tickets are told from now on.")
	if strings.Contains(p.text(), "their password") {
		t.Error("the secret is shown")
	}
	form.Set("revision", p.fields().Get("revision"))
	for name, value := range map[string]string{"auth": "oauth_client", "client_id": "stickpress", "token_url": "https://id.example/token", "client_auth": "none", "client_secret": "their secret"} {
		form.Set(name, value)
	}
	v.post(path+"/write-back", form).want(http.StatusUnprocessableEntity).shows("The field client_auth of the authorization cannot be used.")
	form.Set("client_auth", string(api.ClientBasic))
	p = v.post(path+"/write-back", form).want(http.StatusOK)
	if got := p.fields().Get("client_auth"); got != string(api.ClientBasic) {
		t.Errorf("the client proves itself by %q", got)
	}
	form.Set("revision", p.fields().Get("revision"))
	form.Set("do", "off")
	v.post(path+"/write-back", form).want(http.StatusOK).shows("Tickets are told nothing any more.")

	k, err = scene.GetConnector(t.Context(), scene.Admin, "jira")
	if err != nil {
		t.Fatal(err)
	}
	p = v.get(path).want(http.StatusOK)
	form = url.Values{"revision": {p.fields().Get("revision")}, "name": {"jira"}, "title": {"Jira"}, "method": {"hub_sha256"}}
	v.post(path, form).want(http.StatusOK).shows("The connector Jira is saved.")
	if f := p.all("form", "action", path+"/secret"); len(f) != 1 || !within(f[0], "details") {
		t.Error("the secret is changed without being asked")
	}
	p = v.post(path+"/secret", url.Values{"revision": {"1"}}).want(http.StatusPreconditionFailed)
	v.post(path+"/secret", url.Values{"revision": {p.fields().Get("revision")}, "secret": {"short"}}).want(http.StatusUnprocessableEntity).shows("A secret has from 12")
	p = v.post(path+"/secret", url.Values{"revision": {p.fields().Get("revision")}, "secret": {"a secret of theirs"}}).want(http.StatusOK).shows("a secret of theirs")
	form = url.Values{"revision": {p.fields().Get("revision")}, "name": {"wrong"}}
	v.post(path+"/retire", form).want(http.StatusUnprocessableEntity)
	form.Set("name", "jira")
	v.post(path+"/retire", form).want(http.StatusOK).shows("Jira is out of use.", "Bring back into use")
}

// The helpdesk answers a ticket on the form that it always uses: everything is
// filled in but the stick.
func TestRequests(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "helpdesk", "en")
	v.get("/").want(http.StatusOK).shows("open requests")
	v.get("/requests").want(http.StatusOK).shows("RITM0010042", "Ada Lovelace", "win11-ent (stable)", "1 thing is not there", "declined", "Service desk")
	v.get("/requests?state=declined").want(http.StatusOK).shows("RITM0010040")
	v.get("/search?q=RITM0010042").want(http.StatusOK).shows("RITM0010042", "Ada Lovelace")
	v.get("/search?q=requests").want(http.StatusOK).shows("2 open")

	path := "/requests/" + scene.Request.ID
	p := v.get(path).want(http.StatusOK).shows("New starter on Monday", "WTG-ADA", "Open the ticket")
	form := v.get(attr(p.all("a", "id", "answer")[0], "href")).want(http.StatusOK).shows("For a ticket").fields()
	for name, want := range map[string]string{
		"holder": "Ada Lovelace", "reference": "RITM0010042", "computer_name": "WTG-ADA", "version": scene.Version.ID + "@stable", "request": scene.Request.ID,
	} {
		if got := form.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	form = v.post("/jobs/where", form).want(http.StatusOK).fields()
	form.Set("host", scene.Host.ID)
	form["device"] = []string{picked(t, scene.Free[0])}
	form = v.post("/jobs/confirm", form).want(http.StatusOK).shows("For a ticket", "RITM0010042").fields()
	form.Set("count", "1")
	p = v.post("/jobs", form).want(http.StatusOK).shows("Ada Lovelace")
	if links := v.get(path).want(http.StatusOK).shows("queued", "its job", "Decided by").links(); !slices.Contains(links, p.path) {
		t.Errorf("no link to %s in %v", p.path, links)
	}

	// One that names what is not there is declined; the reason is needed.
	list, err := scene.ListStickRequests(t.Context(), scene.Helpdesk, api.StickRequestFilter{Search: "0041"}, api.Page{})
	if err != nil || len(list.Items) != 1 {
		t.Fatal(list, err)
	}
	path = "/requests/" + list.Items[0].ID
	p = v.get(path).want(http.StatusOK).shows("Image “win12-ent”: There is no such image.")
	form = url.Values{"revision": {p.fields().Get("revision")}, "reason": {""}}
	v.post(path+"/decline", form).want(http.StatusUnprocessableEntity).shows("Say why")
	form.Set("reason", "no such Windows")
	p = v.post(path+"/decline", form).want(http.StatusOK).shows("is declined.", "no such Windows")
	v.post(path+"/reopen", url.Values{"revision": {p.fields().Get("revision")}}).want(http.StatusOK).shows("is open again.")
}

// Several tickets become one job, with a row for each stick.
func TestRequestsBatch(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "helpdesk", "en")
	list, err := scene.ListStickRequests(t.Context(), scene.Helpdesk, api.StickRequestFilter{State: "open"}, api.Page{})
	if err != nil || len(list.Items) != 2 {
		t.Fatal(list, err)
	}
	form := v.get("/jobs/new?request=" + list.Items[0].ID + "&request=" + list.Items[1].ID).want(http.StatusOK).shows("For 2 tickets").fields()
	if len(form["row_holder"]) != 3 || form["row_reference"][0] != "RITM0010042" || form["row_holder"][2] != "Katherine Johnson" || form["row_computer"][0] != "WTG-ADA" {
		t.Fatalf("the rows are %v", form)
	}
	// The second ticket gets one stick only, the third row is taken away.
	for _, name := range []string{"row_holder", "row_computer", "row_reference"} {
		form[name] = form[name][:2]
	}
	form = v.post("/jobs/where", form).want(http.StatusOK).fields()
	form.Set("host", scene.Host.ID)
	form["row_device"] = []string{picked(t, scene.Free[0]), picked(t, scene.Free[1])}
	form = v.post("/jobs/confirm", form).want(http.StatusOK).fields()
	form.Set("count", "2")
	p := v.post("/jobs", form).want(http.StatusOK)
	job := strings.TrimPrefix(p.path, "/jobs/")
	for _, q := range list.Items {
		now, err := scene.GetStickRequest(t.Context(), scene.Helpdesk, q.ID)
		if err != nil || now.State != "queued" || now.JobID != job {
			t.Errorf("%s is %s of %s, %v", q.Ticket, now.State, now.JobID, err)
		}
	}
}
