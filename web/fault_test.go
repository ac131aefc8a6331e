package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/web/webtest"
)

// A page that could not be made says what happened, under which ID, and where
// to go on.
func TestFaultPages(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	for _, c := range []struct {
		login, path string
		status      int
		shows, to   string
	}{
		{"viewer", "/nothing/here", http.StatusNotFound, "There is nothing here", "/search"},
		{"viewer", "/jobs/job_01jd6y9k3te0mv8b0g2z5q4w7x", http.StatusNotFound, "There is nothing here", "/"},
		{"helpdesk", "/ui", http.StatusForbidden, "You are signed in as helpdesk", "/"},
		{"viewer", "/jobs/new", http.StatusForbidden, "This is not for your role", "/"},
	} {
		p := signedIn(t, s, c.login, "en").get(c.path).want(c.status).shows(c.shows, "Request ID", "req_")
		if !strings.Contains(p.body, `href="`+c.to+`"`) {
			t.Errorf("%s does not lead to %s", c.path, c.to)
		}
	}
	visit(t, s, "en").get("/nothing/here").want(http.StatusNotFound).shows("There is nothing here", "req_", "Sign in")
	visit(t, s, "zh-CN").get("/nothing/here").want(http.StatusNotFound).shows("这里什么都没有")
	signedIn(t, s, "admin", "zh-CN").get("/ui").want(http.StatusOK).shows("界面组件")
}

// Shortcuts of single letters can be switched off (WCAG 2.1.4).
func TestShortcutsOff(t *testing.T) {
	t.Parallel()
	v := signedIn(t, webtest.Start(t), "helpdesk", "en")
	on := func(p *page) bool { return has(p.all("body", "", "")[0], "data-keys") }
	if !on(v.get("/").want(http.StatusOK)) {
		t.Error("shortcuts are off at first")
	}
	v.post("/preferences", map[string][]string{"keys": {"off"}, "back": {"/shortcuts"}}).want(http.StatusOK).shows("Single letters are switched off")
	if on(v.get("/").want(http.StatusOK)) {
		t.Error("shortcuts cannot be switched off")
	}
	v.post("/preferences", map[string][]string{"keys": {""}, "back": {"/shortcuts"}}).want(http.StatusOK)
	if !on(v.get("/").want(http.StatusOK)) {
		t.Error("shortcuts cannot be switched on again")
	}
}
