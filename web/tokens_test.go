package web_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/webtest"
)

// Admins see everybody's tokens and may revoke them; others their own.
func TestTokenList(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	evil := `<b>"ci"</b> &`
	made := func(a api.Actor, name string, ttl time.Duration) api.NewToken {
		x, err := s.CreateToken(t.Context(), a, api.CreateTokenInput{Name: name, Role: api.RoleViewer, TTL: ttl})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	theirs := made(s.Helpdesk, evil, 24*time.Hour)
	mine := made(s.Viewer, "shelf", 0)
	gone := made(s.Viewer, "gone", time.Nanosecond)
	admin, viewer := signedIn(t, s, "admin", "en"), signedIn(t, s, "viewer", "en")
	admin.get("/tokens").want(http.StatusOK).shows(evil, "shelf", "gone", "helpdesk", "expired", "does not expire")
	admin.get("/tokens?owner=helpdesk").shows(evil).lacks("shelf")
	admin.get("/tokens?state=expired").shows("gone").lacks("shelf")
	admin.get("/tokens?q=%22CI").shows(evil).lacks("shelf")
	admin.get("/tokens?owner=nobody").shows("The filter “Owner: nobody” was left out.")
	viewer.get("/tokens").want(http.StatusOK).shows("shelf", "gone").lacks(evil)
	viewer.get("/tokens?owner=helpdesk").lacks(evil)
	viewer.post("/tokens/"+theirs.ID+"/revoke", url.Values{}).want(http.StatusNotFound)
	viewer.post("/tokens/"+mine.ID+"/revoke", url.Values{}).want(http.StatusOK).shows("The token is revoked.", "revoked")
	admin.post("/tokens/"+theirs.ID+"/revoke", url.Values{}).want(http.StatusOK)
	admin.get("/tokens?state=revoked").shows(evil, "shelf").lacks("gone")
	viewer.post("/tokens/"+gone.ID+"/revoke", url.Values{}).want(http.StatusOK)
}
