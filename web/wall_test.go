package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/webtest"
)

// Every route is tried by every role, and by nobody: whoever the table of
// permissions turns away is turned away here. A route without a decision fails.
func TestEveryWall(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	routes, err := scene.Routes()
	if err != nil || len(routes) < 60 {
		t.Fatalf("%d routes, %v", len(routes), err)
	}
	before := state(t, scene)
	visitors := map[api.Role]*visitor{api.RoleNone: visit(t, scene.Site, "en")}
	actors := map[api.Role]api.Actor{api.RoleViewer: scene.Viewer, api.RoleHelpdesk: scene.Helpdesk}
	for role := range actors {
		visitors[role] = signedIn(t, scene.Site, string(role), "en")
	}
	admin := signedIn(t, scene.Site, "admin", "en")
	for _, v := range visitors {
		v.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	for _, route := range routes {
		method, pattern, _ := strings.Cut(route, " ")
		if slices.Contains(webtest.Public, route) || pattern == "/static/*" {
			continue
		}
		if strings.HasPrefix(pattern, "/uploads") && !slices.Contains(tusRoutes, route) {
			continue // the upload handler knows no others
		}
		use, ok := webtest.Wall(route)
		if !ok {
			t.Errorf("%s has no decision: say in webtest.Walls which use case decides about it", route)
			continue
		}
		path := scene.Fill(pattern)
		if status, to := visitors[api.RoleNone].try(method, path); status != http.StatusUnauthorized && (status != http.StatusSeeOther || !strings.HasPrefix(to, "/sign-in")) {
			t.Errorf("nobody gets %d from %s %s", status, method, path)
		}
		for role, actor := range actors {
			if actor.Can(use) {
				continue // the pages' own tests
			}
			if status, _ := visitors[role].try(method, path); status != http.StatusForbidden {
				t.Errorf("a %s gets %d from %s %s, which takes %s", role, status, method, path, use)
			}
		}
		if method == http.MethodGet || method == http.MethodHead {
			continue
		}
		for _, h := range [][2]string{{"Origin", "https://example.org"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}} {
			if status, _ := admin.try(method, path, h[0], h[1]); status != http.StatusForbidden {
				t.Errorf("an admin's browser, sent by another site (%s), gets %d from %s %s", h, status, method, path)
			}
		}
	}
	if after := state(t, scene); after != before {
		t.Errorf("something was changed:\n%s\n%s", before, after)
	}
}

// tusRoutes are those of an upload (tus.io, version 1.0) that do something.
var tusRoutes = []string{"POST /uploads", "PATCH /uploads/*", "HEAD /uploads/*", "DELETE /uploads/*"}

// try sends a plausible request and returns the status, and the beginning of
// what was answered.
func (v *visitor) try(method, path string, headers ...string) (int, string) {
	v.t.Helper()
	form := url.Values{
		"revision": {"1"}, "name": {"x"}, "login": {"x"}, "role": {"admin"}, "everywhere": {"yes"}, "value": {"x"}, "list": {"x"}, "number": {"1"}, "reason": {"x"}, "seconds": {"5"},
		"device": {"{}"},
	}
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Tus-Resumable", "1.0.0")
	req.Header.Set("Upload-Length", "1")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Location")
}

// state is what an intruder would have changed: everything but sessions.
func state(t *testing.T, s *webtest.Scene) string {
	t.Helper()
	var out string
	err := s.Store.Pool().QueryRow(t.Context(), `SELECT
		(SELECT count(*) FROM audit WHERE action NOT IN ('sign_in', 'redeem_sign_in_link', 'create_sign_in_link')) || ' audit, ' ||
		(SELECT count(*) FROM job_events) || ' job events, ' || (SELECT count(*) FROM stick_events) || ' stick events, ' ||
		(SELECT string_agg(login || role || coalesce(disabled_at::text, ''), ',' ORDER BY login) FROM users)`).Scan(&out)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
