package api_test

import (
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
)

// A new password makes the links worthless by which others could come in.
func TestPasswordsEndLinks(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	a := eve(t, f)
	links := func() (password, signIn api.SignInLink) {
		t.Helper()
		return must[api.SignInLink](t)(f.CreatePasswordLink(t.Context(), f.Admin, a.UserID)),
			must[api.SignInLink](t)(f.CreateSignInLink(t.Context(), f.System, api.SignInLinkInput{Login: "eve"}))
	}
	password, in := links()
	if err := f.ChangePassword(t.Context(), a, apitest.Password, "another long password"); err != nil {
		t.Fatal(err)
	}
	_, err := f.ChoosePassword(t.Context(), anyone("192.0.2.7"), password.Secret, apitest.Password)
	wantFault(t, err, "token_invalid")
	_, err = f.RedeemSignInLink(t.Context(), anyone("192.0.2.7"), in.Secret)
	wantFault(t, err, "token_invalid")
	password, in = links()
	must[api.SignedIn](t)(f.ChoosePassword(t.Context(), anyone("192.0.2.7"), password.Secret, apitest.Password))
	_, err = f.RedeemSignInLink(t.Context(), anyone("192.0.2.7"), in.Secret)
	wantFault(t, err, "token_invalid")
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	a := eve(t, f)
	other := browserOf(t, f, signIn(t, f, "192.0.2.6", "eve", apitest.Password, ""))
	const next = "another long password"
	wantFault(t, f.ChangePassword(t.Context(), a, "wrong", next), api.CodePasswordWrong)
	wantFault(t, f.ChangePassword(t.Context(), a, apitest.Password, "short"), api.CodePasswordTooShort)
	wantFault(t, f.ChangePassword(t.Context(), a, apitest.Password, ""), api.CodePasswordTooShort)
	if err := f.ChangePassword(t.Context(), a, apitest.Password, next); err != nil {
		t.Fatal(err)
	}
	_, err := f.ActorForSession(t.Context(), anyone("192.0.2.6"), other.SessionID)
	wantFault(t, err, api.CodeSignedOut)
	must[api.Actor](t)(f.ActorForSession(t.Context(), anyone("192.0.2.5"), a.SessionID))
	signIn(t, f, "192.0.2.5", "eve", apitest.Password, api.CodeSignInFailed)
	signIn(t, f, "192.0.2.5", "eve", next, "")
	// A program does not change how its owner signs in.
	made := must[api.NewToken](t)(f.CreateToken(t.Context(), a, api.CreateTokenInput{Name: "ci", Role: api.RoleViewer}))
	program := must[api.Actor](t)(f.ActorForToken(t.Context(), anyone("192.0.2.8"), made.Secret))
	wantFault(t, f.ChangePassword(t.Context(), program, next, apitest.Password), api.CodePeopleOnly)
	_, err = f.BeginTOTP(t.Context(), program)
	wantFault(t, err, api.CodePeopleOnly)
	_, err = f.ListSessions(t.Context(), program, program.UserID)
	wantFault(t, err, api.CodePeopleOnly)
}

func TestPasswordLink(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	a := eve(t, f)
	const next = "another long password"
	old := must[api.SignInLink](t)(f.CreatePasswordLink(t.Context(), f.Admin, a.UserID))
	link := must[api.SignInLink](t)(f.CreatePasswordLink(t.Context(), f.Admin, a.UserID))
	_, err := f.CreatePasswordLink(t.Context(), f.Admin, f.Admin.UserID)
	wantFault(t, err, api.CodeOneself)
	_, err = f.ChoosePassword(t.Context(), anyone("192.0.2.5"), old.Secret, next)
	wantFault(t, err, "token_invalid")
	_, err = f.RedeemSignInLink(t.Context(), anyone("192.0.2.5"), link.Secret) // is for another purpose
	wantFault(t, err, "token_invalid")
	_, err = f.ChoosePassword(t.Context(), anyone("192.0.2.5"), link.Secret, "short")
	wantFault(t, err, api.CodePasswordTooShort)
	in := must[api.SignedIn](t)(f.ChoosePassword(t.Context(), anyone("192.0.2.5"), link.Secret, next))
	if in.User.ID != a.UserID || in.SessionID == "" {
		t.Errorf("signed in as %+v", in)
	}
	_, err = f.ActorForSession(t.Context(), anyone("192.0.2.5"), a.SessionID)
	wantFault(t, err, api.CodeSignedOut)
	_, err = f.ChoosePassword(t.Context(), anyone("192.0.2.5"), link.Secret, next)
	wantFault(t, err, "token_invalid")
	signIn(t, f, "192.0.2.5", "eve", next, "")
}
