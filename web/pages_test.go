package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

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
					for _, to := range p.links() {
						to, _, _ = strings.Cut(to, "#")
						if !slices.Contains(seen, to) {
							seen = append(seen, to)
						}
					}
				}
				for _, part := range []string{
					"/images/win", "/versions/", "/hosts/host_", "/sticks/stick_", "/templates/", "/task-sequences/", "/jobs/job_",
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
