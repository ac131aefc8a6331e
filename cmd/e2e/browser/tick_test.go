package browser

import (
	"fmt"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/webtest"
)

// Who ticks one of several means these and not every one; who then chooses every
// one means all.
func TestTickingMeansThese(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	for _, name := range []string{"Berlin", "Lagos"} {
		if _, err := s.SaveSite(t.Context(), s.Admin, api.SaveSiteInput{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	b := open(t, s.URL, "en")
	b.visit(s.Link(t, "admin"))
	b.press("main form .btn-primary")
	b.at("/")
	for _, set := range []struct{ page, every, box string }{
		{"/users/new", "everywhere", "site"},
		{"/webhooks/new", "everywhere", "site"},
		{"/webhooks/new", "every", "type"},
	} {
		b.visit(set.page)
		chosen := func(value string, ticked int) {
			t.Helper()
			now := eval[string](b, fmt.Sprintf(`document.querySelector("input[name=%s]:checked").value + " " + document.querySelectorAll("input[name=%s]:checked").length`, set.every, set.box))
			if want := fmt.Sprint(value, " ", ticked); now != want {
				t.Errorf("%s: of %s is chosen %q, want %q", set.page, set.box, now, want)
			}
		}
		box := fmt.Sprintf("input[name=%s]", set.box)
		chosen("yes", 0)
		b.press(box)
		chosen("no", 1)
		b.press(fmt.Sprintf("input[name=%s][value=yes]", set.every))
		chosen("yes", 0)
		b.press(box)
		b.press(box) // ticked and taken back: of these, none
		chosen("no", 0)
	}
}
