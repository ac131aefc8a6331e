package api_test

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
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
	u := must[api.SignedIn](t)(fresh.Setup(t.Context(), anyone("192.0.2.4"), in)).User
	if u.Role != api.RoleAdmin || u.Name != "ada" {
		t.Errorf("the first user is %+v, want an admin", u)
	}
	_, err = fresh.Setup(t.Context(), anyone("192.0.2.4"), in)
	wantFault(t, err, "token_invalid")
	got := must[api.SignedIn](t)(fresh.SignIn(t.Context(), anyone("192.0.2.4"), api.SignInInput{Login: "ADA", Password: apitest.Password})).User
	if got.ID != u.ID {
		t.Errorf("signed in as %s, want %s", got.ID, u.ID)
	}
}

// signIn tries a password and wants to be refused with code, or let in if that
// is empty.
func signIn(t *testing.T, f *apitest.Fixture, address, login, password string, code fault.Code) api.SignedIn {
	t.Helper()
	in, err := f.SignIn(t.Context(), anyone(address), api.SignInInput{Login: login, Password: password})
	if code != "" {
		wantFault(t, err, code)
	} else if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	eve := must[api.User](t)(f.CreateUser(t.Context(), f.Admin, api.CreateUserInput{Login: "eve", Role: api.RoleViewer, Password: apitest.Password}))

	signIn(t, f, "192.0.2.5", "viewer", "", api.CodeSignInFailed) // has no password
	// Logins that there are and that there are not are locked alike, for whom
	// the attempts come from.
	for i, login := range []string{"eve", "nobody"} {
		from := fmt.Sprintf("192.0.2.%d", 10+i)
		for range 6 {
			signIn(t, f, from, login, "wrong", api.CodeSignInFailed)
		}
		_, err := f.SignIn(t.Context(), anyone(from), api.SignInInput{Login: strings.ToUpper(login), Password: apitest.Password})
		wait, _ := strconv.Atoi(faultOf(t, err, api.CodeTooManyAttempts).Params["retry_seconds"])
		if wait <= 15 || wait > 31 { // some of the 30 s may be over
			t.Errorf("%s is to wait for %d s", login, wait)
		}
	}
	// It outlives the program, and an admin sees it.
	other, _ := f.Replica(t)
	_, err := other.SignIn(t.Context(), anyone("192.0.2.10"), api.SignInInput{Login: "eve", Password: apitest.Password})
	wantFault(t, err, api.CodeTooManyAttempts)
	if u := must[api.User](t)(f.GetUser(t.Context(), f.Admin, eve.ID)); u.LockedUntil == nil {
		t.Error("the admin does not see the lock")
	}
	if u := must[api.User](t)(f.UnlockUser(t.Context(), f.Admin, eve.ID)); u.LockedUntil != nil {
		t.Error("the lock is still there")
	}
	signIn(t, f, "192.0.2.10", "eve", apitest.Password, "")
	in := signIn(t, f, "192.0.2.5", "eve", apitest.Password, "")
	if in.User.ID != eve.ID || in.SessionID == "" || in.CodeNeeded {
		t.Errorf("signed in as %+v", in)
	}
}

// The rest grows from half a minute to a quarter of an hour and no further, and
// what is tried meanwhile does not count.
func TestLockGrowsToItsBound(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	must[api.User](t)(f.CreateUser(t.Context(), f.Admin, api.CreateUserInput{Login: "eve", Role: api.RoleViewer, Password: apitest.Password}))
	const here = "192.0.2.10"
	age := func(by string) {
		t.Helper()
		if _, err := f.Store.Pool().Exec(t.Context(), `UPDATE sign_in_attempts SET locked_until = locked_until - $1::interval, last_at = last_at - $1::interval`, by); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		signIn(t, f, here, "eve", "wrong", api.CodeSignInFailed)
	}
	for i, want := range []int{30, 60, 120, 240, 480, 900, 900, 900} {
		signIn(t, f, here, "eve", "wrong", api.CodeSignInFailed)
		for range 3 {
			_, err := f.SignIn(t.Context(), anyone(here), api.SignInInput{Login: "eve", Password: apitest.Password})
			wait, _ := strconv.Atoi(faultOf(t, err, api.CodeTooManyAttempts).Params["retry_seconds"])
			if wait <= want/2 || wait > want+1 { // above the one before, some of it may be over
				t.Errorf("attempt %d is to wait for %d s, want %d", i, wait, want)
			}
		}
		age("15 minutes")
	}
	signIn(t, f, here, "eve", apitest.Password, "")
	for range 5 {
		signIn(t, f, here, "eve", "wrong", api.CodeSignInFailed)
	}
	age("25 hours") // forgotten
	for range 5 {
		signIn(t, f, here, "eve", "wrong", api.CodeSignInFailed)
	}
	signIn(t, f, here, "eve", apitest.Password, "")
}

// A hundred attempts at once are a hundred.
func TestAttemptsAtOnceCount(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	must[api.User](t)(f.CreateUser(t.Context(), f.Admin, api.CreateUserInput{Login: "eve", Role: api.RoleViewer, Password: apitest.Password}))
	var looked, refused atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, err := f.SignIn(t.Context(), anyone("192.0.2.5"), api.SignInInput{Login: "eve", Password: "wrong"})
			if code := got(err); code == api.CodeSignInFailed {
				looked.Add(1)
			} else if code == api.CodeTooManyAttempts {
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	if looked.Load() != 6 || refused.Load() != 14 {
		t.Errorf("%d passwords were looked at, %d not", looked.Load(), refused.Load())
	}
}

// One address may try sixty times, whatever it tries; a network of IPv6 is one
// address: everyone has a whole one.
func TestAddressIsLimited(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	for i := range 60 {
		_, err := f.RedeemSignInLink(t.Context(), anyone(fmt.Sprintf("2001:db8::%x", i)), "x")
		wantFault(t, err, "token_invalid")
	}
	_, err := f.RedeemSignInLink(t.Context(), anyone("2001:db8::ffff"), "x")
	wantFault(t, err, api.CodeTooManyAttempts)
	_, err = f.RedeemSignInLink(t.Context(), anyone("2001:db8:0:1::1"), "x")
	wantFault(t, err, "token_invalid")
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
	u := must[api.SignedIn](t)(f.RedeemSignInLink(t.Context(), anyone("192.0.2.7"), link.Secret))
	if u.User.ID != f.Admin.UserID {
		t.Errorf("signed in %s, want %s", u.User.ID, f.Admin.UserID)
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
