package api_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/store"
)

// browserOf is a person who signed in with a password.
func browserOf(t *testing.T, f *apitest.Fixture, in api.SignedIn) api.Actor {
	t.Helper()
	a := anyone("192.0.2.40")
	a.Agent = "Firefox"
	return must[api.Actor](t)(f.ActorForSession(t.Context(), a, in.SessionID))
}

func eve(t *testing.T, f *apitest.Fixture) api.Actor {
	t.Helper()
	must[api.User](t)(f.CreateUser(t.Context(), f.Admin, api.CreateUserInput{Login: "eve", Role: api.RoleViewer, Password: apitest.Password}))
	return browserOf(t, f, signIn(t, f, "192.0.2.5", "eve", apitest.Password, ""))
}

func TestSessions(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	first := eve(t, f)
	second := browserOf(t, f, signIn(t, f, "192.0.2.6", "eve", apitest.Password, ""))
	third := browserOf(t, f, signIn(t, f, "192.0.2.7", "eve", apitest.Password, ""))
	list := must[[]api.Session](t)(f.ListSessions(t.Context(), first, first.UserID))
	if len(list) != 3 {
		t.Fatalf("sessions %+v", list)
	}
	for _, s := range list {
		if s.Method != api.MethodPassword || s.Address != "192.0.2.40" || s.Current != (s.ID == first.SessionID) {
			t.Errorf("session %+v", s)
		}
	}
	// Nobody ends another one's.
	wantFault(t, f.EndSession(t.Context(), f.Viewer, first.UserID, second.SessionID), api.CodeForbidden)
	wantFault(t, f.EndSession(t.Context(), f.Viewer, f.Viewer.UserID, second.SessionID), "session_not_found")
	if err := f.EndSession(t.Context(), first, first.UserID, second.SessionID); err != nil {
		t.Fatal(err)
	}
	_, err := f.ActorForSession(t.Context(), anyone("192.0.2.6"), second.SessionID)
	wantFault(t, err, api.CodeSignedOut)
	if err := f.EndSessions(t.Context(), first, first.UserID); err != nil {
		t.Fatal(err)
	}
	_, err = f.ActorForSession(t.Context(), anyone("192.0.2.7"), third.SessionID)
	wantFault(t, err, api.CodeSignedOut)
	must[api.Actor](t)(f.ActorForSession(t.Context(), anyone("192.0.2.5"), first.SessionID))
	// An admin ends all of them.
	if err := f.EndSessions(t.Context(), f.Admin, first.UserID); err != nil {
		t.Fatal(err)
	}
	_, err = f.ActorForSession(t.Context(), anyone("192.0.2.5"), first.SessionID)
	wantFault(t, err, api.CodeSignedOut)
}

// A session ends by itself when it is idle, and in any case after a time.
func TestSessionsEndByThemselves(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	a := eve(t, f)
	for _, age := range []string{"last_seen_at = now() - interval '13 hours'", "last_seen_at = now(), expires_at = now() - interval '1 second'"} {
		if _, err := f.Store.Pool().Exec(t.Context(), `UPDATE user_sessions SET `+age); err != nil {
			t.Fatal(err)
		}
		_, err := f.ActorForSession(t.Context(), anyone("192.0.2.5"), a.SessionID)
		wantFault(t, err, api.CodeSignedOut)
	}
}

// What the settings say of sessions holds at once, for those that have begun, too.
func TestSessionSettings(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	a := eve(t, f)
	signedIn := func() error {
		_, err := f.ActorForSession(t.Context(), anyone("192.0.2.5"), a.SessionID)
		return err
	}
	set := func(name, value string, revision int64) error {
		_, err := f.SaveSetting(t.Context(), f.Admin, api.SaveSettingInput{Name: name, Value: value, Revision: revision})
		return err
	}
	for _, bad := range []string{"4", "43201", "x", "-5"} {
		wantFault(t, set(api.SettingSessionIdle, bad, 0), api.CodeSettingInvalid)
	}
	wantFault(t, set(api.SettingSessionLifetime, "2161", 0), api.CodeSettingInvalid)
	if _, err := f.Store.Pool().Exec(t.Context(), `UPDATE user_sessions SET last_seen_at = now() - interval '10 minutes'`); err != nil {
		t.Fatal(err)
	}
	if err := set(api.SettingSessionIdle, "5", 0); err != nil {
		t.Fatal(err)
	}
	wantFault(t, signedIn(), api.CodeSignedOut)
	if got := must[[]api.Session](t)(f.ListSessions(t.Context(), f.Admin, a.UserID)); len(got) != 0 {
		t.Errorf("sessions that are over are listed: %+v", got)
	}
	if err := set(api.SettingSessionIdle, "15", 1); err != nil {
		t.Fatal(err)
	}
	if err := signedIn(); err != nil {
		t.Error(err)
	}
	if _, err := f.Store.Pool().Exec(t.Context(), `UPDATE user_sessions SET created_at = now() - interval '2 hours'`); err != nil {
		t.Fatal(err)
	}
	if err := set(api.SettingSessionLifetime, "1", 0); err != nil {
		t.Fatal(err)
	}
	wantFault(t, signedIn(), api.CodeSignedOut)
}

// An open stream ends with the session, and with what its person may see.
func TestWhileSignedIn(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	a := eve(t, f)
	ctx, stop := f.WhileSignedIn(t.Context(), a)
	defer stop()
	if ctx.Err() != nil {
		t.Fatal("it ended at once")
	}
	u := must[api.User](t)(f.GetUser(t.Context(), f.Admin, a.UserID))
	must[api.User](t)(f.UpdateUser(t.Context(), f.Admin, api.UpdateUserInput{ID: u.ID, Name: "Eve", Role: api.RoleHelpdesk, Revision: u.Revision}))
	<-ctx.Done()
	a = must[api.Actor](t)(f.ActorForSession(t.Context(), anyone("192.0.2.5"), a.SessionID))
	again, stop2 := f.WhileSignedIn(t.Context(), a)
	defer stop2()
	must[api.User](t)(f.SetUserDisabled(t.Context(), f.Admin, u.ID, true))
	<-again.Done()
}

// So does one of a program.
func TestWhileSignedInWithAToken(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	for _, end := range []func(api.NewToken) error{
		func(n api.NewToken) error { return f.RevokeToken(t.Context(), f.Viewer, n.ID) },
		func(api.NewToken) error {
			_, err := f.SetUserDisabled(t.Context(), f.Admin, f.Viewer.UserID, true)
			return err
		},
	} {
		made := must[api.NewToken](t)(f.CreateToken(t.Context(), f.Viewer, api.CreateTokenInput{Name: "ci", Role: api.RoleViewer}))
		ctx, stop := f.WhileSignedIn(t.Context(), program(t, f, made))
		defer stop()
		if ctx.Err() != nil {
			t.Fatal("it ended at once")
		}
		if err := end(made); err != nil {
			t.Fatal(err)
		}
		<-ctx.Done()
	}
}

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

// codeAt is what the telephone shows: the library's own answer, which RFC 6238's
// vectors hold.
func codeAt(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	return must[string](t)(totp.GenerateCode(secret, at))
}

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 12, 0, 10, 0, time.UTC)
	f := apitest.New(t, func(d *api.Deps) { d.Clock = func() time.Time { return now } })
	a := eve(t, f)
	other := browserOf(t, f, signIn(t, f, "192.0.2.6", "eve", apitest.Password, ""))
	secret := must[api.TOTPSecret](t)(f.BeginTOTP(t.Context(), a))
	if len(secret.Text) != 32 || !strings.HasPrefix(secret.URI, "otpauth://totp/Stickpress:eve?") || !strings.Contains(secret.URI, "secret="+secret.Text) {
		t.Errorf("secret %+v", secret)
	}
	if again := must[api.TOTPSecret](t)(f.PendingTOTP(t.Context(), a)); again != secret {
		t.Errorf("the page that is loaded again shows %+v", again)
	}
	// Nobody is asked for a code before it was proved.
	signIn(t, f, "192.0.2.7", "eve", apitest.Password, "")
	_, err := f.ConfirmTOTP(t.Context(), a, "wrong", codeAt(t, secret.Text, now))
	wantFault(t, err, api.CodePasswordWrong)
	_, err = f.ConfirmTOTP(t.Context(), a, apitest.Password, codeAt(t, secret.Text, now.Add(-2*time.Minute)))
	wantFault(t, err, api.CodeCodeWrong)
	codes := must[[]string](t)(f.ConfirmTOTP(t.Context(), a, apitest.Password, codeAt(t, secret.Text, now)))
	if len(codes) != 10 || len(codes[0]) != 19 || slices.Contains(codes[1:], codes[0]) {
		t.Errorf("codes %v", codes)
	}
	_, err = f.ActorForSession(t.Context(), anyone("192.0.2.6"), other.SessionID)
	wantFault(t, err, api.CodeSignedOut)
	_, err = f.BeginTOTP(t.Context(), a)
	wantFault(t, err, api.CodeSecondFactorOn)

	// The secret is nowhere in the clear, nor is a recovery code.
	var dump string
	if err := f.Store.Pool().QueryRow(t.Context(), `SELECT (SELECT string_agg(u::text, '') FROM users u) || (SELECT string_agg(r::text, '') FROM recovery_codes r)`).Scan(&dump); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(dump, secret.Text) || strings.Contains(strings.ToUpper(dump), strings.ReplaceAll(strings.ToUpper(codes[0]), "-", "")) {
		t.Error("the database has a secret in the clear")
	}

	second := func(code string, want string) {
		t.Helper()
		in := signIn(t, f, "192.0.2.7", "eve", apitest.Password, "")
		if !in.CodeNeeded || in.SessionID != "" {
			t.Fatalf("the password alone gives %+v", in)
		}
		got, err := f.SignInCode(t.Context(), anyone("192.0.2.7"), in.User.ID, api.MethodPassword, code)
		switch {
		case want != "":
			wantFault(t, err, api.CodeCodeWrong)
		case err != nil:
			t.Fatal(err)
		case got.SessionID == "":
			t.Error("no session")
		}
	}
	second(codeAt(t, secret.Text, now), "used") // the one that proved the secret
	now = now.Add(30 * time.Second)
	second(codeAt(t, secret.Text, now.Add(90*time.Second)), "too far ahead")
	second(codeAt(t, secret.Text, now.Add(30*time.Second)), "") // a clock that is ahead
	second(codeAt(t, secret.Text, now), "older than one that was used")
	second(codeAt(t, secret.Text, now.Add(30*time.Second)), "used")
	second(strings.ToUpper(codes[3]), "")
	second(codes[3], "used")
	if s := must[api.SecondFactor](t)(f.GetSecondFactor(t.Context(), a)); s.Since == nil || s.Codes != 9 {
		t.Errorf("second factor %+v", s)
	}
	// A link does not go around it.
	link := must[api.SignInLink](t)(f.CreateSignInLink(t.Context(), f.Admin, api.SignInLinkInput{Login: "eve"}))
	if in := must[api.SignedIn](t)(f.RedeemSignInLink(t.Context(), anyone("192.0.2.5"), link.Secret)); !in.CodeNeeded || in.SessionID != "" {
		t.Errorf("the link gives %+v", in)
	}
	link = must[api.SignInLink](t)(f.CreatePasswordLink(t.Context(), f.Admin, a.UserID))
	if in := must[api.SignedIn](t)(f.ChoosePassword(t.Context(), anyone("192.0.2.5"), link.Secret, apitest.Password)); !in.CodeNeeded || in.SessionID != "" {
		t.Errorf("the new password gives %+v", in)
	}

	in := signIn(t, f, "192.0.2.7", "eve", apitest.Password, "")
	done := must[api.SignedIn](t)(f.SignInCode(t.Context(), anyone("192.0.2.7"), in.User.ID, api.MethodPassword, codes[4]))
	a = browserOf(t, f, done)
	fresh := must[[]string](t)(f.RenewRecoveryCodes(t.Context(), a, apitest.Password))
	second(codes[5], "replaced")
	second(fresh[0], "")
	wantFault(t, f.DisableTOTP(t.Context(), a, "wrong"), api.CodePasswordWrong)
	if err := f.DisableTOTP(t.Context(), a, apitest.Password); err != nil {
		t.Fatal(err)
	}
	if in := signIn(t, f, "192.0.2.7", "eve", apitest.Password, ""); in.CodeNeeded {
		t.Error("a code is still asked for")
	}
}

// Whoever has the password does not get to guess the code.
func TestCodesAreLimited(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	a := eve(t, f)
	secret := must[api.TOTPSecret](t)(f.BeginTOTP(t.Context(), a))
	must[[]string](t)(f.ConfirmTOTP(t.Context(), a, apitest.Password, codeAt(t, secret.Text, time.Now())))
	tries := 0
	for range 10 {
		in, err := f.SignIn(t.Context(), anyone("192.0.2.7"), api.SignInInput{Login: "eve", Password: apitest.Password})
		if err != nil {
			wantFault(t, err, api.CodeTooManyAttempts)
			break
		}
		_, err = f.SignInCode(t.Context(), anyone("192.0.2.7"), in.User.ID, api.MethodPassword, "000000")
		if got(err) == api.CodeTooManyAttempts {
			break
		}
		wantFault(t, err, api.CodeCodeWrong)
		tries++
	}
	if tries != 6 {
		t.Errorf("%d codes were looked at", tries)
	}
	// An admin helps who has lost the telephone; nobody helps themselves.
	must[api.User](t)(f.UnlockUser(t.Context(), f.Admin, a.UserID))
	_, err := f.ResetTOTP(t.Context(), f.Viewer, a.UserID)
	wantFault(t, err, api.CodeForbidden)
	if u := must[api.User](t)(f.ResetTOTP(t.Context(), f.Admin, a.UserID)); u.SecondFactor {
		t.Error("it is still on")
	}
	if in := signIn(t, f, "192.0.2.7", "eve", apitest.Password, ""); in.CodeNeeded {
		t.Error("a code is still asked for")
	}
	_, err = f.ResetTOTP(t.Context(), f.Admin, f.Admin.UserID)
	wantFault(t, err, api.CodeOneself)
}

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

// Who typed a wrong password in somebody's browser, and who read what may hold
// passwords, is in the log.
func TestSecretsLeaveLines(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	a := eve(t, f)
	wantFault(t, f.ChangePassword(t.Context(), a, "wrong", "another long password"), api.CodePasswordWrong)
	templates := must[api.List[api.Template]](t)(f.ListTemplates(t.Context(), f.Admin, api.ShelfFilter{}, api.Page{Limit: 1}))
	must[string](t)(f.TemplateSource(t.Context(), f.Admin, templates.Items[0].ID))
	for action, by := range map[string]string{"change_password_failed": a.UserID, "template_source": f.Admin.UserID} {
		l := must[api.List[api.AuditEntry]](t)(f.ListAudit(t.Context(), f.Admin, api.AuditFilter{Action: action}, api.Page{}))
		if len(l.Items) != 1 || l.Items[0].ActorID != by {
			t.Errorf("%s: %+v", action, l.Items)
		}
		if !slices.Contains(api.AuditActions(), action) {
			t.Errorf("the log cannot be asked for %s", action)
		}
	}
	history := must[api.List[api.HistoryEntry]](t)(f.ListHistory(t.Context(), f.Admin, "template", templates.Items[0].ID, api.Page{})).Items
	if slices.ContainsFunc(history, func(e api.HistoryEntry) bool { return e.Action == "template_source" }) {
		t.Error("to read is a change")
	}
}

// A certificate is not replaced before the log says so.
func TestKeptCertificateHasItsLine(t *testing.T) {
	t.Parallel()
	var f *apitest.Fixture
	kept := 0
	f = apitest.New(t, func(d *api.Deps) {
		d.TLS = api.TLSFiles{Keep: func(_, _ []byte) error {
			l, err := f.ListAudit(t.Context(), f.Admin, api.AuditFilter{Action: "save_setting"}, api.Page{})
			kept = len(l.Items)
			return err
		}}
	})
	if err := f.KeepTLS(t.Context(), f.Admin, api.KeepTLSInput{Names: "desk.example"}); err != nil || kept != 1 {
		t.Errorf("%d lines when it was kept, error %v", kept, err)
	}
}
