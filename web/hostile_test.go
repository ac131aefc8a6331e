package web_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/web/webtest"
)

// hostile ends what a careless page would put it into: an attribute of either
// kind, a text, a script, a comment, a style.
const hostile = `x"'>--></script></style></textarea><xss onload=alert(1)><a href=javascript:alert(1)>&lt;`

// Whatever people, hosts and ticket systems put into a field is text on every
// page that shows it.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	spoil(t, scene)
	routes := must[[]string](t)(scene.Routes())
	v, met := signedIn(t, scene.Site, "admin", "en"), map[string]bool{}
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		if method != http.MethodGet || strings.HasPrefix(path, "/static") || strings.HasSuffix(path, "/live") || strings.HasPrefix(path, "/sign-in/service") {
			continue
		}
		path = scene.Fill(path)
		if path == "/search" {
			path += "?q=xss"
		}
		for _, at := range []string{path, path + sign(path) + "q=" + url.QueryEscape(hostile) + "&after=" + url.QueryEscape(hostile)} {
			p := fetch(t, v, at)
			for n := range p.Descendants() {
				if n.Type == html.TextNode && strings.Contains(n.Data, "<xss") {
					met[path] = true
				}
				if n.Type != html.ElementNode {
					continue
				}
				if n.Data == "xss" {
					t.Errorf("%s: a text became markup", at)
				}
				for _, a := range n.Attr {
					if strings.HasPrefix(a.Key, "on") || strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:") {
						t.Errorf("%s: a text became <%s %s=%q>", at, n.Data, a.Key, a.Val)
					}
					if strings.Contains(a.Val, "<xss") {
						met[path] = true
					}
				}
			}
		}
	}
	for _, path := range []string{
		"/", "/jobs", "/jobs/" + scene.Running.ID, "/hosts", "/hosts/" + scene.Host.ID, "/sticks", "/sticks/" + scene.Done.Builds[0].StickID,
		"/templates", "/templates/" + scene.Template.ID, "/task-sequences", "/task-sequences/" + scene.Sequence.ID, "/sites", "/tokens", "/users",
		"/audit", "/settings", "/views", "/webhooks", "/connectors", "/requests", "/requests/" + scene.Request.ID, "/versions/" + scene.Version.ID, "/search?q=xss",
	} {
		if !met[path] {
			t.Errorf("%s shows none of the texts: nothing was tried there; it does on %q", path, slices.Sorted(maps.Keys(met)))
		}
	}
}

func sign(path string) string {
	if strings.Contains(path, "?") {
		return "&"
	}
	return "?"
}

// fetch is visitor.get without a look at the sentences, which may look like keys
// here.
func fetch(t *testing.T, v *visitor, path string) *html.Node {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := v.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 500 && resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%s: status %d", path, resp.StatusCode)
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		if resp.Header.Get("Content-Type") == "" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: a browser may guess what this is: %v", path, resp.Header)
		}
		return &html.Node{Type: html.DocumentNode}
	}
	doc, err := html.Parse(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// spoil puts the text into whatever takes one.
func spoil(t *testing.T, x *webtest.Scene) {
	t.Helper()
	ctx, long := t.Context(), hostile // names have at most 100 bytes
	try := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	_, err := x.SaveSite(ctx, x.Admin, api.SaveSiteInput{ID: x.Host.SiteID, Name: long})
	try("site", err)
	_, err = x.CreateUser(ctx, x.Admin, api.CreateUserInput{Login: "mallory", Name: long, Role: api.RoleHelpdesk})
	try("user", err)
	_, err = x.CreateToken(ctx, x.Admin, api.CreateTokenInput{Name: long, Role: api.RoleViewer})
	try("token", err)
	source := strings.Replace(x.StarterTemplate(), "<!-- ", "<!-- "+strings.ReplaceAll(hostile, "-->", "")+" ", 1)
	_, err = x.SaveTemplate(ctx, x.Admin, api.SaveTemplateInput{ID: x.Template.ID, Name: long, Description: hostile, Source: source})
	try("template", err)
	_, err = x.SaveTaskSequence(ctx, x.Admin, api.SaveTaskSequenceInput{ID: x.Sequence.ID, Name: long, Description: hostile, Spec: x.Sequence.Current.Spec, Template: x.Template.ID})
	try("task sequence", err)
	_, err = x.SaveView(ctx, x.Admin, api.SaveViewInput{List: "jobs", Name: long, Query: "q=" + url.QueryEscape(hostile), Shared: true})
	try("view", err)
	_, err = x.SaveSetting(ctx, x.Admin, api.SaveSettingInput{Name: "banner", Value: hostile})
	try("banner", err)
	_, err = x.CreateWebhook(ctx, x.Admin, api.SaveWebhookInput{URL: "https://hooks.example.org/", Description: hostile})
	try("webhook", err)
	_, err = x.SaveConnector(ctx, x.Admin, api.SaveConnectorInput{ID: x.Connector.ID, Name: x.Connector.Name, Title: long, System: x.Connector.System, Method: x.Connector.Method, User: x.Connector.User})
	try("connector", err)
	_, err = x.DeclineStickRequest(ctx, x.Helpdesk, api.MoveRequestInput{ID: x.Request.ID, Reason: hostile})
	try("request", err)
	_, err = x.DeclareStickLost(ctx, x.Helpdesk, api.MoveStickInput{ID: x.Done.Builds[0].StickID, Reason: hostile})
	try("loss", err)
	_, err = x.IssueStick(ctx, x.Helpdesk, api.IssueStickInput{ID: x.Wiped.Builds[0].StickID, Holder: hostile, Reference: hostile})
	try("issue", err)
	_, err = x.SetChannel(ctx, x.Admin, api.SetChannelInput{Image: "win11-ent", Channel: "stable", Version: "24.2.0"})
	try("channel", err)
	_, err = x.WithdrawVersion(ctx, x.Admin, api.WithdrawVersionInput{ID: x.Version.ID, Reason: hostile})
	try("withdrawal", err)
	spoilHost(t, x)
}

// spoilHost has a host say the text of its devices, of a job, and in its log.
func spoilHost(t *testing.T, x *webtest.Scene) {
	t.Helper()
	d := apitest.Stick(hostile)
	d.Vendor, d.Model, d.Path, d.Volumes, d.AutomountedAt = hostile, hostile, hostile, []string{hostile}, []string{hostile}
	h, session := x.Connect(t, "mallory", d)
	in := apitest.Order("win11-ent", "mallory", d)
	in.Holder, in.ExternalRef, in.Version = hostile, api.Ticket(hostile), "24.2.0"
	job, err := x.QueueJob(t.Context(), x.Helpdesk, in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.HostClaim(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	events := []protocol.Event{
		{Type: protocol.EventAccepted},
		{Type: protocol.EventLog, Log: &protocol.LogLine{Level: "info", Text: hostile}},
		{Type: protocol.EventLog, Log: &protocol.LogLine{Level: "info", Code: "no_such_code", Params: map[string]string{hostile: hostile}}},
		{Type: protocol.EventFailed, Fault: &protocol.Fault{Code: protocol.FaultDeviceGone, Params: map[string]string{"port": hostile}}},
	}
	for i := range events {
		events[i].AttemptRef = protocol.AttemptRef{BuildID: job.Builds[0].ID, Attempt: 1}
		events[i].HostSeq, events[i].At = int64(i+1), time.Now()
	}
	if _, err := x.HostEvents(t.Context(), session, events); err != nil {
		t.Fatal(err)
	}
	if _, err := x.UpdateHost(t.Context(), x.Admin, api.UpdateHostInput{ID: h.ID, Name: hostile, SiteID: x.Host.SiteID}); err != nil {
		t.Fatal(err)
	}
	host, err := x.GetHost(t.Context(), x.Admin, h.ID)
	if err != nil {
		t.Fatal(err)
	}
	x.Host, x.Running = host, job // what the pages are asked for
	x.Done.Builds[0].StickID = x.Wiped.Builds[0].StickID
}
