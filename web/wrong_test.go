package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/webtest"
)

// wrongForm is a form with several wrong fields.
type wrongForm struct {
	path   string
	form   url.Values
	status int
	// errors are the IDs of what says what is wrong, in the order of the page.
	errors []string
}

// TestAllThatIsWrong sends forms with several wrong fields: each says at its field
// what is wrong, where a screen reader finds it, the first has the focus without a
// script, all that was typed is there again, and nothing was done.
func TestAllThatIsWrong(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "admin", "en")
	long := strings.Repeat("x", 400)
	k, err := scene.GetConnector(t.Context(), scene.Admin, "servicenow")
	if err != nil {
		t.Fatal(err)
	}
	hook, err := scene.CreateWebhook(t.Context(), scene.Admin, api.SaveWebhookInput{URL: "https://hooks.example.org/x"})
	if err != nil {
		t.Fatal(err)
	}
	host, err := scene.GetHost(t.Context(), scene.Admin, "bench-1")
	if err != nil {
		t.Fatal(err)
	}
	person, err := scene.FindUser(t.Context(), scene.Admin, "viewer")
	if err != nil {
		t.Fatal(err)
	}
	const invalid = http.StatusUnprocessableEntity
	forms := []wrongForm{
		{"/users", url.Values{"login": {"a b"}, "name": {long}, "role": {"viewer"}, "everywhere": {"no"}}, invalid, []string{"login-error", "name-error", "sites-error"}},
		{"/users", url.Values{"login": {"viewer"}, "role": {"viewer"}, "everywhere": {"no"}}, invalid, []string{"login-error", "sites-error"}},
		{"/users/" + person.ID, url.Values{"name": {" "}, "role": {"boss"}, "everywhere": {"no"}, "revision": {"1"}}, invalid, []string{"name-error", "role-error", "sites-error"}},
		{
			"/webhooks",
			url.Values{"url": {"ftp://x"}, "description": {long}, "every": {"no"}, "everywhere": {"no"}},
			invalid,
			[]string{"url-error", "description-error", "types-error", "sites-error"},
		},
		{
			"/webhooks/" + hook.ID,
			url.Values{"url": {""}, "every": {"no"}, "everywhere": {"yes"}, "revision": {"1"}},
			invalid,
			[]string{"url-error", "types-error"},
		},
		{
			"/connectors",
			url.Values{"system": {"generic"}, "name": {"a b"}, "title": {long}, "method": {"header"}, "header": {"a b"}, "user": {long}, "secret": {"short"}},
			invalid,
			[]string{"name-error", "title-error", "header-error", "user-error", "secret-error"},
		},
		{"/connectors/" + k.ID, url.Values{"name": {""}, "title": {long}, "method": {"wink"}, "revision": {"1"}}, invalid, []string{"title-error", "name-error", "method-error"}},
		{
			"/connectors/" + k.ID + "/mapping",
			url.Values{"path_holder": {"a\x01"}, "otherwise_image": {"nope"}, "do": {"save"}, "revision": {"1"}},
			invalid,
			[]string{"map-ticket-error", "map-holder-error", "map-image-error"},
		},
		{
			"/connectors/" + k.ID + "/write-back",
			url.Values{"method": {"POST"}, "url": {"{{"}, "body": {"{{"}, "auth": {"basic"}, "user": {"x"}, "do": {"save"}, "revision": {"1"}},
			invalid,
			[]string{"events-error", "content_type-error", "url-error", "body-error"},
		},
		{"/account/tokens", url.Values{"name": {" "}, "role": {"boss"}, "days": {"soon"}, "scope": {"all"}}, invalid, []string{"token-name-error", "token-role-error", "token-days-error", "scopes-error"}},
		{"/hosts/" + host.ID, url.Values{"host-name": {" "}, "site": {"nowhere"}, "revision": {"1"}}, invalid, []string{"host-name-error", "site-error"}},
		{"/templates", url.Values{"name": {" "}, "source": {"<no"}}, invalid, []string{"name-error", "source-error"}},
		{
			"/task-sequences",
			url.Values{"name": {" "}, "layout": {"zip"}, "edition": {"0"}, "template": {"nope"}, "min_write_rate": {"-5"}},
			invalid,
			[]string{"name-error", "layout-error", "edition-error", "template-error", "boot_signature-error", "min_write_rate-error"},
		},
	}
	entries := func() []api.AuditEntry {
		l, err := scene.ListAudit(t.Context(), scene.Admin, api.AuditFilter{}, api.Page{Limit: api.MaxPage})
		if err != nil {
			t.Fatal(err)
		}
		return l.Items
	}
	before := entries()
	for _, x := range forms {
		p := v.post(x.path, x.form).want(x.status)
		p.saysWrong(x.errors)
		for name, values := range x.form {
			if typed := values[0]; name != "revision" && name != "do" && name != "secret" && offered(p, name) {
				if have := p.value(name); have != typed {
					t.Errorf("%s: %s is %q, %q was typed", x.path, name, have, typed)
				}
			}
		}
	}
	if after := entries(); len(after) != len(before) {
		t.Errorf("something was done: %+v", after[:len(after)-len(before)])
	}
}

// offered reports whether a field can hold what was typed: choices hold only what
// they offer.
func offered(p *page, name string) bool {
	return slices.ContainsFunc(p.all("", "name", name), func(n *html.Node) bool {
		return n.Data == "textarea" || n.Data == "input" && !slices.Contains([]string{"checkbox", "hidden"}, attr(n, "type"))
	})
}

// saysWrong checks what says what is wrong on a page.
func (p *page) saysWrong(errors []string) {
	p.t.Helper()
	var have []string
	told := map[string]bool{}
	focused := ""
	for n := range p.doc.Descendants() {
		if id := attr(n, "id"); strings.HasSuffix(id, "-error") {
			have = append(have, id)
		}
		if attr(n, "aria-invalid") != "true" {
			continue
		}
		for _, id := range strings.Fields(attr(n, "aria-describedby")) {
			told[id] = true
		}
		if focused == "" && has(n, "autofocus") {
			focused = attr(n, "aria-describedby")
		}
	}
	if !slices.Equal(have, errors) {
		p.t.Errorf("%s says %q, want %q", p.path, have, errors)
	}
	for _, id := range errors {
		if !told[id] {
			p.t.Errorf("%s: %s describes no wrong field", p.path, id)
		}
	}
	if !strings.Contains(focused+" ", errors[0]+" ") {
		p.t.Errorf("%s: what is described by %q has the focus, want %q", p.path, focused, errors[0])
	}
}
