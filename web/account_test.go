package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"golang.org/x/net/html"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/web/webtest"
)

// A person is added, chooses a password by the link, sets a second factor up and
// signs in with it: by forms alone.
func TestPersonComesIn(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	admin := signedIn(t, s, "admin", "en")
	admin.post("/users", url.Values{"login": {"eve"}, "role": {"helpdesk"}, "everywhere": {"no"}}).want(http.StatusUnprocessableEntity).shows("Choose at least one site")
	admin.post("/users", url.Values{"login": {"eve"}, "role": {"helpdesk"}, "everywhere": {"yes"}, "site": {"site_1"}}).want(http.StatusUnprocessableEntity).shows("Every one is chosen, and some are ticked.")
	p := admin.post("/users", url.Values{"login": {"eve"}, "name": {"Eve"}, "role": {"helpdesk"}, "everywhere": {"yes"}}).want(http.StatusOK).shows("Give this link to Eve")
	link := must[*url.URL](t)(url.Parse(p.all("pre", "id", "link")[0].FirstChild.Data))
	v := visit(t, s, "en")
	v.get(link.RequestURI()).want(http.StatusOK).shows("Choose a password")
	form := v.get(link.RequestURI()).fields()
	if form.Get("username") != "eve" || form.Get("token") == "" {
		t.Errorf("a password manager is told %v", form)
	}
	form.Set("password", "short")
	v.post("/sign-in/password", form).want(http.StatusUnprocessableEntity).shows("at least 10 characters")
	form.Set("password", apitest.Password)
	if p := v.post("/sign-in/password", form).want(http.StatusOK); p.path != "/" {
		t.Errorf("the new password leads to %s", p.path)
	}

	p = v.post("/account/second-factor/begin", nil).want(http.StatusOK).shows("Scan this")
	if len(p.all("svg", "class", "qr")) != 1 {
		t.Error("there is no QR code")
	}
	secret := p.all("code", "id", "totp-secret")[0].FirstChild.Data
	v.post("/account/second-factor", url.Values{"current": {"wrong"}, "code": {"000000"}}).want(http.StatusUnprocessableEntity).shows("The current password is wrong")
	code := must[string](t)(totp.GenerateCode(secret, time.Now()))
	p = v.post("/account/second-factor", url.Values{"current": {apitest.Password}, "code": {code}}).want(http.StatusOK).shows("Recovery codes")
	codes := strings.Fields(p.all("pre", "id", "codes")[0].FirstChild.Data)

	other := visit(t, s, "en")
	p = other.post("/sign-in", url.Values{"login": {"eve"}, "password": {apitest.Password}, "next": {"/hosts"}}).want(http.StatusOK)
	if p.path != "/sign-in/code" {
		t.Fatalf("the password leads to %s", p.path)
	}
	if at := other.get("/hosts").path; !strings.HasPrefix(at, "/sign-in") {
		t.Errorf("the password alone leads to %s", at)
	}
	other.post("/sign-in/code", url.Values{"code": {code}}).want(http.StatusUnauthorized).shows("used before")
	if p = other.post("/sign-in/code", url.Values{"code": {codes[0]}}).want(http.StatusOK); p.path != "/hosts" {
		t.Errorf("the code leads to %s", p.path)
	}
	// Both places are listed; one ends the other.
	v.get("/account").want(http.StatusOK).shows("this one", "Sign out everywhere else", "9 recovery codes are left")
	p = v.get("/account")
	if asks := p.all("dialog", "id", "sessions-end"); len(asks) != 1 || !within(p.all("form", "action", "/account/sessions/end")[0], "dialog") {
		t.Error("nothing is asked before everybody else is signed out")
	}
	p.shows("One other browser is signed out at once.").check("en")
	if bare := p.all("noscript", "", ""); !slices.ContainsFunc(bare, func(n *html.Node) bool { return strings.Contains(n.FirstChild.Data, "/account/sessions/end") }) {
		t.Error("without a script nobody can be signed out")
	}
	u := must[api.List[api.User]](t)(s.ListUsers(t.Context(), s.Admin, api.UserFilter{Text: "eve"}, api.Page{})).Items[0]
	sessions := must[[]api.Session](t)(s.ListSessions(t.Context(), s.Admin, u.ID))
	for _, x := range sessions {
		act := "/account/sessions/" + x.ID + "/end"
		if asks := p.all("form", "action", act); len(asks) != 1 || !within(asks[0], "dialog") || len(p.all("button", "data-opens", "end-"+x.ID)) != 1 {
			t.Errorf("to end a session is asked %d times", len(asks))
		}
		if bare := p.all("noscript", "", ""); !slices.ContainsFunc(bare, func(n *html.Node) bool {
			return strings.Contains(n.FirstChild.Data, act) && strings.Contains(n.FirstChild.Data, "<summary>")
		}) {
			t.Error("without a script it is not asked")
		}
	}
	v.post("/account/sessions/end", nil).want(http.StatusOK)
	if at := other.get("/hosts").path; !strings.HasPrefix(at, "/sign-in") {
		t.Errorf("an ended session is at %s", at)
	}
	// An admin shuts her out at once.
	other.post("/sign-in", url.Values{"login": {"eve"}, "password": {"not hers at all"}}).want(http.StatusUnauthorized)
	admin.get("/audit?object_id=" + u.ID).want(http.StatusOK).shows("nobody signed in").lacks("anonymous")
	for _, act := range []string{"disable", "reset-second-factor"} { // not without the login typed
		p = admin.post("/users/"+u.ID+"/"+act, url.Values{"name": {"Eve"}}).want(http.StatusUnprocessableEntity).shows("Type eve to confirm.")
		p.check("en")
		if shut := p.all("input", "id", act+"-name"); len(shut) != 1 || attr(shut[0], "value") != "Eve" {
			t.Errorf("%s keeps nothing of what was typed", act)
		}
	}
	v.get("/account").want(http.StatusOK).shows("9 recovery codes are left")
	admin.post("/users/"+u.ID+"/disable", url.Values{"name": {"eve"}}).want(http.StatusOK).shows("signed out everywhere")
	if at := v.get("/account").path; !strings.HasPrefix(at, "/sign-in") {
		t.Errorf("a disabled person is at %s", at)
	}
}

// Whoever asks for a code without a password has nowhere to type one.
func TestCodeNeedsPassword(t *testing.T) {
	t.Parallel()
	v := visit(t, webtest.Start(t), "en")
	if p := v.get("/sign-in/code"); p.path != "/sign-in" {
		t.Errorf("the form of codes is at %s", p.path)
	}
	if p := v.post("/sign-in/code", url.Values{"code": {"000000"}}); p.path != "/sign-in" {
		t.Errorf("a code alone leads to %s", p.path)
	}
}

// What somebody else changed meanwhile is said, and what was typed is kept.
func TestStaleUser(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	v := signedIn(t, s, "admin", "en")
	u := must[api.User](t)(s.GetUser(t.Context(), s.Admin, s.Viewer.UserID))
	must[api.User](t)(s.UpdateUser(t.Context(), s.Admin, api.UpdateUserInput{ID: u.ID, Name: "other", Role: api.RoleViewer}))
	p := v.post("/users/"+u.ID, url.Values{"revision": {"1"}, "name": {`Typed "here"`}, "role": {"helpdesk"}, "everywhere": {"yes"}}).want(http.StatusPreconditionFailed)
	if p.value("name") != `Typed "here"` || p.value("role") != "helpdesk" {
		t.Errorf("the form has %q and %q", p.value("name"), p.value("role"))
	}
}
