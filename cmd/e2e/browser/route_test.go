package browser

import (
	"strings"
	"testing"

	"github.com/stickpress/stickpress/web/webtest"
)

// otherwise are the routes that no page of everyPage is of: they show no page, or
// another test visits it.
var otherwise = map[string]string{
	"GET /sign-in":                  "TestPages, before it signs in",
	"GET /sign-in/code":             "TestPages, before it signs in",
	"GET /sign-in/link":             "TestPages, before it signs in",
	"GET /sign-in/password":         "TestPages, before it signs in",
	"GET /sign-in/service":          "leads to the provider",
	"GET /sign-in/service/callback": "leads on",
	"GET /setup":                    "TestFirstRun",
	"GET /first-run/{step}":         "TestFirstRunPages",
	"GET /jobs/{id}/schedule":       "TestPressPages",
	"GET /api/docs":                 "TestAPIDocs",
	"GET /live":                     "a stream",
	"GET /jobs/{id}/live":           "a stream",
	"GET /jobs/where/live":          "a stream",
	"GET /first-run/host/live":      "a stream",
	"GET /jobs/new/names":           "a part of a page",
	"GET /audit/export":             "a file",
	"GET /certificates/{id}/file":   "a file",
	"GET /jobs/{id}/log":            "a file",
	"GET /sticks/export":            "a file",
	"GET /sticks/{id}/record":       "a file",
	"GET /static/*":                 "files",
	"GET /uploads":                  "for tus",
	"GET /uploads/*":                "for tus",
}

// Every route that shows a page is visited by TestPages, so that axe sees it.
func TestEveryRoute(t *testing.T) {
	t.Parallel()
	s := webtest.Play(t, webtest.Start(t))
	checked := s.Compare(t, s.Done)
	handOver(t, s)
	visited := map[string]bool{}
	for _, p := range everyPage(t, s, checked) {
		visited[s.RouteOf(p.path)] = true
	}
	routes, err := s.Routes()
	if err != nil {
		t.Fatal(err)
	}
	left := len(otherwise)
	for _, route := range routes {
		_, known := otherwise[route]
		if known {
			left--
		}
		if strings.HasPrefix(route, "GET ") && visited[route] == known {
			t.Errorf("%s: visited %t, excused %t", route, visited[route], known)
		}
	}
	if left > 0 {
		t.Errorf("%d routes are excused that are not there", left)
	}
}
