package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/oidc"
	"github.com/stickpress/stickpress/api/oidc/oidctest"
	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/web"
	"github.com/stickpress/stickpress/web/webtest"
)

// service boots the pages beside a real provider.
func service(t *testing.T, roles string, people ...oidctest.Person) (*webtest.Site, *oidctest.Provider) {
	t.Helper()
	grants, err := api.ParseGrants(roles)
	if err != nil {
		t.Fatal(err)
	}
	var p *oidctest.Provider
	s := webtest.Start(t, func(url string, d *api.Deps) {
		p = oidctest.Start(t, url, web.ServicePath, people...)
		d.Service = &api.SignInService{Provider: oidc.New(p.Config()), Name: "Example ID", Grants: grants}
	})
	return s, p
}

var ada1 = oidctest.Person{ID: "id-ada", Login: "ada.l", Password: "at the provider", Name: "Ada Lovelace", Groups: []string{"desk", "all"}}

// through signs in at the provider's own form, which is at hand, and follows
// the way back.
func (v *visitor) through(form *page, login, password string) *page {
	v.t.Helper()
	at, err := url.Parse(form.action())
	if err != nil {
		v.t.Fatal(err)
	}
	values := url.Values{"username": {login}, "password": {password}, "id": {form.value("id")}}
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, form.base.ResolveReference(at).String(), strings.NewReader(values.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept-Language", v.locale)
	return v.send(req)
}

func (p *page) action() string { return attr(p.all("form", "", "")[0], "action") }

func TestSignInService(t *testing.T) {
	t.Parallel()
	s, p := service(t, "desk=helpdesk@Default; chiefs=admin; all=viewer", ada1)
	v := visit(t, s, "en")
	form := v.get("/sign-in?next=/hosts%3Fafter%3Dx").want(http.StatusOK)
	var to string
	for _, a := range form.all("a", "", "") {
		if strings.HasPrefix(attr(a, "href"), "/sign-in/service") {
			to = attr(a, "href")
		}
	}
	form.shows("Sign in with Example ID")
	before := v.session()
	there := v.get(to).want(http.StatusOK)
	if !strings.HasPrefix(there.base.String(), p.Issuer) {
		t.Fatalf("the button leads to %s", there.base)
	}
	back := v.through(there, "ada.l", "at the provider").want(http.StatusOK)
	if back.path != "/hosts?after=x" {
		t.Errorf("the way back leads to %s", back.path)
	}
	if after := v.session(); after == "" || after == before {
		t.Error("signing in kept the session's token")
	}
	users := must[api.List[api.User]](t)(s.ListUsers(t.Context(), s.Admin, api.UserFilter{Text: "ada"}, api.Page{}))
	if len(users.Items) != 1 {
		t.Fatalf("users %+v", users.Items)
	}
	u := users.Items[0]
	if u.Login != "ada.l" || u.Name != "Ada Lovelace" || u.Origin != "oidc" || u.Role != api.RoleHelpdesk || !slices.Equal(u.Sites, []string{store.DefaultSite.String()}) {
		t.Errorf("user %+v", u)
	}
	// What the provider decides is not decided here, nor is there a password.
	v.get("/account").want(http.StatusOK).lacks("Current password", "Second factor")
	signedIn(t, s, "admin", "en").get("/users/" + u.ID).want(http.StatusOK).shows("the sign-in service").lacks("Link for a new password")

	// The way out leads on to the provider's.
	out := v.post("/sign-out", nil).want(http.StatusOK).shows("You are signed out", "Sign out of Example ID too")
	if v.get("/hosts").path == "/hosts" {
		t.Error("still signed in")
	}
	var end string
	for _, a := range out.all("a", "", "") {
		if strings.HasPrefix(attr(a, "href"), p.Issuer) {
			end = attr(a, "href")
		}
	}
	if q, err := url.Parse(end); err != nil || q.Query().Get("post_logout_redirect_uri") != s.URL+"/sign-in" || q.Query().Get("client_id") == "" {
		t.Errorf("the provider's way out is %q", end)
	}

	// Groups are read anew at each sign-in; who is in none is out.
	p.SetPeople(t, with(ada1, "chiefs", "desk"))
	v = visit(t, s, "en")
	v.through(v.get("/sign-in/service"), "ada.l", "at the provider").want(http.StatusOK)
	if u := must[api.User](t)(s.GetUser(t.Context(), s.Admin, u.ID)); u.Role != api.RoleAdmin || len(u.Sites) != 0 {
		t.Errorf("promoted to %+v", u)
	}
	v.get("/users").want(http.StatusOK)
	p.SetPeople(t, with(ada1))
	other := visit(t, s, "en")
	other.through(other.get("/sign-in/service"), "ada.l", "at the provider").want(http.StatusForbidden).shows("none of your groups")
	if at := v.get("/hosts").path; !strings.HasPrefix(at, "/sign-in") {
		t.Errorf("a session of somebody without a role is at %s", at)
	}
}

func with(p oidctest.Person, groups ...string) oidctest.Person {
	p.Groups = groups
	return p
}

// Nobody gets in with an answer that is not to their own question.
func TestSignInServiceAttacks(t *testing.T) {
	t.Parallel()
	mallory := oidctest.Person{ID: "id-m", Login: "admin", Password: "at the provider", Name: "Mallory", Groups: []string{"all"}}
	s, _ := service(t, "all=viewer", ada1, mallory)
	// An answer that was caught: with its code, in a browser that asked nothing.
	v := visit(t, s, "en")
	v.client.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(req.URL.Path, web.ServicePath) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	caught := v.through(v.get("/sign-in/service"), "ada.l", "at the provider").want(http.StatusFound).header.Get("Location")
	answer, err := url.Parse(caught)
	if err != nil || answer.Query().Get("code") == "" {
		t.Fatalf("the answer is %q", caught)
	}
	victim := visit(t, s, "en")
	victim.get(answer.RequestURI()).want(http.StatusUnauthorized).shows("was not begun in this browser")
	victim.get("/sign-in/service").want(http.StatusOK) // has a question of its own now
	victim.get(answer.RequestURI()).want(http.StatusUnauthorized).shows("was not begun in this browser")
	if at := victim.get("/hosts").path; !strings.HasPrefix(at, "/sign-in") {
		t.Errorf("the victim is at %s", at)
	}
	// The right browser, with a state of somebody else's.
	q := answer.Query()
	q.Set("state", "guessed")
	v.get(web.ServicePath + "?" + q.Encode()).want(http.StatusUnauthorized)
	// The question was used up by that.
	v.get(answer.RequestURI()).want(http.StatusUnauthorized)

	// What an error says is not shown, but for its code.
	v.get("/sign-in/service")
	v.get(web.ServicePath + "?error=access_denied&error_description=%3Cb%3Ecall+1234%3C/b%3E").want(http.StatusUnauthorized).lacks("1234")

	// The login of somebody here does not make one that person.
	m := visit(t, s, "en")
	m.through(m.get("/sign-in/service"), "admin", "at the provider").want(http.StatusConflict).shows("Somebody else has the login admin")

	// The provider's people have no password here.
	must[api.SignInLink](t)(s.CreateSignInLink(t.Context(), s.System, api.SignInLinkInput{Login: "admin"}))
	_, err = s.SignIn(t.Context(), api.Anonymous("en", "", "192.0.2.1"), api.SignInInput{Login: "ada.l", Password: apitest.Password})
	if err == nil {
		t.Error("a password let somebody of the provider in")
	}
}

// Without its provider the console starts, and says what is the matter.
func TestSignInServiceIsAway(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t, func(_ string, d *api.Deps) {
		d.Service = &api.SignInService{Provider: oidc.New(oidc.Config{Issuer: "http://127.0.0.1:1", ClientID: "x"}), Name: "Gone"}
	})
	v := visit(t, s, "en")
	v.get("/sign-in").want(http.StatusOK).shows("Sign in with Gone")
	v.get("/sign-in/service").want(http.StatusServiceUnavailable).shows("does not answer")
	if p := visit(t, webtest.Start(t), "en").get("/sign-in/service"); p.status != http.StatusNotFound {
		t.Errorf("a console without a provider says %d", p.status)
	}
}
