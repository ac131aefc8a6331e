package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/webtest"
)

// ofSites are the sections whose things belong to a site.
var ofSites = []string{"/jobs/{id}", "/hosts/{id}", "/sticks/{id}", "/certificates/{id}", "/sites/{id}", "/requests/{id}"}

// Who is limited to another site finds nothing by the IDs of this one: each page
// and each action says that there is no such thing, and does nothing.
func TestIDsOfAnotherSite(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	other := site(t, scene)
	visitors := map[string]*visitor{}
	for login, role := range map[string]api.Role{"far-helpdesk": api.RoleHelpdesk, "far-admin": api.RoleAdmin} {
		must[api.User](t)(scene.CreateUser(t.Context(), scene.Admin, api.CreateUserInput{Login: login, Name: login, Role: role, Sites: []string{other}}))
		visitors[login] = signedIn(t, scene.Site, login, "en")
		visitors[login].client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	before, tried := state(t, scene), 0
	for _, route := range must[[]string](t)(scene.Routes()) {
		method, pattern, _ := strings.Cut(route, " ")
		if !slices.ContainsFunc(ofSites, func(s string) bool { return pattern == s || strings.HasPrefix(pattern, s+"/") }) {
			continue
		}
		use, _ := webtest.Wall(route)
		for login, v := range visitors {
			status, to := v.try(method, scene.Fill(pattern))
			tried++
			if status != http.StatusNotFound && status != http.StatusForbidden {
				t.Errorf("%s gets %d (to %q) from %s, which takes %s", login, status, to, route, use)
			}
			if status == http.StatusForbidden && method == http.MethodGet {
				t.Errorf("%s is told by %s that there is such a thing", login, route)
			}
		}
	}
	if tried < 60 {
		t.Errorf("only %d requests were tried", tried)
	}
	if after := state(t, scene); after != before {
		t.Errorf("something was changed:\n%s\n%s", before, after)
	}
	for _, v := range visitors {
		for _, path := range []string{"/", "/jobs", "/hosts", "/sticks", "/requests", "/search?q=bench", "/jobs?host=" + scene.Host.ID, "/sticks?q=INC-1041"} {
			v.get(path).want(http.StatusOK).lacks("bench-1", "INC-1043", "Grace Hopper")
		}
	}
}
