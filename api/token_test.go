package api_test

import (
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/directory/directorytest"
)

// program is the actor of a token.
func program(t *testing.T, f *apitest.Fixture, made api.NewToken) api.Actor {
	t.Helper()
	return must[api.Actor](t)(f.ActorForToken(t.Context(), anyone("192.0.2.8"), made.Secret))
}

// A token that a token makes ends with it.
func TestTokensOfTokens(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	first := must[api.NewToken](t)(f.CreateToken(t.Context(), f.Helpdesk, api.CreateTokenInput{Name: "ci", Role: api.RoleHelpdesk, TTL: time.Hour}))
	second := must[api.NewToken](t)(f.CreateToken(t.Context(), program(t, f, first), api.CreateTokenInput{Name: "for ever", Role: api.RoleViewer}))
	third := must[api.NewToken](t)(f.CreateToken(t.Context(), program(t, f, second), api.CreateTokenInput{Name: "longer", Role: api.RoleViewer, TTL: 24 * time.Hour}))
	for _, made := range []api.NewToken{second, third} {
		if made.ExpiresAt == nil || !made.ExpiresAt.Equal(*first.ExpiresAt) {
			t.Errorf("%s expires at %v, want %v", made.Name, made.ExpiresAt, first.ExpiresAt)
		}
	}
	short := must[api.NewToken](t)(f.CreateToken(t.Context(), program(t, f, first), api.CreateTokenInput{Name: "short", Role: api.RoleViewer, TTL: time.Minute}))
	if !short.ExpiresAt.Before(*first.ExpiresAt) {
		t.Errorf("the short one expires at %v", short.ExpiresAt)
	}
	if err := f.RevokeToken(t.Context(), f.Helpdesk, first.ID); err != nil {
		t.Fatal(err)
	}
	for _, made := range []api.NewToken{first, second, third, short} {
		_, err := f.ActorForToken(t.Context(), anyone("192.0.2.8"), made.Secret)
		wantFault(t, err, "token_invalid")
	}
	all := must[api.List[api.Token]](t)(f.ListTokens(t.Context(), f.Helpdesk, api.TokenFilter{State: "active"}, api.Page{}))
	if len(all.Items) != 0 {
		t.Errorf("active are still %+v", all.Items)
	}
	_, err := f.CreateToken(t.Context(), f.Helpdesk, api.CreateTokenInput{Name: "x", Role: api.RoleViewer, TTL: -5 * 24 * time.Hour})
	wantFault(t, err, api.CodeLifetime)
}

// A token for some of its owner's sites is no way to the others.
func TestTokenOfASiteStaysThere(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	site := must[api.Site](t)(f.SaveSite(t.Context(), f.Admin, api.SaveSiteInput{Name: "Elsewhere"}))
	of := func(sites ...string) api.Actor {
		return program(t, f, must[api.NewToken](t)(f.CreateToken(t.Context(), f.Admin, api.CreateTokenInput{Name: "ci", Role: api.RoleAdmin, Sites: sites})))
	}
	in := api.SignInLinkInput{Login: must[api.User](t)(f.GetUser(t.Context(), f.Admin, f.Admin.UserID)).Login}
	_, err := f.CreateSignInLink(t.Context(), of(site.ID), in)
	wantFault(t, err, api.CodeOneself)
	must[api.SignInLink](t)(f.CreateSignInLink(t.Context(), of(), in))
}

// A token sees and ends itself and what it made; an admin's all.
func TestTokensSeeThemselves(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	token := func(by api.Actor, name string, role api.Role) api.NewToken {
		t.Helper()
		return must[api.NewToken](t)(f.CreateToken(t.Context(), by, api.CreateTokenInput{Name: name, Role: role}))
	}
	other := token(f.Admin, "other", api.RoleViewer)
	weak := token(f.Admin, "weak", api.RoleHelpdesk)
	child := token(program(t, f, weak), "child", api.RoleViewer)
	list := must[api.List[api.Token]](t)(f.ListTokens(t.Context(), program(t, f, weak), api.TokenFilter{}, api.Page{}))
	if len(list.Items) != 2 || list.Items[0].ID != child.ID || list.Items[1].ID != weak.ID {
		t.Errorf("it sees %+v", list.Items)
	}
	wantFault(t, f.RevokeToken(t.Context(), program(t, f, weak), other.ID), "token_not_found")
	wantFault(t, f.RevokeToken(t.Context(), program(t, f, child), weak.ID), "token_not_found")
	for _, id := range []string{child.ID, weak.ID} {
		if err := f.RevokeToken(t.Context(), program(t, f, weak), id); err != nil {
			t.Fatal(err)
		}
	}
	strong := token(f.Admin, "strong", api.RoleAdmin)
	if err := f.RevokeToken(t.Context(), program(t, f, strong), other.ID); err != nil {
		t.Fatal(err)
	}
	// Whether there is somebody elsewhere, an admin of some sites does not hear.
	site := newSite(t, f, "Elsewhere")
	must[api.User](t)(f.CreateUser(t.Context(), f.Admin, api.CreateUserInput{Login: "chief", Role: api.RoleAdmin, Sites: []string{site}, Password: apitest.Password}))
	chief := browserOf(t, f, signIn(t, f, "192.0.2.5", "chief", apitest.Password, ""))
	for _, login := range []string{"viewer", "nobody"} {
		_, err := f.ListTokens(t.Context(), chief, api.TokenFilter{Owner: login}, api.Page{})
		wantFault(t, err, "user_not_found")
	}
}

// What somebody prepared is worth nothing once they may not do it any more.
func TestPreparedGoesWithItsMaker(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	must[api.User](t)(f.CreateUser(t.Context(), f.Admin, api.CreateUserInput{Login: "chief", Role: api.RoleAdmin, Password: apitest.Password}))
	for _, name := range []string{"disabled", "demoted"} {
		must[api.User](t)(f.CreateUser(t.Context(), f.Admin, api.CreateUserInput{Login: name, Role: api.RoleAdmin, Password: apitest.Password}))
		a := browserOf(t, f, signIn(t, f, "192.0.2.5", name, apitest.Password, ""))
		mine := must[api.NewToken](t)(f.CreateToken(t.Context(), a, api.CreateTokenInput{Name: "mine", Role: api.RoleAdmin}))
		others := must[api.NewToken](t)(f.CreateToken(t.Context(), a, api.CreateTokenInput{Name: "other's", Role: api.RoleViewer, Login: "viewer"}))
		grandchild := must[api.NewToken](t)(f.CreateToken(t.Context(), program(t, f, others), api.CreateTokenInput{Name: "its own", Role: api.RoleViewer}))
		link := must[api.SignInLink](t)(f.CreatePasswordLink(t.Context(), a, f.Viewer.UserID))
		host := must[api.Enrolment](t)(f.CreateEnrolment(t.Context(), program(t, f, mine), api.CreateEnrolmentInput{}))
		if name == "disabled" {
			must[api.User](t)(f.SetUserDisabled(t.Context(), f.Admin, a.UserID, true))
			for _, made := range []api.NewToken{mine, others, grandchild} {
				_, err := f.ActorForToken(t.Context(), anyone("192.0.2.8"), made.Secret)
				wantFault(t, err, "token_invalid")
			}
		} else {
			must[api.User](t)(f.UpdateUser(t.Context(), f.Admin, api.UpdateUserInput{ID: a.UserID, Name: name, Role: api.RoleHelpdesk}))
		}
		_, err := f.ChoosePassword(t.Context(), anyone("192.0.2.8"), link.Secret, "another long password")
		wantFault(t, err, "token_invalid")
		_, err = f.EnrollHost(t.Context(), anyone("192.0.2.8"), protocol.EnrollRequest{Token: host.Token, Name: "x", PublicKey: make([]byte, 32)})
		wantFault(t, err, "token_invalid")
	}
}

// Out of every group, nothing is good any more; back in one, it is again. Of
// who never comes, it is not for ever.
func TestTokensOfADirectorysPeople(t *testing.T) {
	t.Parallel()
	s := directorytest.Start(t, directorytest.Person("ada", "Ada", "engine"), directorytest.Person("bob", "Bob", "lathe"), directorytest.Group("desk", "ada"))
	f := people(t, "desk=helpdesk", s)
	a := browserOf(t, f, signIn(t, f, "192.0.2.5", "ada", "engine", ""))
	made := must[api.NewToken](t)(f.CreateToken(t.Context(), a, api.CreateTokenInput{Name: "ci", Role: api.RoleHelpdesk}))
	link := must[api.SignInLink](t)(f.CreateSignInLink(t.Context(), f.System, api.SignInLinkInput{Login: "ada"}))
	group := "dn: cn=desk,ou=groups," + directorytest.Suffix + "\nchangetype: modify\n"
	s.Modify(t, group+"add: member\nmember: uid=bob,ou=people,"+directorytest.Suffix+"\n-\ndelete: member\nmember: uid=ada,ou=people,"+directorytest.Suffix+"\n")
	signIn(t, f, "192.0.2.5", "ada", "engine", api.CodeNoRole)
	_, err := f.ActorForToken(t.Context(), anyone("192.0.2.8"), made.Secret)
	wantFault(t, err, "token_invalid")
	_, err = f.ActorForUser(t.Context(), anyone("192.0.2.8"), a.UserID)
	wantFault(t, err, api.CodeSignedOut)
	_, err = f.RedeemSignInLink(t.Context(), anyone("192.0.2.8"), link.Secret)
	wantFault(t, err, "token_invalid")
	if u := must[api.User](t)(f.GetUser(t.Context(), f.Admin, a.UserID)); u.NoRoleAt == nil {
		t.Error("the admin does not see it")
	}
	s.Modify(t, group+"add: member\nmember: uid=ada,ou=people,"+directorytest.Suffix+"\n")
	if in := signIn(t, f, "192.0.2.5", "ada", "engine", ""); in.User.NoRoleAt != nil {
		t.Errorf("back in she is %+v", in.User)
	}
	program(t, f, made)
	if _, err := f.Store.Pool().Exec(t.Context(), `UPDATE users SET vouched_at = now() - interval '91 days' WHERE login = 'ada'`); err != nil {
		t.Fatal(err)
	}
	_, err = f.ActorForToken(t.Context(), anyone("192.0.2.8"), made.Secret)
	wantFault(t, err, "token_invalid")
	signIn(t, f, "192.0.2.5", "ada", "engine", "")
	program(t, f, made)
}
