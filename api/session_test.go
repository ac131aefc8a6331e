package api_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
)

// anyone is somebody who has not signed in, from an address of their own.
func anyone(address string) api.Actor { return api.Anonymous("en", "req", address) }

func TestFirstRun(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	// The fixture has people already: setting up is over.
	if _, needed, err := f.SetupToken(t.Context()); err != nil || needed {
		t.Fatalf("needed %v, error %v with people there", needed, err)
	}
	_, err := f.Setup(t.Context(), anyone("192.0.2.4"), api.SetupInput{Token: "x", Login: "root", Password: apitest.Password})
	wantFault(t, err, "token_invalid")

	fresh, _ := apitest.Bare(t)
	token, needed, err := fresh.SetupToken(t.Context())
	if err != nil || !needed {
		t.Fatalf("needed %v, error %v on a fresh database", needed, err)
	}
	in := api.SetupInput{Token: token, Login: "ada", Password: "short"}
	_, err = fresh.Setup(t.Context(), anyone("192.0.2.4"), in)
	wantFault(t, err, api.CodePasswordTooShort)
	in.Password = ""
	_, err = fresh.Setup(t.Context(), anyone("192.0.2.4"), in)
	wantFault(t, err, api.CodePasswordTooShort)
	in.Password = apitest.Password
	in.Login = "a b"
	_, err = fresh.Setup(t.Context(), anyone("192.0.2.4"), in)
	wantFault(t, err, api.CodeLoginInvalid)
	in.Login = "ada"
	u := must[api.User](t)(fresh.Setup(t.Context(), anyone("192.0.2.4"), in))
	if u.Role != api.RoleAdmin || u.Name != "ada" {
		t.Errorf("the first user is %+v, want an admin", u)
	}
	_, err = fresh.Setup(t.Context(), anyone("192.0.2.4"), in)
	wantFault(t, err, "token_invalid")
	got := must[api.User](t)(fresh.SignIn(t.Context(), anyone("192.0.2.4"), api.SignInInput{Login: "ADA", Password: apitest.Password}))
	if got.ID != u.ID {
		t.Errorf("signed in as %s, want %s", got.ID, u.ID)
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	var now atomic.Pointer[time.Time]
	set := func(at time.Time) { now.Store(&at) }
	set(time.Now())
	f := apitest.New(t, func(d *api.Deps) { d.Clock = func() time.Time { return *now.Load() } })
	must[api.User](t)(f.CreateUser(t.Context(), f.Admin, api.CreateUserInput{Login: "eve", Role: api.RoleViewer, Password: apitest.Password}))

	_, err := f.SignIn(t.Context(), anyone("192.0.2.5"), api.SignInInput{Login: "nobody", Password: apitest.Password})
	wantFault(t, err, api.CodeSignInFailed)
	_, err = f.SignIn(t.Context(), anyone("192.0.2.5"), api.SignInInput{Login: "viewer", Password: ""}) // has no password
	wantFault(t, err, api.CodeSignInFailed)
	for range 10 {
		_, err = f.SignIn(t.Context(), anyone("192.0.2.5"), api.SignInInput{Login: "eve", Password: "wrong"})
		wantFault(t, err, api.CodeSignInFailed)
	}
	_, err = f.SignIn(t.Context(), anyone("192.0.2.5"), api.SignInInput{Login: "eve", Password: apitest.Password})
	wantFault(t, err, api.CodeTooManyAttempts)
	// A network of IPv6 is one address: everyone has a whole one.
	for i := range 10 {
		_, err = f.SignIn(t.Context(), anyone(fmt.Sprintf("2001:db8::%x", i)), api.SignInInput{Login: "eve", Password: "wrong"})
		wantFault(t, err, api.CodeSignInFailed)
	}
	_, err = f.SignIn(t.Context(), anyone("2001:db8::ffff"), api.SignInInput{Login: "eve", Password: apitest.Password})
	wantFault(t, err, api.CodeTooManyAttempts)
	// Nobody else is locked out, and the one who is may come back.
	must[api.User](t)(f.SignIn(t.Context(), anyone("2001:db8:0:1::1"), api.SignInInput{Login: "eve", Password: apitest.Password}))
	must[api.User](t)(f.SignIn(t.Context(), anyone("192.0.2.6"), api.SignInInput{Login: "eve", Password: apitest.Password}))
	set(time.Now().Add(6 * time.Minute))
	must[api.User](t)(f.SignIn(t.Context(), anyone("192.0.2.5"), api.SignInInput{Login: "eve", Password: apitest.Password}))
}

// What fails leaves a line in the audit log, without what was typed.
func TestFailedSignInIsAudited(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, err := f.SignIn(t.Context(), anyone("192.0.2.9"), api.SignInInput{Login: "ADMIN", Password: "hunter2-hunter2"})
	wantFault(t, err, api.CodeSignInFailed)
	_, err = f.SignIn(t.Context(), anyone("192.0.2.9"), api.SignInInput{Login: "hunter2-hunter2", Password: "x"})
	wantFault(t, err, api.CodeSignInFailed)
	_, err = f.RedeemSignInLink(t.Context(), anyone("192.0.2.9"), "hunter2-hunter2")
	wantFault(t, err, "token_invalid")
	log := must[api.List[api.AuditEntry]](t)(f.ListAudit(t.Context(), f.Admin, api.AuditFilter{}, api.Page{Limit: 3}))
	if len(log.Items) != 3 {
		t.Fatalf("audit log %+v", log.Items)
	}
	slices.SortFunc(log.Items, func(a, b api.AuditEntry) int { // of one millisecond they are in no order
		return cmp.Or(cmp.Compare(a.Action, b.Action), cmp.Compare(a.ObjectID, b.ObjectID))
	})
	for i, want := range []struct{ action, object, after string }{
		{"redeem_sign_in_link_failed", "", ""},
		{"sign_in_failed", "", ""},
		{"sign_in_failed", f.Admin.UserID, `{"login": "admin"}`},
	} {
		e := log.Items[i]
		if e.Action != want.action || e.ObjectID != want.object || string(e.After) != want.after ||
			e.ActorKind != api.ActorAnonymous || e.ActorName != "anonymous" || e.Address != "192.0.2.9" {
			t.Errorf("entry %+v, want %+v", e, want)
		}
	}
}

func TestSignInLink(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	link := must[api.SignInLink](t)(f.CreateSignInLink(t.Context(), f.System, api.SignInLinkInput{Login: "admin"}))
	u := must[api.User](t)(f.RedeemSignInLink(t.Context(), anyone("192.0.2.7"), link.Secret))
	if u.ID != f.Admin.UserID {
		t.Errorf("signed in %s, want %s", u.ID, f.Admin.UserID)
	}
	_, err := f.RedeemSignInLink(t.Context(), anyone("192.0.2.7"), link.Secret)
	wantFault(t, err, "token_invalid")
	_, err = f.CreateSignInLink(t.Context(), f.System, api.SignInLinkInput{Login: "nobody"})
	wantFault(t, err, "user_not_found")
	_, err = f.ActorForUser(t.Context(), anyone("192.0.2.7"), "user_01jd6y9k3te0mv8b0g2z5q4w7x")
	wantFault(t, err, api.CodeSignedOut)
}

func TestTokens(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, err := f.CreateToken(t.Context(), f.Viewer, api.CreateTokenInput{Name: "ci", Role: api.RoleHelpdesk})
	wantFault(t, err, api.CodeForbidden)
	_, err = f.CreateToken(t.Context(), f.Viewer, api.CreateTokenInput{Name: "ci", Role: api.RoleViewer, Login: "admin"})
	wantFault(t, err, api.CodeForbidden)
	made := must[api.NewToken](t)(f.CreateToken(t.Context(), f.Helpdesk, api.CreateTokenInput{Name: "ci", Role: api.RoleHelpdesk}))
	if !strings.HasPrefix(made.Secret, "stp_") || made.Login != "helpdesk" {
		t.Errorf("token is %+v, want one of helpdesk that begins with stp_", made)
	}
	a := must[api.Actor](t)(f.ActorForToken(t.Context(), anyone("192.0.2.8"), made.Secret))
	if a.Kind != api.ActorToken || a.Role != api.RoleHelpdesk || a.Name != "ci" || a.Address != "192.0.2.8" {
		t.Errorf("actor is %+v", a)
	}
	mine := must[api.List[api.Token]](t)(f.ListTokens(t.Context(), f.Viewer, api.TokenFilter{}, api.Page{}))
	all := must[api.List[api.Token]](t)(f.ListTokens(t.Context(), f.Admin, api.TokenFilter{}, api.Page{}))
	if len(mine.Items) != 0 || len(all.Items) != 1 || all.Items[0].LastUsedAt == nil {
		t.Errorf("the viewer sees %+v, the admin %+v", mine.Items, all.Items)
	}
	wantFault(t, f.RevokeToken(t.Context(), f.Viewer, made.ID), "token_not_found")
	for range 2 {
		if err := f.RevokeToken(t.Context(), f.Helpdesk, made.ID); err != nil {
			t.Fatal(err)
		}
	}
	_, err = f.ActorForToken(t.Context(), anyone("192.0.2.8"), made.Secret)
	wantFault(t, err, "token_invalid")

	cli := must[api.NewToken](t)(f.CreateToken(t.Context(), f.System, api.CreateTokenInput{Name: "cli", Role: api.RoleAdmin, Login: "admin"}))
	if cli.UserID != f.Admin.UserID {
		t.Errorf("owner is %s, want %s", cli.UserID, f.Admin.UserID)
	}
}

func TestEnrolmentIsLimited(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	in := protocol.EnrollRequest{Token: "guess", Name: "x", PublicKey: make([]byte, 32)}
	var err error
	for range 31 {
		_, err = f.EnrollHost(t.Context(), anyone("192.0.2.10"), in)
	}
	wantFault(t, err, api.CodeTooManyAttempts)
	_, err = f.EnrollHost(t.Context(), anyone("192.0.2.11"), in)
	wantFault(t, err, "token_invalid")
}
