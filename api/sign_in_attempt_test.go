package api_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/directory"
	"github.com/stickpress/stickpress/api/directory/directorytest"
)

// Whoever knows a login keeps its owner out of nothing: not where they have a
// network of their own, not out of the second step, and not for long where the
// attempts come from everywhere.
func TestStrangersLockNobodyOut(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	a := eve(t, f)
	for range 6 {
		signIn(t, f, "192.0.2.66", "eve", "wrong", api.CodeSignInFailed)
	}
	signIn(t, f, "192.0.2.66", "eve", apitest.Password, api.CodeTooManyAttempts)
	signIn(t, f, "192.0.2.5", "eve", apitest.Password, "")
	if err := f.ChangePassword(t.Context(), a, apitest.Password, apitest.Password); err != nil {
		t.Errorf("asked for the password once more: %v", err)
	}
	for i := range 51 {
		signIn(t, f, fmt.Sprintf("198.51.100.%d", i), "eve", "wrong", api.CodeSignInFailed)
	}
	// A second is over before a busy machine asks again: the pause is looked up.
	var wait float64
	if err := f.Store.Pool().QueryRow(t.Context(),
		`SELECT extract(epoch FROM locked_until - last_at)::float8 FROM sign_in_attempts ORDER BY failures DESC LIMIT 1`).Scan(&wait); err != nil || wait < 1 || wait > 2 {
		t.Errorf("after many from everywhere, one is to wait for %v s (%v)", wait, err)
	}
	if _, err := f.Store.Pool().Exec(t.Context(), `UPDATE sign_in_attempts SET failures = 100, locked_until = now() - interval '1 second'`); err != nil {
		t.Fatal(err)
	}
	signIn(t, f, "203.0.113.1", "eve", "wrong", api.CodeSignInFailed)
	_, err := f.SignIn(t.Context(), anyone("192.0.2.5"), api.SignInInput{Login: "eve", Password: apitest.Password})
	if seconds, err := strconv.Atoi(faultOf(t, err, api.CodeTooManyAttempts).Params["retry_seconds"]); err != nil || seconds > 61 {
		t.Errorf("after very many, one is to wait for %d s (%v)", seconds, err)
	}
}

// Codes have a count of their own: passwords that fail elsewhere do not reach
// it, and it is a person's wherever the codes come from.
func TestCodesAreCountedByThemselves(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	a := eve(t, f)
	secret := must[api.TOTPSecret](t)(f.BeginTOTP(t.Context(), a))
	codes := must[[]string](t)(f.ConfirmTOTP(t.Context(), a, apitest.Password, codeAt(t, secret.Text, time.Now())))
	in := signIn(t, f, "192.0.2.5", "eve", apitest.Password, "")
	for range 6 {
		signIn(t, f, "192.0.2.5", "eve", "wrong", api.CodeSignInFailed)
	}
	must[api.SignedIn](t)(f.SignInCode(t.Context(), anyone("192.0.2.5"), in.User.ID, api.MethodPassword, codes[0]))
	for i := range 6 {
		_, err := f.SignInCode(t.Context(), anyone(fmt.Sprintf("192.0.2.%d", 10+i)), in.User.ID, api.MethodPassword, "000000")
		wantFault(t, err, api.CodeCodeWrong)
	}
	_, err := f.SignInCode(t.Context(), anyone("192.0.2.40"), in.User.ID, api.MethodPassword, codes[1])
	wantFault(t, err, api.CodeTooManyAttempts)
	if u := must[api.User](t)(f.GetUser(t.Context(), f.Admin, a.UserID)); u.LockedUntil == nil {
		t.Error("the admin does not see that codes rest")
	}
	must[api.User](t)(f.UnlockUser(t.Context(), f.Admin, a.UserID))
	must[api.SignedIn](t)(f.SignInCode(t.Context(), anyone("192.0.2.40"), in.User.ID, api.MethodPassword, codes[1]))
}

// One person of the directory has one count, however their login is spelt.
func TestSpellingsAreOneLogin(t *testing.T) {
	t.Parallel()
	s := directorytest.Start(t, directorytest.Person("ada", "Ada", "engine"))
	s.Modify(t, "dn: uid=ada,ou=people,"+directorytest.Suffix+"\nchangetype: modify\nadd: mail\nmail: ada@example.org\nmail: lovelace@example.org\n")
	config := s.Config()
	config.UserFilter = "(|(uid={login})(mail={login}))"
	f := apitest.New(t, func(d *api.Deps) {
		d.People = &api.PeopleDirectory{Directory: directory.New(config), Grants: []api.Grant{{Group: "*", Role: api.RoleViewer}}}
	})
	// A directory takes these for "ada" (RFC 4518, sections 2.3 and 2.6).
	for _, odd := range []string{" ada", "ada ", "\uff41da", "a\u00adda"} {
		signIn(t, f, "192.0.2.5", odd, "engine", api.CodeSignInFailed)
	}
	for _, login := range []string{"ada", "ada@example.org", "lovelace@example.org", "ada", "ada@example.org", "lovelace@example.org"} {
		signIn(t, f, "192.0.2.5", login, "wrong", api.CodeSignInFailed)
	}
	for _, login := range []string{"ada", "ada@example.org"} {
		signIn(t, f, "192.0.2.5", login, "engine", api.CodeTooManyAttempts)
	}
	// Who comes in by any of them starts anew with all.
	for range 3 {
		for range 3 {
			signIn(t, f, "192.0.2.6", "ada@example.org", "wrong", api.CodeSignInFailed)
		}
		signIn(t, f, "192.0.2.6", "ada@example.org", "engine", "")
	}
}
