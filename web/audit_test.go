package web_test

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/webhook/connector"
	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/web/locale"
	"github.com/stickpress/stickpress/web/webtest"
)

func TestAudit(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	const formula = `=HYPERLINK("http://x","y")`
	u := must[api.User](t)(s.CreateUser(t.Context(), s.Admin, api.CreateUserInput{Login: "eve", Name: formula, Role: api.RoleViewer}))
	must[api.NewToken](t)(s.CreateToken(t.Context(), s.Admin, api.CreateTokenInput{Name: "-2+3", Role: api.RoleViewer}))
	must[api.User](t)(s.UpdateUser(t.Context(), s.Admin, api.UpdateUserInput{ID: u.ID, Name: "Eve <b>", Role: api.RoleHelpdesk}))
	v := signedIn(t, s, "admin", "en")

	// Before and after, value by value.
	p := v.get("/audit?action=update_user").want(http.StatusOK).shows("Person changed", "before: viewer", "after: helpdesk", "Eve <b>")
	if rows := p.all("tr", "", ""); len(rows) != 2 {
		t.Errorf("%d rows", len(rows)-1)
	}
	v.get("/users/"+u.ID).want(http.StatusOK).shows("In the audit log", "Last changes", "Role", "helpdesk")
	v.get("/audit?"+url.Values{"object_kind": {"user"}, "object_id": {u.ID}}.Encode()).want(http.StatusOK).shows("Person added", "Person changed").lacks("-2+3")
	v.get("/audit?actor=" + s.Admin.UserID + "&from=2020-01-01&until=2099-12-31").want(http.StatusOK).shows("-2+3")
	v.get("/audit?actor=ADMIN&from=2020-01-01T00:00:00Z").want(http.StatusOK).shows("-2+3")
	v.get("/audit?until=2020-01-01").want(http.StatusOK).shows("Nothing fits these filters.")
	v.get("/audit?from=yesterday").want(http.StatusOK).shows("From day (UTC): yesterday", "“yesterday” is no moment", "-2+3")
	v.get("/audit?actor=bob").want(http.StatusOK).shows("“bob” names nobody")

	// As files; no cell is a formula.
	file := v.get("/audit/export?format=csv&actor=" + s.Admin.UserID).want(http.StatusOK)
	rows := must[[][]string](t)(csv.NewReader(strings.NewReader(file.body)).ReadAll())
	if len(rows) < 4 || rows[0][0] != "id" || !strings.Contains(file.header.Get("Content-Disposition"), "attachment") {
		t.Fatalf("%d rows: %v", len(rows), rows)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				t.Errorf("the cell %q is a formula", cell)
			}
		}
	}
	file = v.get("/audit/export?format=json&object_kind=user&object_id=" + u.ID).want(http.StatusOK)
	var entries []api.AuditEntry
	if err := json.Unmarshal([]byte(file.body), &entries); err != nil || len(entries) != 2 || !strings.Contains(string(entries[1].After), "HYPERLINK") {
		t.Errorf("%v: %s", err, file.body)
	}
	v.get("/audit/export?format=pdf").want(http.StatusUnprocessableEntity)
	v.get("/audit/export?format=csv&actor=bob").want(http.StatusUnprocessableEntity).shows("“bob” names nobody")
	v.get("/audit/export?format=csv&object=1").want(http.StatusUnprocessableEntity).shows("cannot be narrowed by")
	v.get("/audit?action=export_audit").want(http.StatusOK).shows("Audit log exported")
}

// Lines of the log, and of a host's history, call things by their names, which
// lead there where the reader may see them; what is gone keeps its ID.
func TestAuditNames(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	site := must[api.Site](t)(s.SaveSite(t.Context(), s.Admin, api.SaveSiteInput{Name: "Oslo"}))
	h := s.Enroll(t, "bench-1")
	must[api.Host](t)(s.UpdateHost(t.Context(), s.Admin, api.UpdateHostInput{ID: h.ID, Name: "bench-1", SiteID: site.ID}))
	u := must[api.User](t)(s.CreateUser(t.Context(), s.Admin, api.CreateUserInput{
		Login: "eve", Name: "Eve", Role: api.RoleViewer, Sites: []string{site.ID, store.DefaultSite.String()},
	}))
	must[api.NewConnector](t)(s.SaveConnector(t.Context(), s.Admin, api.SaveConnectorInput{Name: "zammad", Title: "Help desk", System: connector.Zammad}))
	w := must[api.NewWebhook](t)(s.CreateWebhook(t.Context(), s.Admin, api.SaveWebhookInput{URL: "https://example.com/gone", Types: []string{}}))
	if err := s.DeleteWebhook(t.Context(), s.Admin, w.ID, w.Revision); err != nil {
		t.Fatal(err)
	}
	v := signedIn(t, s, "admin", "en")
	named := func(p *page, path, name string) {
		t.Helper()
		id := path[strings.LastIndexByte(path, '/')+1:]
		for _, a := range p.all("a", "href", path) {
			if a.FirstChild != nil && a.FirstChild.Data == name && attr(a, "title") == id {
				return
			}
		}
		t.Errorf("no link says %q and leads to %s:\n%s", name, path, p.text())
	}
	log := v.get("/audit").want(http.StatusOK).shows("Help desk", u.ID)
	named(log, "/hosts/"+h.ID, "bench-1")
	named(log, "/users/"+u.ID, "eve")
	named(log, "/sites/"+site.ID, "Oslo")
	named(log, "/sites/"+store.DefaultSite.String(), must[api.Site](t)(s.GetSite(t.Context(), s.Admin, "")).Name) // one of two
	log.shows(w.ID)
	if links := log.all("a", "href", "/webhooks/"+w.ID); len(links) > 0 {
		t.Error("what is gone is linked")
	}
	v.get("/audit?object_kind=user&object_id=" + u.ID).want(http.StatusOK).shows("Thing's ID eve")
	named(v.get("/hosts/"+h.ID).want(http.StatusOK).shows("Last changes"), "/sites/"+site.ID, "Oslo")

	// Who is limited to a site is not told what another is called.
	in := s.Admin
	in.Sites = []string{site.ID}
	l := must[api.List[api.HistoryEntry]](t)(s.ListHistory(t.Context(), in, "host", h.ID, api.Page{}))
	for _, e := range l.Items {
		if _, ok := e.Names[store.DefaultSite.String()]; ok || e.Action == string(api.UseUpdateHost) && e.Names[site.ID] != "Oslo" {
			t.Errorf("names %v", e.Names)
		}
	}
}

func TestInert(t *testing.T) {
	t.Parallel()
	got := api.Inert("=1+1", "＝1+1", "＋1", "－1", "＠x", "a=1", "")
	if want := []string{"'=1+1", "'＝1+1", "'＋1", "'－1", "'＠x", "a=1", ""}; !slices.Equal(got, want) {
		t.Errorf("cells %q", got)
	}
}

// Pages of the log lead on and back.
func TestAuditPages(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	if _, err := s.Store.Pool().Exec(t.Context(), `INSERT INTO audit (id, actor_kind, request_id, address, action, object_kind, object_id, at)
		SELECT (lpad(to_hex(n), 8, '0') || '-0000-7000-8000-000000000000')::uuid, 'system', '', '', 'backup', 'console', 'number ' || n, now()
		FROM generate_series(1, 101) AS n`); err != nil {
		t.Fatal(err)
	}
	v := signedIn(t, s, "admin", "en")
	rel := func(p *page, name string) string {
		t.Helper()
		links := p.all("a", "rel", name)
		if len(links) != 1 {
			t.Fatalf("%d links lead to %s", len(links), name)
		}
		return attr(links[0], "href")
	}
	first := v.get("/audit?action=backup").want(http.StatusOK).shows("number 101", "number 52").lacks("number 51")
	second := v.get(rel(first, "next")).want(http.StatusOK).shows("number 51", "number 2").lacks("number 52", "number 101")
	third := v.get(rel(second, "next")).want(http.StatusOK).shows("number 1").lacks("number 2")
	v.get(rel(v.get(rel(third, "prev")).want(http.StatusOK).shows("number 51", "number 2"), "prev")).want(http.StatusOK).shows("number 101")
}

// Everything that the log says was done is said in words.
func TestActionsHaveWords(t *testing.T) {
	t.Parallel()
	for _, l := range locale.All() {
		for _, action := range api.AuditActions() {
			if !l.Has("action." + action) {
				t.Errorf("%s: action.%s has no words", l, action)
			}
		}
	}
}

// More entries than a page has are all in the file, once.
func TestAuditExportIsWhole(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	if _, err := s.Store.Pool().Exec(t.Context(), `INSERT INTO audit (id, actor_kind, request_id, address, action, object_kind, object_id, at)
		SELECT (lpad(to_hex(n), 8, '0') || '-0000-7000-8000-000000000000')::uuid, 'system', '', '', 'backup', 'x', n::text, now()
		FROM generate_series(1, 450) AS n`); err != nil {
		t.Fatal(err)
	}
	v := signedIn(t, s, "admin", "en")
	var entries []api.AuditEntry
	if err := json.Unmarshal([]byte(v.get("/audit/export?format=json&action=backup").want(http.StatusOK).body), &entries); err != nil || len(entries) != 450 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	seen := map[string]bool{}
	for _, e := range entries {
		seen[e.ObjectID] = true
	}
	if len(seen) != 450 {
		t.Errorf("%d of 450", len(seen))
	}
}
