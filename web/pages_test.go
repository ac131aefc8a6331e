package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/webtest"
)

// Every page that can be reached by links is made for every role in both
// languages; check_test.go looks at each of them.
func TestEveryPage(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	for _, role := range api.Roles {
		for _, locale := range []string{"en", "zh-CN"} {
			t.Run(string(role)+"/"+locale, func(t *testing.T) {
				t.Parallel()
				v := signedIn(t, scene.Site, string(role), locale)
				seen := []string{"/", "/jobs/" + scene.Failed.ID}
				for i := 0; i < len(seen); i++ {
					p := v.get(seen[i]).want(http.StatusOK)
					if p.doc == nil { // a file
						continue
					}
					for _, to := range p.links() {
						to, _, _ = strings.Cut(to, "#")
						if !slices.Contains(seen, to) {
							seen = append(seen, to)
						}
					}
				}
				for _, part := range []string{
					"/images/win", "/versions/", "/hosts/host_", "/sticks/stick_", "/certificates/cert_", "/templates/", "/task-sequences/", "/jobs/job_",
				} {
					if !slices.ContainsFunc(seen, func(path string) bool { return strings.HasPrefix(path, part) }) {
						t.Errorf("no link leads to a page like %s", part)
					}
				}
				t.Logf("%d pages", len(seen))
			})
		}
	}
}

// A job that failed leads to the form of a new one, for the sticks that are
// not verified.
func TestPressAgain(t *testing.T) {
	t.Parallel()
	scene := webtest.Play(t, webtest.Start(t))
	v := signedIn(t, scene.Site, "helpdesk", "en")
	p := v.get("/jobs/"+scene.Failed.ID).want(http.StatusOK).shows("2 sticks for Alan Turing", "1 of 2 sticks are verified", "Stopped in the step “Verify”")
	form := v.get(attr(p.all("a", "id", "job-again")[0], "href")).want(http.StatusOK).fields()
	want := []string{picked(t, protocol.Device{Identity: scene.Failed.Builds[1].Identity})}
	if !slices.Equal(form["device"], want) || form.Get("holder") != "Alan Turing" || form.Get("version") != scene.Version.ID+"@stable" {
		t.Errorf("the new job is %v", form)
	}
	v.get("/jobs/" + scene.Done.ID).want(http.StatusOK).shows("2 of 2 sticks are verified. Pull them out and hand them to Grace Hopper.").lacks("Press again")
	signedIn(t, scene.Site, "viewer", "en").get("/jobs/" + scene.Failed.ID).want(http.StatusOK).lacks("Press again")
}

// A console on which nothing was pressed yet says what comes next, and which
// of it is done.
func TestNextSteps(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	v := signedIn(t, s, "admin", "en")
	done := func() int {
		return len(v.get("/").want(http.StatusOK).shows("What comes next").all("li", "class", "next-done"))
	}
	if n := done(); n != 0 {
		t.Errorf("%d steps are done on a new console", n)
	}
	s.Enroll(t, "bench")
	if n := done(); n != 1 {
		t.Errorf("%d steps are done with a host", n)
	}
	s.Publish(t, "win11-ent", "1.0.0")
	if n := done(); n != 2 {
		t.Errorf("%d steps are done with a host and an image", n)
	}
	signedIn(t, s, "helpdesk", "en").get("/").shows("An admin does this.")
}
