package web_test

import (
	"net/http"
	"net/url"
	"slices"
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
	viewer.get("/tokens/" + theirs.ID).want(http.StatusNotFound)
	viewer.post("/tokens/"+theirs.ID+"/revoke", url.Values{"name": {evil}}).want(http.StatusNotFound)
	viewer.get("/tokens/"+mine.ID).want(http.StatusOK).shows("shelf", "does not expire", "Token made", "Revoke this token").check("en")
	viewer.post("/tokens/"+mine.ID+"/revoke", url.Values{"name": {"shelf"}}).want(http.StatusOK).shows("The token is revoked.", "Token revoked").lacks("Revoke this token")
	admin.get("/tokens/"+theirs.ID).want(http.StatusOK).shows(evil, "helpdesk").check("en")
	admin.post("/tokens/"+theirs.ID+"/revoke", url.Values{"name": {evil}}).want(http.StatusOK)
	admin.get("/tokens?state=revoked").shows(evil, "shelf").lacks("gone")
	viewer.post("/tokens/"+gone.ID+"/revoke", url.Values{"name": {"gone"}}).want(http.StatusOK)
}

// A token is made for what is ticked; what was typed stays when it is refused.
func TestTokenScopes(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	admin := signedIn(t, s, "admin", "en")
	form := url.Values{"name": {"ci"}, "role": {"admin"}, "days": {"soon"}, "scope": {"images:write", "sticks:write"}}
	ticked := func(p *page) []string {
		var on []string
		for _, n := range p.all("input", "name", "scope") {
			if has(n, "checked") {
				on = append(on, attr(n, "value"))
			}
		}
		return on
	}
	p := admin.post("/account/tokens", form).want(http.StatusUnprocessableEntity).shows("A token lives for a whole number of days")
	if on := ticked(p); !slices.Equal(on, []string{"sticks:write", "images:write"}) || attr(p.all("input", "name", "name")[0], "value") != "ci" {
		t.Errorf("the form has %v ticked: %s", on, p.body)
	}
	form.Set("days", "90")
	p = admin.post("/account/tokens", form).want(http.StatusOK).shows("It is shown only now", "images:write")
	if on := ticked(p); len(on) != 0 {
		t.Errorf("the next one has %v ticked", on)
	}
	list, err := s.ListTokens(t.Context(), s.Admin, api.TokenFilter{Search: "ci"}, api.Page{})
	if err != nil || len(list.Items) != 1 || !slices.Equal(list.Items[0].Scopes, []api.TokenScope{api.TokenSticks, api.TokenImages}) {
		t.Errorf("there are %+v, %v", list.Items, err)
	}
	form.Set("scope", "everything")
	admin.post("/account/tokens", form).want(http.StatusUnprocessableEntity).shows("There is no scope “everything”")
	signedIn(t, s, "admin", "zh-CN").get("/tokens").shows("权限范围", "images:write")
}
