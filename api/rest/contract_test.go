package rest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest"
	"github.com/stickpress/stickpress/api/rest/resttest"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// Every operation of the document succeeds once and is refused once, with
// answers as described: the check itself is resttest.Contract.
func TestEveryOperation(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	w := newWorld(t, s)
	w.images()
	w.uploads()
	w.templates()
	w.jobs()
	w.people()
	w.tickets()
	w.events()
	w.webhooks()
	w.builds()
	w.tables()
	w.places()
	w.shelves()
	w.others()
	w.server()
	w.roles.after()
	w.roles.spotted()
	for op, id := range s.Contract.Operations() {
		if !s.Contract.Seen(id, func(status int) bool { return status < 400 }) {
			t.Errorf("no test of %s (%s) that succeeds", op, id)
		}
		// An unknown token is no refusal of the operation's own.
		if !s.Contract.Seen(id, func(status int) bool { return status >= 400 && status != http.StatusUnauthorized }) && !never[id] {
			t.Errorf("no test of %s (%s) that is refused", op, id)
		}
	}
}

// never are the operations that no signed-in actor is refused.
var never = map[string]bool{
	"get_overview": true, "get_me": true, "get_default_task_sequence": true, "upload_options": true, "get_identity": true,
}

// wantsNone are the operations by which a program gets its token.
var wantsNone = map[string]bool{"begin_pairing": true, "end_pairing": true}

// Every operation wants a token.
func TestEveryOperationWantsAToken(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	for op := range s.Contract.Operations() {
		method, path, _ := strings.Cut(op, " ")
		path = strings.NewReplacer("{", "", "}", "").Replace(path)
		a := send(t, s, ask{method: method, path: path})
		if wantsNone[s.Contract.Operations()[op]] == (a.status == http.StatusUnauthorized) {
			t.Errorf("%s without a token: status %d", op, a.status)
		}
	}
}

// A route that is not in the document is a mistake, and so is the reverse.
func TestRoutesAndDocumentAgree(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	documented := s.Contract.Operations()
	routes := map[string]bool{}
	err := chi.Walk(s.Router, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		path := strings.TrimPrefix(route, rest.Prefix)
		if strings.HasPrefix(path, "/openapi.") {
			return nil
		}
		routes[method+" "+path] = true
		if _, ok := documented[method+" "+path]; !ok {
			t.Errorf("%s %s is not in the document", method, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for op, id := range documented {
		if !routes[op] {
			t.Errorf("%s is in the document and not served", op)
		}
		if other, ok := ids[id]; ok || id == "" {
			t.Errorf("%s and %s have the same ID %q", op, other, id)
		}
		ids[id] = op
	}
}

func TestDocumentNeedsNoToken(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	for ext, begin := range map[string]string{"json": "{", "yaml": "components:"} {
		a := send(t, s, ask{method: "GET", path: "/openapi." + ext})
		if a.status != http.StatusOK || !strings.HasPrefix(string(a.body), begin) || a.header.Get("Content-Type") != "application/"+ext {
			t.Errorf("openapi.%s: status %d, %s, %.40q", ext, a.status, a.header.Get("Content-Type"), a.body)
		}
	}
}

// world goes through the API as a user would.
type world struct {
	t     *testing.T
	s     *resttest.Server
	roles *roles
}

func newWorld(t *testing.T, s *resttest.Server) *world { return &world{t, s, newRoles(t, s)} }

// ok sends a request that must succeed.
func (w *world) ok(status int, q ask) answer {
	w.t.Helper()
	a := send(w.t, w.s, w.roles.before(q))
	if a.status != status {
		w.t.Fatalf("%s %s: status %d, want %d: %s", q.method, q.path, a.status, status, a.body)
	}
	return a
}

// no sends a request that must be refused.
func (w *world) no(status int, code string, q ask) {
	w.t.Helper()
	a := send(w.t, w.s, q)
	if a.status != status {
		w.t.Fatalf("%s %s: status %d, want %d: %s", q.method, q.path, a.status, status, a.body)
	}
	if q.method != http.MethodHead {
		wantProblem(w.t, a, status, code)
	}
}

const (
	admin    = api.RoleAdmin
	helpdesk = api.RoleHelpdesk
	viewer   = api.RoleViewer
)

func (w *world) people() {
	s := w.s
	u := decode[api.User](w.t, w.ok(201, post(s, admin, "/users", wire.CreateUser{Login: "ann", Role: "viewer"})), 201)
	w.no(409, "name_taken", post(s, admin, "/users", wire.CreateUser{Login: "ann", Role: "viewer"}))
	w.ok(200, get(s, admin, "/users"))
	w.no(403, "forbidden", get(s, viewer, "/users"))
	w.ok(200, get(s, admin, "/users/"+u.ID))
	w.no(404, "user_not_found", get(s, admin, "/users/nope"))

	made := w.ok(201, post(s, admin, "/tokens", wire.CreateToken{Name: "ci", Role: "viewer", TTLSeconds: 3600}))
	n := decode[api.NewToken](w.t, made, 201)
	if at := made.header.Get("Location"); at != rest.Prefix+"/tokens/"+n.ID {
		w.t.Errorf("the token is at %q", at)
	}
	w.no(403, "forbidden", post(s, viewer, "/tokens", wire.CreateToken{Name: "ci", Role: "admin"}))
	w.ok(200, get(s, viewer, "/tokens"))
	w.no(422, "request_invalid", get(s, viewer, "/tokens?limit=-1"))
	w.ok(200, ask{method: "GET", path: "/overview", token: n.Secret})
	narrow := decode[api.NewToken](w.t, w.ok(201, post(s, admin, "/tokens", wire.CreateToken{
		Name: "narrow", Role: "admin", Scopes: []api.TokenScope{api.TokenAccount, api.TokenImages},
	})), 201)
	if want := []api.TokenScope{api.TokenImages, api.TokenAccount}; !slices.Equal(narrow.Scopes, want) {
		w.t.Errorf("the token is for %v, want %v", narrow.Scopes, want)
	}
	w.ok(200, ask{method: "GET", path: "/overview", token: narrow.Secret})
	w.ok(201, ask{method: "POST", path: "/images", token: narrow.Secret, body: wire.CreateImage{Name: "narrow"}})
	refused := send(w.t, s, ask{method: "GET", path: "/users", token: narrow.Secret})
	if p := wantProblem(w.t, refused, 403, "scope_missing"); p.Params["scope"] != "admin" {
		w.t.Errorf("missing is %+v", p)
	}
	w.no(403, "scope_missing", ask{method: "POST", path: "/tokens", token: narrow.Secret, body: wire.CreateToken{
		Name: "wider", Role: "admin", Scopes: []api.TokenScope{api.TokenJobs},
	}})
	w.no(422, "request_invalid", post(s, admin, "/tokens", wire.CreateToken{Name: "ci", Role: "viewer", Scopes: []api.TokenScope{"images"}}))
	if got := decode[api.Token](w.t, w.ok(200, get(s, admin, "/tokens/"+n.ID)), 200); got.Name != n.Name {
		w.t.Errorf("the token is %+v", got)
	}
	w.no(404, "token_not_found", get(s, admin, "/tokens/nope"))
	w.ok(200, get(s, admin, "/tokens/"+n.ID+"/history"))
	w.no(404, "token_not_found", get(s, admin, "/tokens/nope/history"))
	w.ok(200, get(s, admin, "/users/"+u.ID+"/history"))
	w.no(404, "user_not_found", get(s, admin, "/users/nope/history"))
	own := decode[api.NewToken](w.t, w.ok(201, post(s, viewer, "/tokens", wire.CreateToken{Name: "own", Role: "viewer"})), 201)
	w.ok(204, post(s, viewer, "/tokens/"+own.ID+"/revocations", nil))
	w.ok(204, post(s, admin, "/tokens/"+n.ID+"/revocations", nil))
	w.no(404, "token_not_found", post(s, admin, "/tokens/nope/revocations", nil))
	w.no(401, "token_invalid", ask{method: "GET", path: "/overview", token: n.Secret})

	if me := decode[api.Me](w.t, w.ok(200, get(s, viewer, "/me")), 200); me.Role != viewer || me.User.Login != "viewer" || me.Token == nil || me.Token.Login != "viewer" {
		w.t.Errorf("the viewer's token is %+v", me)
	}
	a := w.ok(201, ask{method: "POST", path: "/pairings", body: wire.BeginPairing{Client: "ada@laptop"}})
	p := decode[api.NewPairing](w.t, a, 201)
	w.no(422, "request_invalid", ask{method: "POST", path: "/pairings", body: wire.BeginPairing{}})
	path := "/pairings/" + p.ID + "/tokens"
	if at := a.header.Get("Location"); at != rest.Prefix+path {
		w.t.Errorf("Location is %q", at)
	}
	end := ask{method: "POST", path: path, body: wire.EndPairing{Secret: p.Secret}}
	if a := send(w.t, s, end); wantProblem(w.t, a, 409, "pairing_open").Params["retry_seconds"] != a.header.Get("Retry-After") {
		w.t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
	}
	if _, err := s.AnswerPairing(w.t.Context(), s.Viewer, api.AnswerPairingInput{Code: p.Code, Role: viewer}); err != nil {
		w.t.Fatal(err)
	}
	paired := decode[api.NewToken](w.t, w.ok(201, end), 201)
	w.no(404, "pairing_not_found", end)
	w.ok(200, ask{method: "GET", path: "/overview", token: paired.Secret})

	w.ok(200, get(s, admin, "/audit?object_kind=user&object_id="+u.ID))
	w.no(403, "forbidden", get(s, helpdesk, "/audit"))
}
