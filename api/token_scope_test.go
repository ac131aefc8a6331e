package api_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
)

// scoped is a program with a token of an actor's role for some scopes.
func scoped(t *testing.T, f *apitest.Fixture, by api.Actor, scopes ...api.TokenScope) api.Actor {
	t.Helper()
	return program(t, f, must[api.NewToken](t)(f.CreateToken(t.Context(), by, api.CreateTokenInput{Name: "scoped", Role: by.Role, Scopes: scopes})))
}

// Every scope lets a program read and do its use cases, and no others.
func TestTokenScopes(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	calls := calls(f)
	used := map[api.TokenScope]bool{}
	for _, scope := range api.TokenScopes {
		a := scoped(t, f, f.Admin, scope)
		for use, least := range api.Permissions {
			want := api.TokenScopeOf(use)
			used[want] = true
			allowed := least == api.RoleNone || want == scope || want == api.TokenRead
			if a.Can(use) != allowed {
				t.Errorf("Can(%s) of a token for %s is %v", use, scope, !allowed)
			}
			err := calls[use](t.Context(), a)
			refused := fault.From(err)
			switch missing := refused != nil && refused.Code == api.CodeScopeMissing; {
			case allowed && missing:
				t.Errorf("%s by a token for %s was turned away: %v", use, scope, refused.Params)
			case !allowed && !missing:
				t.Errorf("%s by a token for %s was not turned away: %v", use, scope, err)
			case missing && refused.Params["scope"] != string(want):
				t.Errorf("%s by a token for %s misses %v, want %s", use, scope, refused.Params["scope"], want)
			}
		}
	}
	for _, scope := range api.TokenScopes {
		if !used[scope] {
			t.Errorf("no use case asks for %s", scope)
		}
	}
}

// What a scope was chosen for is one that there is, and what was chosen for
// nothing reads, or asks for no token.
func TestEveryUseCaseHasAScope(t *testing.T) {
	t.Parallel()
	reads := []string{"list_", "get_", "search", "estimate_"}
	for _, use := range api.UseCases() {
		scope, chosen := api.ChosenScopes[use]
		switch {
		case chosen:
			if !slices.Contains(api.TokenScopes, scope) {
				t.Errorf("%s asks for %q, which is none", use, scope)
			}
		case api.Permissions[use] == api.RoleNone:
		case api.Permissions[use] != api.RoleViewer:
			t.Errorf("%s is not for every viewer: say in tokenScopes what it asks a token for", use)
		case !slices.ContainsFunc(reads, func(p string) bool { return strings.HasPrefix(string(use), p) }):
			t.Errorf("%s does not look like reading: say in tokenScopes what it asks a token for", use)
		}
	}
	for use := range api.ChosenScopes {
		if _, ok := api.Permissions[use]; !ok {
			t.Errorf("%s is no use case", use)
		}
	}
}

// A scope gives nothing that the role and the sites do not.
func TestScopesStayBelowTheRole(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	viewer := scoped(t, f, f.Viewer, api.TokenScopes...)
	_, err := f.CreateImage(t.Context(), viewer, api.CreateImageInput{Name: "x"})
	wantFault(t, err, api.CodeForbidden)
	site := newSite(t, f, "Elsewhere")
	there := program(t, f, must[api.NewToken](t)(f.CreateToken(t.Context(), f.Admin, api.CreateTokenInput{
		Name: "there", Role: api.RoleAdmin, Sites: []string{site}, Scopes: api.TokenScopes,
	})))
	_, err = f.CreateImage(t.Context(), there, api.CreateImageInput{Name: "x"})
	wantFault(t, err, api.CodeEverySite)
	all := scoped(t, f, f.Helpdesk)
	for use := range api.Permissions {
		if all.Can(use) != f.Helpdesk.Can(use) {
			t.Errorf("a token without scopes may %s: %v", use, all.Can(use))
		}
	}
}

// A token gives no scope that it does not have, and is over no token but
// itself and those that it made unless it is an admin's for what admins do.
func TestScopesOfTokensOfTokens(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	make := func(ctx context.Context, a api.Actor, scopes ...api.TokenScope) (api.NewToken, error) {
		return f.CreateToken(ctx, a, api.CreateTokenInput{Name: "child", Role: api.RoleAdmin, Scopes: scopes})
	}
	narrow := scoped(t, f, f.Admin, api.TokenAccount, api.TokenRead, api.TokenAccount)
	if want := []api.TokenScope{api.TokenRead, api.TokenAccount}; !slices.Equal(narrow.Scopes, want) {
		t.Fatalf("it has %v, want %v", narrow.Scopes, want)
	}
	_, err := make(t.Context(), narrow, api.TokenRead, api.TokenImages)
	wantFault(t, err, api.CodeScopeMissing)
	_, err = make(t.Context(), f.Admin, "images")
	wantFault(t, err, api.CodeScopeUnknown)
	same := must[api.NewToken](t)(make(t.Context(), narrow))
	if !slices.Equal(same.Scopes, narrow.Scopes) {
		t.Errorf("without a choice its child has %v", same.Scopes)
	}
	less := must[api.NewToken](t)(make(t.Context(), narrow, api.TokenRead))
	if !slices.Equal(less.Scopes, []api.TokenScope{api.TokenRead}) {
		t.Errorf("its other child has %v", less.Scopes)
	}
	_, err = f.CreateToken(t.Context(), narrow, api.CreateTokenInput{Name: "x", Role: api.RoleViewer, Login: "viewer"})
	wantFault(t, err, api.CodeScopeMissing)

	wide := must[api.NewToken](t)(make(t.Context(), f.Admin))
	seen := func(a api.Actor) []string {
		list := must[api.List[api.Token]](t)(f.ListTokens(t.Context(), a, api.TokenFilter{}, api.Page{}))
		ids := []string{}
		for _, x := range list.Items {
			ids = append(ids, x.ID)
		}
		return ids
	}
	if got, want := seen(narrow), []string{less.ID, same.ID, narrow.TokenID}; !slices.Equal(got, want) {
		t.Errorf("it sees %v, want %v", got, want)
	}
	wantFault(t, f.RevokeToken(t.Context(), narrow, wide.ID), "token_not_found")
	_, err = f.ActorForToken(t.Context(), anyone("192.0.2.8"), wide.Secret)
	if err != nil {
		t.Errorf("the wide one is gone: %v", err)
	}
	chief := scoped(t, f, f.Admin, api.TokenAccount, api.TokenRead, api.TokenAdmin)
	if got := seen(chief); !slices.Contains(got, wide.ID) {
		t.Errorf("an admin's sees %v, without %s", got, wide.ID)
	}
	if err := f.RevokeToken(t.Context(), chief, wide.ID); err != nil {
		t.Error(err)
	}
}

// Whatever a token is for, it can be ended with itself, and nothing else with it.
func TestTokenEndsItself(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	reader, other := scoped(t, f, f.Viewer, api.TokenRead), scoped(t, f, f.Viewer, api.TokenRead)
	wantFault(t, f.RevokeToken(t.Context(), reader, other.TokenID), api.CodeScopeMissing)
	if err := f.RevokeToken(t.Context(), reader, reader.TokenID); err != nil {
		t.Fatal(err)
	}
	if got := must[api.Token](t)(f.GetToken(t.Context(), f.Viewer, reader.TokenID)); got.RevokedAt == nil {
		t.Errorf("it goes on being good: %+v", got)
	}
}
