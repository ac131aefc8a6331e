package api_test

import (
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/store"
)

func TestUserChanges(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	a := eve(t, f)
	token := must[api.NewToken](t)(f.CreateToken(t.Context(), a, api.CreateTokenInput{Name: "ci", Role: api.RoleViewer}))
	u := must[api.User](t)(f.GetUser(t.Context(), f.Admin, a.UserID))
	change := api.UpdateUserInput{ID: u.ID, Name: "Eve", Role: api.RoleHelpdesk, Revision: u.Revision}
	now := must[api.User](t)(f.UpdateUser(t.Context(), f.Admin, change))
	if now.Role != api.RoleHelpdesk || now.Name != "Eve" {
		t.Errorf("changed to %+v", now)
	}
	_, err := f.UpdateUser(t.Context(), f.Admin, change)
	wantFault(t, err, "stale")
	if now := must[api.Actor](t)(f.ActorForSession(t.Context(), anyone("192.0.2.5"), a.SessionID)); now.Role != api.RoleHelpdesk {
		t.Errorf("the next click is a %s's", now.Role)
	}
	log := must[api.List[api.AuditEntry]](t)(f.ListAudit(t.Context(), f.Admin, api.AuditFilter{Action: "update_user", Actor: f.Admin.UserID}, api.Page{}))
	if len(log.Items) != 1 || !strings.Contains(string(log.Items[0].Before), `"viewer"`) || !strings.Contains(string(log.Items[0].After), `"helpdesk"`) ||
		strings.Contains(string(log.Items[0].After), "argon2") {
		t.Errorf("audit %+v", log.Items)
	}

	must[api.User](t)(f.SetUserDisabled(t.Context(), f.Admin, u.ID, true))
	_, err = f.ActorForSession(t.Context(), anyone("192.0.2.5"), a.SessionID)
	wantFault(t, err, api.CodeSignedOut)
	_, err = f.ActorForToken(t.Context(), anyone("192.0.2.5"), token.Secret)
	wantFault(t, err, "token_invalid")
	signIn(t, f, "192.0.2.5", "eve", apitest.Password, api.CodeSignInFailed)
	must[api.User](t)(f.SetUserDisabled(t.Context(), f.Admin, u.ID, false))
	_, err = f.ActorForSession(t.Context(), anyone("192.0.2.5"), a.SessionID)
	wantFault(t, err, api.CodeSignedOut) // the old session does not come back
	signIn(t, f, "192.0.2.5", "eve", apitest.Password, "")

	// There is always an admin, and nobody changes their own role.
	_, err = f.SetUserDisabled(t.Context(), f.Admin, f.Admin.UserID, true)
	wantFault(t, err, api.CodeOneself)
	_, err = f.UpdateUser(t.Context(), f.Admin, api.UpdateUserInput{ID: f.Admin.UserID, Name: "x", Role: api.RoleViewer})
	wantFault(t, err, api.CodeOneself)
	for _, change := range []func() error{
		func() error { _, err := f.SetUserDisabled(t.Context(), f.System, f.Admin.UserID, true); return err },
		func() error {
			_, err := f.UpdateUser(t.Context(), f.System, api.UpdateUserInput{ID: f.Admin.UserID, Name: "x", Role: api.RoleHelpdesk})
			return err
		},
	} {
		wantFault(t, change(), api.CodeLastAdmin)
	}
}

// The last admin of all sites who has a password here stays, however many others
// a directory vouches for.
func TestAnAdminWithAPasswordStays(t *testing.T) {
	t.Parallel()
	f := apitest.New(t) // whose people have none
	glass := must[api.User](t)(f.CreateUser(t.Context(), f.Admin, api.CreateUserInput{Login: "glass", Role: api.RoleAdmin, Password: apitest.Password}))
	_, err := f.SetUserDisabled(t.Context(), f.Admin, glass.ID, true)
	wantFault(t, err, api.CodeLastAdmin)
	must[api.User](t)(f.CreateUser(t.Context(), f.Admin, api.CreateUserInput{Login: "second", Role: api.RoleAdmin, Password: apitest.Password}))
	must[api.User](t)(f.SetUserDisabled(t.Context(), f.Admin, glass.ID, true))
}

// What a person is made of is looked at, whichever door it comes by.
func TestCreateUserChecks(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	create := func(change func(*api.CreateUserInput)) error {
		in := api.CreateUserInput{Login: "eve", Role: api.RoleViewer}
		change(&in)
		_, err := f.CreateUser(t.Context(), f.Admin, in)
		return err
	}
	wantFault(t, create(func(in *api.CreateUserInput) { in.Name = "Eve\u202eevE\x07" }), store.CodeNameInvalid)
	wantFault(t, create(func(in *api.CreateUserInput) { in.Name = strings.Repeat("e", 1000) }), store.CodeNameInvalid)
	wantFault(t, create(func(in *api.CreateUserInput) { in.Locale = "tlh" }), api.CodeLocale)
	if err := create(func(in *api.CreateUserInput) { in.Name, in.Locale = " Eve ", "zh-CN" }); err != nil {
		t.Error(err)
	}
	if u, err := f.FindUser(t.Context(), f.System, "EVE"); err != nil || u.Name != "Eve" || u.Locale != "zh-CN" {
		t.Errorf("found %+v, error %v", u, err)
	}
	_, err := f.FindUser(t.Context(), f.System, "ev")
	wantFault(t, err, "user_not_found")
}
