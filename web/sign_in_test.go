package web_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/web/webtest"
)

// ada is a person with a password.
func ada(t *testing.T, s *webtest.Site, role api.Role) {
	t.Helper()
	_, err := s.CreateUser(t.Context(), s.System, api.CreateUserInput{Login: "ada", Name: "Ada", Role: role, Password: apitest.Password})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	ada(t, s, api.RoleViewer)
	v := visit(t, s, "en")
	p := v.get("/hosts?after=x").want(http.StatusOK)
	if p.path != "/sign-in?next=%2Fhosts%3Fafter%3Dx" {
		t.Errorf("a stranger is led to %s", p.path)
	}
	p = v.post("/sign-in", url.Values{"login": {"ada"}, "password": {"wrong"}, "next": {"/hosts"}}).want(http.StatusUnauthorized)
	p.shows("Login or password is wrong.")
	if p.value("login") != "ada" || p.value("password") != "" || p.value("next") != "/hosts" {
		t.Error("the form forgot the login or the way, or kept the password")
	}
	before := v.session()
	p = v.post("/sign-in", url.Values{"login": {"ada"}, "password": {apitest.Password}, "next": {"/hosts"}}).want(http.StatusOK)
	if p.path != "/hosts" {
		t.Errorf("after signing in the page is %s", p.path)
	}
	if after := v.session(); after == "" || after == before {
		t.Error("signing in kept the session's token")
	}
	old := v.session()
	v.post("/sign-out", nil).want(http.StatusOK)
	if p := v.get("/hosts"); !strings.HasPrefix(p.path, "/sign-in") {
		t.Errorf("after signing out the page is %s", p.path)
	}
	v.setSession(old)
	if p := v.get("/hosts"); !strings.HasPrefix(p.path, "/sign-in") {
		t.Error("the token of a session that was left still works")
	}
}

// Wherever the form says to go afterwards, it stays on this console.
func TestSignInStaysHere(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	ada(t, s, api.RoleViewer)
	for _, next := range []string{
		"https://example.org/", "//example.org/", `/\example.org/`, "/\t/example.org/", `\\example.org`, "javascript:alert(1)", "hosts", "",
	} {
		v := visit(t, s, "en")
		v.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		p := v.post("/sign-in", url.Values{"login": {"ada"}, "password": {apitest.Password}, "next": {next}}).want(http.StatusSeeOther)
		if to := p.header.Get("Location"); to != "/" {
			t.Errorf("next=%q leads to %q", next, to)
		}
	}
}

func TestSignInLinkWorksOnce(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	link, err := url.Parse(s.Link(t, "helpdesk"))
	if err != nil {
		t.Fatal(err)
	}
	first, second := visit(t, s, "en"), visit(t, s, "en")
	for range 2 { // a mail scanner looks at it
		second.get(link.RequestURI()).want(http.StatusOK).shows("Continue to the console")
	}
	if p := first.post("/sign-in/link", link.Query()).want(http.StatusOK); p.path != "/" {
		t.Errorf("the link leads to %s", p.path)
	}
	second.post("/sign-in/link", link.Query()).want(http.StatusUnauthorized).shows("may have been used")
}

func TestSetup(t *testing.T) {
	t.Parallel()
	s := webtest.Bare(t)
	v := visit(t, s, "en")
	p := v.get("/").want(http.StatusOK)
	if p.path != "/setup" {
		t.Errorf("a fresh console leads to %s", p.path)
	}
	p.shows("the link that the server printed")
	token, _, err := s.SetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"token": {token}, "login": {"ada"}, "name": {"Ada <Lovelace>"}, "password": {"short"}}
	p = v.post("/setup", form).want(http.StatusUnprocessableEntity)
	p.shows("at least 10 characters")
	if p.value("login") != "ada" || p.value("name") != "Ada <Lovelace>" || p.value("token") != token {
		t.Error("the form forgot what was typed")
	}
	form.Set("password", apitest.Password)
	if p = v.post("/setup", form).want(http.StatusOK); p.path != "/first-run/address" {
		t.Errorf("after the account is made the page is %s", p.path)
	}
	p.shows("Your account is ready")
	v.get("/").lacks("Your account is ready")
	other := visit(t, s, "en")
	other.post("/setup", form).want(http.StatusUnauthorized)
	if p := other.get("/setup?token=" + token); p.path != "/sign-in" {
		t.Errorf("a console that is set up shows %s", p.path)
	}
}

// Another site cannot post our forms.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	v := signedIn(t, s, "admin", "en")
	kind := "application/x-www-form-urlencoded"
	for _, path := range []string{"/account/tokens", "/hosts/enrol", "/preferences", "/sign-out", "/images", "/uploads/"} {
		v.do(http.MethodPost, path, kind, strings.NewReader("name=x&role=admin"), "Origin", "https://example.org").want(http.StatusForbidden)
		v.do(http.MethodPost, path, kind, strings.NewReader("name=x&role=admin"), "Sec-Fetch-Site", "cross-site").want(http.StatusForbidden)
	}
	tokens, err := s.ListTokens(t.Context(), s.Admin, api.TokenFilter{}, api.Page{})
	if err != nil || len(tokens.Items) != 0 {
		t.Errorf("there are %d tokens (%v)", len(tokens.Items), err)
	}
}

func TestPreferences(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	v := signedIn(t, s, "viewer", "en")
	v.locale = "zh-CN" // chosen now; the header is what a browser sends anyway
	p := v.do(http.MethodPost, "/preferences", "application/x-www-form-urlencoded",
		strings.NewReader(url.Values{"locale": {"zh-CN"}, "back": {"/jobs?active=true"}}.Encode()), "Accept-Language", "en").want(http.StatusOK)
	if p.path != "/jobs?active=true" {
		t.Errorf("the page is %s", p.path)
	}
	p = v.post("/preferences", url.Values{"theme": {"dark"}, "back": {"//example.org"}}).want(http.StatusOK)
	if page := p.all("html", "", ""); p.path != "/" || attr(page[0], "data-theme") != "dark" {
		t.Errorf("the page is %s in the theme %q", p.path, attr(page[0], "data-theme"))
	}
}

// A person who is disabled is out at once, and the scripts of open pages hear
// of it.
func TestSessionOfNobody(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	v := signedIn(t, s, "viewer", "en")
	if _, err := s.Store.Pool().Exec(t.Context(), `UPDATE users SET disabled_at = now() WHERE login = 'viewer'`); err != nil {
		t.Fatal(err)
	}
	if p := v.get("/hosts"); !strings.HasPrefix(p.path, "/sign-in") {
		t.Errorf("a disabled person sees %s", p.path)
	}
	v.do(http.MethodGet, "/hosts", "", nil, "HX-Request", "true").want(http.StatusUnauthorized)
	v.do(http.MethodPost, "/uploads/", "", nil, "Tus-Resumable", "1.0.0").want(http.StatusUnauthorized).shows("You are signed out.")
	p := v.do(http.MethodGet, "/live", "", nil, "Accept", "text/event-stream").want(http.StatusOK)
	if !strings.Contains(p.body, "event: reload\n") {
		t.Errorf("a stream says %q to who is signed out", p.body)
	}
}

func (v *visitor) session() string {
	u, _ := url.Parse(v.url)
	for _, c := range v.client.Jar.Cookies(u) {
		if c.Name == "stickpress" {
			return c.Value
		}
	}
	return ""
}

func (v *visitor) setSession(token string) {
	v.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		v.t.Fatal(err)
	}
	u, err := url.Parse(v.url)
	if err != nil {
		v.t.Fatal(err)
	}
	jar.SetCookies(u, []*http.Cookie{{Name: "stickpress", Value: token, Path: "/"}})
	v.client.Jar = jar
}
