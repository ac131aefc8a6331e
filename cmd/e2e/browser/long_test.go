package browser

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/webhook/connector"
	"github.com/stickpress/stickpress/web/webtest"
)

// Names as long as they may be, without a space in them, push nothing out of a
// page or of a table.
func TestLongNames(t *testing.T) {
	t.Parallel()
	s := webtest.Play(t, webtest.Start(t))
	pages := append(longNames(t, s, "W"), longNames(t, s, "宽")...)
	b := open(t, s.URL, "en")
	b.visit(s.Link(t, "admin"))
	b.press("main form .btn-primary")
	b.at("/")
	pages = append(pages, "/", "/jobs", "/jobs/new", "/hosts", "/sticks", "/sites", "/templates", "/task-sequences", "/users", "/tokens",
		"/connectors", "/webhooks", "/views", "/audit", "/account", "/search?q=W")
	for _, path := range pages {
		b.visit(path)
		for _, width := range []int64{390, 1440} {
			b.size(width, 900)
			b.fits(path, width)
			if wide := eval[[]string](b, scrolled); len(wide) > 0 {
				b.Errorf("%s at %d: columns are out of sight: %s", path, width, strings.Join(wide, ", "))
			}
		}
	}
}

// Where more sticks are free than a job may have, all of them are as many as that,
// and what is ticked beyond is said before anything is sent.
func TestChooseAll(t *testing.T) {
	t.Parallel()
	s := webtest.Play(t, webtest.Start(t))
	var devices []protocol.Device
	for i := range 40 {
		devices = append(devices, apitest.Stick("stick-"+strconv.Itoa(i)))
	}
	h, _ := s.Connect(t, "wall", devices...)
	b := open(t, s.URL, "en")
	b.visit(s.Link(t, "helpdesk"))
	b.press("main form .btn-primary")
	b.at("/")
	b.visit("/jobs/new?host=" + h.ID)
	b.where()
	b.press("#choose-all")
	b.shows("32 sticks are chosen, as many as a job may have.")
	b.press("#sticks input[name=device]:not(:checked)")
	b.shows("33 sticks are chosen; a job may have 32. Take some out.")
	b.press("#choose-none")
	b.shows("No stick is chosen.")
}

// scrolled is a script that names the tables that are wider than their place.
const scrolled = `[...document.querySelectorAll(".table-wrap")].filter((e) => e.clientWidth > 0 && e.innerText && e.scrollWidth > e.clientWidth + 1).map((e) => e.innerText.slice(0, 40))`

// longNames makes one of everything with a name of as many characters as may be,
// and gives the pages.
func longNames(t *testing.T, s *webtest.Scene, letter string) []string {
	t.Helper()
	ctx, name, text := t.Context(), strings.Repeat(letter, 100), strings.Repeat(letter, 200)
	device := apitest.Stick("1-4." + letter)
	device.Kind, device.Vendor, device.Model, device.Serial = protocol.KindUSB, letter, strings.Repeat(letter, 60), strings.Repeat("S", 120)
	host, session := s.Connect(t, name, device)
	order := apitest.Order("win11-ent", host.ID, device)
	order.Holder, order.ExternalRef = text, api.Ticket(text)
	job, err := s.QueueJob(ctx, s.Helpdesk, order)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.HostClaim(ctx, session); err != nil {
		t.Fatal(err)
	}
	site, err := s.SaveSite(ctx, s.Admin, api.SaveSiteInput{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	template, err := s.SaveTemplate(ctx, s.Admin, api.SaveTemplateInput{Name: name, Description: text, Source: s.StarterTemplate()})
	if err != nil {
		t.Fatal(err)
	}
	sequence, err := s.SaveTaskSequence(ctx, s.Admin, api.SaveTaskSequenceInput{Name: name, Description: text, Spec: s.Sequence.Current.Spec, Template: s.Template.ID})
	if err != nil {
		t.Fatal(err)
	}
	user, err := s.CreateUser(ctx, s.Admin, api.CreateUserInput{Login: "long" + strings.Repeat("w", 40+len(letter)), Name: name, Role: api.RoleHelpdesk, Sites: []string{site.ID}})
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.CreateToken(ctx, s.Admin, api.CreateTokenInput{Name: name, Role: api.RoleViewer})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SaveView(ctx, s.Admin, api.SaveViewInput{List: "jobs", Name: name, Query: "state=failed"}); err != nil {
		t.Fatal(err)
	}
	c, err := s.SaveConnector(ctx, s.Admin, api.SaveConnectorInput{Name: strings.Repeat("c", 50+len(letter)), Title: text, System: connector.ServiceNow, User: "x"})
	if err != nil {
		t.Fatal(err)
	}
	hook, err := s.CreateWebhook(ctx, s.Admin, api.SaveWebhookInput{URL: "https://[2001:500:2::c]/" + strings.Repeat("w", 200), Description: text})
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"/jobs/" + job.ID, "/hosts/" + host.ID, "/sticks/" + job.Builds[0].StickID, "/sites/" + site.ID, "/templates/" + template.ID,
		"/task-sequences/" + sequence.ID, "/users/" + user.ID, "/tokens/" + token.Token.ID, "/connectors/" + c.ID, "/connectors/" + c.ID + "/mapping",
		"/webhooks/" + hook.ID, "/jobs?holder=" + text[:60],
	}
}
