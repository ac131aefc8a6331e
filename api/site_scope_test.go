package api_test

import (
	"slices"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
)

// Who may do something at a site: those of every site, and those who have it.
func TestSiteScope(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	here, there := newSite(t, f, "here"), newSite(t, f, "there")
	limited(t, f, "ada", api.RoleHelpdesk, here)
	limited(t, f, "bob", api.RoleHelpdesk, there)
	both := limited(t, f, "carol", api.RoleAdmin, here, there)
	gone := limited(t, f, "dan", api.RoleViewer, here)
	must[api.User](t)(f.SetUserDisabled(t.Context(), f.Admin, gone.UserID, true))
	must[api.NewToken](t)(f.CreateToken(t.Context(), both, api.CreateTokenInput{Name: "of both", Role: api.RoleViewer}))
	must[api.NewToken](t)(f.CreateToken(t.Context(), both, api.CreateTokenInput{Name: "elsewhere", Role: api.RoleViewer, Sites: []string{there}}))
	must[api.NewToken](t)(f.CreateToken(t.Context(), f.Admin, api.CreateTokenInput{Name: "everywhere", Role: api.RoleViewer}))
	scope := must[api.SiteScope](t)(f.GetSiteScope(t.Context(), f.Admin, here))
	var logins, tokens []string
	for _, u := range scope.Users.Items {
		logins = append(logins, u.Login)
	}
	for _, x := range scope.Tokens.Items {
		tokens = append(tokens, x.Name)
	}
	slices.Sort(tokens)
	for login, want := range map[string]bool{"ada": true, "bob": false, "carol": true, "dan": false, "admin": true} {
		if slices.Contains(logins, login) != want {
			t.Errorf("%s is among %v: %v", login, logins, !want)
		}
	}
	if !slices.Equal(tokens, []string{"everywhere", "of both"}) {
		t.Errorf("tokens %v", tokens)
	}
	_, err := f.GetSiteScope(t.Context(), limited(t, f, "eve2", api.RoleAdmin, there), here)
	wantFault(t, err, "site_not_found")
	_, err = f.GetSiteScope(t.Context(), f.Helpdesk, here)
	wantFault(t, err, api.CodeForbidden)
}
