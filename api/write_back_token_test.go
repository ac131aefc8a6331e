package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/connector"
	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/web/locale"
)

// issuer is a token server, whose tokens are t1, t2, …, and the ticket system that
// takes them.
type issuer struct {
	*httptest.Server
	mu     sync.Mutex
	given  int                                          // tokens
	heard  []string                                     // what proved each thing that the ticket system was told
	answer func(w http.ResponseWriter, r *http.Request) // in place of a token, if set
	life   string                                       // expires_in, in JSON; empty leaves it out
	takes  func(token string) bool
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	x := &issuer{life: "3600", takes: func(string) bool { return true }}
	x.Server = httptest.NewServer(x)
	t.Cleanup(x.Close)
	return x
}

func (x *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case r.URL.Path != "/token":
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		x.heard = append(x.heard, token)
		if !x.takes(token) {
			w.WriteHeader(http.StatusUnauthorized)
		}
	case x.answer != nil:
		x.answer(w, r)
	default:
		x.given++
		life := ""
		if x.life != "" {
			life = `,"expires_in":` + x.life
		}
		_, _ = fmt.Fprintf(w, `{"access_token":"t%d","token_type":"bearer"%s}`, x.given, life)
	}
}

// set changes how it answers.
func (x *issuer) set(change func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	change()
}

// teller tells one ticket, again and again.
type teller struct {
	*apitest.Fixture
	t         *testing.T
	issuer    *issuer
	connector api.NewConnector
	request   string
	writeBack string
	attempts  int
	changes   <-chan struct{}
}

func newTeller(t *testing.T, x *issuer, auth api.WriteBackAuth, change ...func(*api.Deps)) *teller {
	t.Helper()
	f := apitest.New(t, change...)
	local(t, f)
	auth.TokenURL = x.URL + "/token"
	k, requests := asked(t, f, x.Server, auth, "their password", "their secret")
	return &teller{Fixture: f, t: t, issuer: x, connector: k, request: requests[0].ID, changes: f.Store.Watch(t.Context(), store.TopicRequests)}
}

// tell tells it once more, and returns how that went and what proved it.
func (x *teller) tell() (api.WriteBackAttempt, []string) {
	x.t.Helper()
	x.issuer.set(func() { x.issuer.heard = nil })
	if x.writeBack == "" {
		must[api.StickRequest](x.t)(x.DeclineStickRequest(x.t.Context(), x.Helpdesk, api.MoveRequestInput{ID: x.request, Reason: "no stick"}))
	} else {
		idle(x.t, x.Fixture)
		must[api.WriteBack](x.t)(x.ResendWriteBack(x.t.Context(), x.Admin, x.connector.ID, x.writeBack))
	}
	x.attempts++
	for range x.changes {
		for _, w := range must[api.List[api.WriteBack]](x.t)(x.ListWriteBacks(x.t.Context(), x.Admin, x.connector.ID, api.Page{})).Items {
			if w.StickRequestID == x.request && len(w.Attempts) == x.attempts {
				x.writeBack = w.ID
				x.issuer.mu.Lock()
				defer x.issuer.mu.Unlock()
				return w.Attempts[x.attempts-1], x.issuer.heard
			}
		}
	}
	x.t.Fatal("the ticket is told nothing")
	return api.WriteBackAttempt{}, nil
}

// idle returns when no background work is under way: what a write-back came to is
// known a moment before its work has ended.
func idle(t *testing.T, f *apitest.Fixture) {
	t.Helper()
	for busy := true; busy; {
		if err := f.Store.Pool().QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM river.river_job WHERE state = 'running')`).Scan(&busy); err != nil {
			t.Fatal(err)
		}
	}
}

// A token is fetched once for many write-backs, until shortly before it is over,
// until it is refused, or until the connector's settings change.
func TestTokenIsKept(t *testing.T) {
	t.Parallel()
	clock := apitest.NewClock(time.Now())
	x := newIssuer(t)
	auth := api.WriteBackAuth{Kind: api.AuthClient, ClientID: "stickpress"}
	f := newTeller(t, x, auth, func(d *api.Deps) { d.Clock = clock.Now })
	wants := func(step, heard string, status int) {
		t.Helper()
		got, tokens := f.tell()
		if strings.Join(tokens, " ") != heard || got.Status != status || (got.Fault == nil) != (status == http.StatusOK) {
			t.Errorf("%s: told by %v, %+v; want %s, %d", step, tokens, got, heard, status)
		}
	}
	wants("first", "t1", http.StatusOK)
	wants("kept", "t1", http.StatusOK)
	clock.Advance(58 * time.Minute)
	wants("still good", "t1", http.StatusOK)
	clock.Advance(time.Minute)
	wants("nearly over", "t2", http.StatusOK)
	x.set(func() { x.takes = func(token string) bool { return token != "t2" } })
	wants("revoked", "t2 t3", http.StatusOK)
	wants("kept again", "t3", http.StatusOK)
	x.set(func() { x.takes = func(string) bool { return false } })
	wants("none is taken", "t3 t4", http.StatusUnauthorized)
	wants("a fresh one is not tried twice", "t5", http.StatusUnauthorized)
	x.set(func() { x.takes = func(string) bool { return true } })
	wants("taken again", "t6", http.StatusOK)

	save := func(change func(*api.SaveWriteBackInput)) {
		t.Helper()
		k := must[api.Connector](t)(f.GetConnector(t.Context(), f.Admin, f.connector.ID))
		in := api.SaveWriteBackInput{ID: k.ID, Config: k.WriteBack, Revision: k.Revision}
		change(&in)
		must[api.Connector](t)(f.SaveWriteBack(t.Context(), f.Admin, in))
	}
	save(func(in *api.SaveWriteBackInput) { in.Config.Auth.Scope = "tickets" })
	wants("another scope", "t7", http.StatusOK)
	save(func(in *api.SaveWriteBackInput) { in.ClientSecret = "another secret" })
	wants("another secret", "t8", http.StatusOK)
	save(func(in *api.SaveWriteBackInput) { in.Config.Events = []string{connector.EventDeclined} })
	x.set(func() { x.life = "" })
	wants("nothing of the token's", "t8", http.StatusOK)
	clock.Advance(time.Hour)
	wants("nobody says how long it is good", "t9", http.StatusOK)
	wants("so it is not kept", "t10", http.StatusOK)
}

// What happens at the same time is told with one token.
func TestTokenIsFetchedOnce(t *testing.T) {
	t.Parallel()
	x := newIssuer(t)
	f := newTeller(t, x, api.WriteBackAuth{Kind: api.AuthClient, ClientID: "stickpress"})
	for _, q := range must[api.List[api.StickRequest]](t)(f.ListStickRequests(t.Context(), f.Helpdesk, api.StickRequestFilter{}, api.Page{})).Items {
		must[api.StickRequest](t)(f.DeclineStickRequest(t.Context(), f.Helpdesk, api.MoveRequestInput{ID: q.ID, Reason: "no stick"}))
	}
	for range f.changes {
		sent := 0
		for _, w := range must[api.List[api.WriteBack]](t)(f.ListWriteBacks(t.Context(), f.Admin, f.connector.ID, api.Page{})).Items {
			if w.State == store.WriteBackSent {
				sent++
			}
		}
		if sent == 2 {
			break
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.given != 1 || strings.Join(x.heard, " ") != "t1 t1" {
		t.Errorf("%d tokens, told by %v", x.given, x.heard)
	}
}

// A client may prove itself by HTTP Basic (RFC 6749 section 2.3.1): ID and secret
// are encoded as in a form, and are not in it. What is said back of it is masked.
func TestClientProvesItself(t *testing.T) {
	t.Parallel()
	const id, secret = "stick press:é", "their+secret %/:0123"
	x := newIssuer(t)
	f := newTeller(t, x, api.WriteBackAuth{Kind: api.AuthPassword, ClientID: id, User: "glpi"})
	save := func(way api.ClientAuth) error {
		k := must[api.Connector](t)(f.GetConnector(t.Context(), f.Admin, f.connector.ID))
		k.WriteBack.Auth.ClientAuth = way
		_, err := f.SaveWriteBack(t.Context(), f.Admin, api.SaveWriteBackInput{ID: k.ID, Config: k.WriteBack, ClientSecret: secret, Revision: k.Revision})
		return err
	}
	if got := must[api.Connector](t)(f.GetConnector(t.Context(), f.Admin, f.connector.ID)).WriteBack.Auth.ClientAuth; got != api.ClientPost {
		t.Errorf("what is meant if nothing is said is %q", got)
	}
	wantFault(t, save("none"), api.CodeAuthInvalid)
	token := `{"access_token":"some","token_type":"Bearer","expires_in":3600}`
	for _, way := range []api.ClientAuth{api.ClientPost, api.ClientBasic} {
		if err := save(way); err != nil {
			t.Fatal(err)
		}
		var user, password string
		var form url.Values
		x.set(func() {
			x.answer = func(w http.ResponseWriter, r *http.Request) {
				user, password, _ = r.BasicAuth()
				_ = r.ParseForm() // as far as it is one
				form = r.PostForm
				_, _ = io.WriteString(w, token)
			}
		})
		if got, heard := f.tell(); got.Fault != nil || strings.Join(heard, " ") != "some" {
			t.Errorf("%s: %+v, told by %v", way, got, heard)
		}
		if way == api.ClientBasic {
			user, _ = url.QueryUnescape(user)
			password, _ = url.QueryUnescape(password)
		} else {
			user, password = form.Get("client_id"), form.Get("client_secret")
		}
		if user != id || password != secret || form.Get("username") != "glpi" || form.Get("password") != "their password" || form.Has("client_secret") != (way == api.ClientPost) {
			t.Errorf("%s: %q %q, %v", way, user, password, form)
		}
	}
	x.set(func() {
		x.answer = func(w http.ResponseWriter, r *http.Request) {
			_, password, _ := r.BasicAuth()
			_ = json.NewEncoder(w).Encode(map[string]string{"error": "no " + password + ", " + strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")})
		}
		x.takes = func(token string) bool { return token != "some" }
	})
	if got, _ := f.tell(); got.Fault == nil || got.Fault.Code != string(api.CodeTokenRefused) || got.Fault.Params["why"] != "no "+connector.Masked+", "+connector.Masked {
		t.Errorf("kept is %+v", got.Fault)
	}
}

// Where no token comes, the ticket system was asked nothing, and that is said.
func TestTokenServerIsSilent(t *testing.T) {
	t.Parallel()
	x := newIssuer(t)
	late := make(chan struct{})
	f := newTeller(t, x, api.WriteBackAuth{Kind: api.AuthClient, ClientID: "stickpress"}, until(late))
	for _, c := range []struct {
		code   fault.Code
		answer http.HandlerFunc
	}{
		{api.CodeTokenBroken, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{api.CodeTokenLate, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else nobody looks whether the other end has gone
			close(late)
			<-r.Context().Done()
		}},
	} {
		x.set(func() { x.answer = c.answer })
		got, heard := f.tell()
		if got.Fault == nil || got.Fault.Code != string(c.code) || got.Status != 0 || len(heard) != 0 {
			t.Fatalf("%s: %+v, told by %v", c.code, got, heard)
		}
		for _, l := range locale.All() {
			if said := l.Fault(got.Fault.Code, got.Fault.Params); strings.Contains(said, "{") || said == l.Fault("answer_late", got.Fault.Params) {
				t.Errorf("%s: %s", l, said)
			}
		}
	}
}

// What waits for its next attempt is told at once, and by one piece of work.
func TestWaitingIsHurried(t *testing.T) {
	t.Parallel()
	x := newIssuer(t)
	x.takes = func(string) bool { return false }
	f := newTeller(t, x, api.WriteBackAuth{Kind: api.AuthBasic, User: "ada"})
	f.tell()
	for range 3 {
		if got, heard := f.tell(); got.Status != http.StatusUnauthorized || len(heard) != 1 {
			t.Errorf("told by %v: %+v", heard, got)
		}
	}
	idle(t, f.Fixture)
	var queued int
	count := func(states string) int {
		t.Helper()
		if err := f.Store.Pool().QueryRow(t.Context(), `SELECT count(*) FROM river.river_job WHERE kind = 'write_back' `+states).Scan(&queued); err != nil {
			t.Fatal(err)
		}
		return queued
	}
	if n := count(""); n != 1 {
		t.Errorf("%d pieces of work for one write-back", n)
	}
	sql(t, f.Fixture, `DELETE FROM river.river_job`)
	x.set(func() { x.takes = func(string) bool { return true } })
	if got, _ := f.tell(); got.Status != http.StatusOK {
		t.Errorf("of what nothing was queued: %+v", got)
	}
	f.tell() // what was sent
	idle(t, f.Fixture)
	if n := count(`AND state <> 'completed'`); n != 0 {
		t.Errorf("%d pieces of work are left", n)
	}
}
