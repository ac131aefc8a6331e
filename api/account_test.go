package api_test

import (
	"slices"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
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
