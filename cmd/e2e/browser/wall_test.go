package browser

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/stickpress/stickpress/web/webtest"
)

// TestRoleWalls has a helpdesk user's browser try every page and action that
// takes more.
func TestRoleWalls(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	routes, err := scene.Routes()
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, scene.URL, "en")
	b.visit(scene.Link(t, "helpdesk"))
	b.press("main form .btn-primary")
	b.at("/")
	tried := 0
	for _, route := range routes {
		method, pattern, _ := strings.Cut(route, " ")
		use, ok := webtest.Wall(route)
		if !ok || slices.Contains(webtest.Public, route) || scene.Helpdesk.Can(use) || strings.HasPrefix(pattern, "/uploads") {
			continue
		}
		tried++
		path := scene.Fill(pattern)
		switch method {
		case http.MethodGet:
			b.visit(path)
			b.shows("Your role does not allow this")
		case http.MethodPost:
			status, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](fmt.Sprintf(
				`fetch(%q, {method: "POST", body: new URLSearchParams({revision: "1", name: "x"}), redirect: "manual"}).then((r) => r.status)`, path,
			), chromedp.EvalAwaitPromise))
			if err != nil || status != http.StatusForbidden {
				t.Errorf("POST %s answers %d, %v", path, status, err)
			}
		}
		b.expect("403")
	}
	if tried < 30 {
		t.Errorf("only %d routes take more than a helpdesk user has", tried)
	}
	for _, link := range []string{"/users", "/audit", "/settings"} {
		b.visit("/")
		if eval[bool](b, fmt.Sprintf(`!!document.querySelector('a[href=%q]')`, link)) {
			t.Errorf("a helpdesk user is led to %s", link)
		}
	}
	b.expect("403") // of the last one, which may come late
}
