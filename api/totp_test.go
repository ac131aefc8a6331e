package api_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
)

// codeAt is what the telephone shows: the library's own answer, which RFC 6238's
// vectors hold.
func codeAt(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	return must[string](t)(totp.GenerateCode(secret, at))
}

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	clock := apitest.NewClock(time.Date(2026, 5, 4, 12, 0, 10, 0, time.UTC))
	f := apitest.New(t, func(d *api.Deps) { d.Clock = clock.Now })
	now := clock.Now()
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
	now = clock.Advance(30 * time.Second)
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
