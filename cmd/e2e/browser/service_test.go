package browser

import (
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/oidc"
	"github.com/stickpress/stickpress/api/oidc/oidctest"
	"github.com/stickpress/stickpress/web"
	"github.com/stickpress/stickpress/web/webtest"
)

// TestSignInService signs in at a real OpenID provider and out again, under the
// pages' own Content-Security-Policy.
func TestSignInService(t *testing.T) {
	t.Parallel()
	grants, err := api.ParseGrants("desk=helpdesk")
	if err != nil {
		t.Fatal(err)
	}
	s := webtest.Start(t, func(url string, d *api.Deps) {
		p := oidctest.Start(t, url, web.ServicePath, oidctest.Person{ID: "id-ada", Login: "ada", Password: "engine", Name: "Ada Lovelace", Groups: []string{"desk"}})
		d.Service = &api.SignInService{Provider: oidc.New(p.Config()), Name: "Example ID", Grants: grants}
	})
	dir := album(t)
	b := open(t, s.URL, "en")
	b.visit("/hosts")
	b.at("/sign-in")
	b.shoot(dir, "sign-in-service")
	b.press(`a[href^="/sign-in/service"]`)
	b.until("the provider asks", `document.querySelector("input[name=password]") && !location.href.startsWith("`+s.URL+`")`)
	b.expect("favicon") // the provider has none
	b.fill("input[name=username]", "ada")
	b.fill("input[name=password]", "engine")
	b.press("button[type=submit], input[type=submit], form button")
	b.at("/hosts")
	b.visit("/account")
	b.shows("Ada Lovelace")
	b.shoot(dir, "account-service")
	b.press(`main form[action="/sign-out"] button`)
	b.shows("You are signed out")
	b.expect("Clear-Site-Data") // the browser tells what it forgot
	b.shoot(dir, "signed-out-service")
	b.press(`main a[href*="end_session"]`)
	b.at("/sign-in") // the provider sends the browser back
	b.expect("favicon")
}
