package api_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
)

// A program asks, a person allows, and the program alone gets one token of the
// person's.
func TestPairing(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	ctx, program := t.Context(), anyone("192.0.2.30")
	p := must[api.NewPairing](t)(f.BeginPairing(ctx, program, "ada@laptop"))
	_, err := f.EndPairing(ctx, program, p.ID, p.Secret)
	wantFault(t, err, api.CodePairingOpen)
	typed := " " + strings.ToLower(strings.ReplaceAll(p.Code, "-", " "))
	if seen := must[api.Pairing](t)(f.GetPairing(ctx, f.Helpdesk, typed)); seen != p.Pairing || seen.Address != "192.0.2.30" || seen.Client != "ada@laptop" {
		t.Errorf("%+v, want %+v", seen, p.Pairing)
	}
	_, err = f.AnswerPairing(ctx, f.Helpdesk, api.AnswerPairingInput{Code: p.Code, Role: api.RoleAdmin})
	wantFault(t, err, api.CodeForbidden)
	must[api.Pairing](t)(f.AnswerPairing(ctx, f.Helpdesk, api.AnswerPairingInput{
		Code: p.Code, Role: api.RoleViewer, Scopes: []api.TokenScope{api.TokenRead}, TTL: time.Hour,
	}))
	_, err = f.AnswerPairing(ctx, f.Admin, api.AnswerPairingInput{Code: p.Code, Role: api.RoleAdmin})
	wantFault(t, err, "pairing_not_found") // there is nothing to ask any more
	_, err = f.EndPairing(ctx, program, p.ID, p.Secret+"x")
	wantFault(t, err, "pairing_not_found")

	// Of many who ask at once with the secret one gets it.
	var got atomic.Pointer[api.NewToken]
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			token, err := f.EndPairing(ctx, program, p.ID, p.Secret)
			switch {
			case err == nil && !got.CompareAndSwap(nil, &token):
				t.Error("two tokens were made")
			case err != nil && !errors.Is(err, fault.New(fault.KindNotFound, "pairing_not_found")):
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	token := got.Load()
	if token == nil {
		t.Fatal("nobody got the token")
	}
	a := must[api.Actor](t)(f.ActorForToken(ctx, program, token.Secret))
	if a.UserID != f.Helpdesk.UserID || a.Role != api.RoleViewer || len(a.Scopes) != 1 || token.Name != "ada@laptop" || !token.ExpiresAt.Equal(token.CreatedAt.Add(time.Hour)) {
		t.Errorf("the token %+v is %+v", token, a)
	}
	log := must[api.List[api.AuditEntry]](t)(f.ListAudit(ctx, f.Admin, api.AuditFilter{ObjectKind: "pairing"}, api.Page{}))
	if len(log.Items) != 1 || log.Items[0].ObjectID != p.ID || !strings.Contains(string(log.Items[0].After), "ada@laptop") || log.Items[0].ActorName != "helpdesk" {
		t.Errorf("audit log: %+v", log.Items)
	}
}

// What ends a pairing without a token.
func TestPairingRefused(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	ctx, program := t.Context(), anyone("192.0.2.31")
	begin := func() api.NewPairing { return must[api.NewPairing](t)(f.BeginPairing(ctx, program, "x")) }
	end := func(p api.NewPairing, code fault.Code) {
		t.Helper()
		_, err := f.EndPairing(ctx, program, p.ID, p.Secret)
		wantFault(t, err, code)
	}
	allow := func(a api.Actor, p api.NewPairing) {
		t.Helper()
		must[api.Pairing](t)(f.AnswerPairing(ctx, a, api.AnswerPairingInput{Code: p.Code, Role: a.Role}))
	}
	denied := begin()
	must[api.Pairing](t)(f.AnswerPairing(ctx, f.Viewer, api.AnswerPairingInput{Code: denied.Code, Deny: true}))
	end(denied, api.CodePairingDenied)

	// Who was shut out, or may do less, before the program came for it.
	gone, less := begin(), begin()
	allow(f.Helpdesk, gone)
	must[api.User](t)(f.SetUserDisabled(ctx, f.Admin, f.Helpdesk.UserID, true))
	end(gone, "pairing_not_found")
	must[api.User](t)(f.SetUserDisabled(ctx, f.Admin, f.Helpdesk.UserID, false))
	end(gone, "pairing_not_found")
	allow(f.Helpdesk, less)
	must[api.User](t)(f.UpdateUser(ctx, f.Admin, api.UpdateUserInput{ID: f.Helpdesk.UserID, Name: "h", Role: api.RoleViewer}))
	end(less, "pairing_not_found")

	// A program must not answer a program.
	asked := begin()
	made := must[api.NewToken](t)(f.CreateToken(ctx, f.Admin, api.CreateTokenInput{Name: "t", Role: api.RoleAdmin}))
	robot := must[api.Actor](t)(f.ActorForToken(ctx, program, made.Secret))
	_, err := f.AnswerPairing(ctx, robot, api.AnswerPairingInput{Code: asked.Code, Role: api.RoleAdmin})
	wantFault(t, err, api.CodePeopleOnly)

	// Ten minutes, and nothing stays.
	allow(f.Admin, asked)
	if asked.ExpiresAt.Sub(asked.CreatedAt) != 10*time.Minute {
		t.Errorf("it is good from %v until %v", asked.CreatedAt, asked.ExpiresAt)
	}
	if _, err := f.Store.Pool().Exec(ctx, `UPDATE pairings SET expires_at = now() WHERE code = $1`, strings.ReplaceAll(asked.Code, "-", "")); err != nil {
		t.Fatal(err)
	}
	end(asked, "pairing_not_found")
	if _, err := f.Store.DropExpired(ctx); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := f.Store.Pool().QueryRow(ctx, `SELECT count(*) FROM pairings WHERE state = 'allowed'`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d pairings are left, %v", left, err)
	}

	// Who tries codes is stopped, even with the right one, and stops nobody else. The
	// right one costs nothing, and wipes out nothing.
	fresh := begin()
	for range 6 {
		must[api.Pairing](t)(f.GetPairing(ctx, f.Viewer, fresh.Code))
		_, err = f.GetPairing(ctx, f.Viewer, "BBBB-BBBB")
		wantFault(t, err, "pairing_not_found")
	}
	_, err = f.GetPairing(ctx, f.Viewer, fresh.Code)
	wantFault(t, err, api.CodeTooManyAttempts)
	must[api.Pairing](t)(f.GetPairing(ctx, f.Admin, fresh.Code))
	for range 61 {
		_, err = f.BeginPairing(ctx, anyone("192.0.2.32"), "x")
	}
	wantFault(t, err, api.CodeTooManyAttempts)
}
