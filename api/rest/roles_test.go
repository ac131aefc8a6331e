package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/resttest"
	"github.com/stickpress/stickpress/api/rest/wire"
	"github.com/stickpress/stickpress/store"
)

// asker is somebody whom every operation is tried with.
type asker struct {
	name   string
	role   api.Role // RoleNone: a request without a token
	token  string
	other  bool // all they have is another site than where everything is
	narrow bool // the token is for api.TokenRead alone
}

// lacks reports whether somebody's role or token is for less.
func (a asker) lacks(n *wire.Needs) bool {
	return !a.role.Includes(api.Role(n.Role)) || a.narrow && !slices.Equal(n.Scopes, []string{string(api.TokenRead)})
}

// roles holds what each operation does for whom to what the document says, which
// is what package api's tables say: whatever the world asks for, all others ask
// for, too, right before.
type roles struct {
	t      *testing.T
	s      *resttest.Server
	askers []asker
	tokens map[string]string             // by role and scopes
	got    map[string]map[string]refused // operation → asker → what came of it
	did    map[string][]api.Role         // operation → who did it
}

// refused is a status, and the problem's code where it is a refusal.
type refused struct {
	status int
	code   string
}

func newRoles(t *testing.T, s *resttest.Server) *roles {
	t.Helper()
	r := &roles{t: t, s: s, tokens: map[string]string{}, got: map[string]map[string]refused{}, did: map[string][]api.Role{}}
	other, err := s.SaveSite(t.Context(), s.Admin, api.SaveSiteInput{Name: "Elsewhere"})
	if err != nil {
		t.Fatal(err)
	}
	r.askers = []asker{
		{name: "nobody"},
		{name: "viewer", role: viewer, token: s.Token(viewer)},
		{name: "helpdesk", role: helpdesk, token: s.Token(helpdesk)},
		{name: "admin", role: admin, token: s.Token(admin)},
		{name: "helpdesk elsewhere", role: helpdesk, token: r.elsewhere(helpdesk, other.ID), other: true},
		{name: "admin elsewhere", role: admin, token: r.elsewhere(admin, other.ID), other: true},
		{name: "read-only admin", role: admin, token: r.token(admin, []string{string(api.TokenRead)}), narrow: true},
	}
	return r
}

// elsewhere is a token of somebody who has one site.
func (r *roles) elsewhere(role api.Role, site string) string {
	r.t.Helper()
	ctx := r.t.Context()
	u, err := r.s.CreateUser(ctx, r.s.Admin, api.CreateUserInput{Login: "elsewhere-" + string(role), Role: role, Sites: []string{site}})
	if err != nil {
		r.t.Fatal(err)
	}
	a, err := r.s.ActorForUser(ctx, api.Anonymous("en", "req", "192.0.2.1"), u.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	n, err := r.s.CreateToken(ctx, a, api.CreateTokenInput{Name: "test", Role: role})
	if err != nil {
		r.t.Fatal(err)
	}
	return n.Secret
}

// token is one of a role that is for these scopes alone.
func (r *roles) token(role api.Role, scopes []string) string {
	r.t.Helper()
	key := string(role) + " " + strings.Join(scopes, " ")
	if r.tokens[key] == "" {
		in := api.CreateTokenInput{Name: key, Role: role}
		for _, scope := range scopes {
			in.Scopes = append(in.Scopes, api.TokenScope(scope))
		}
		by := map[api.Role]api.Actor{viewer: r.s.Viewer, helpdesk: r.s.Helpdesk, admin: r.s.Admin}[role]
		n, err := r.s.CreateToken(r.t.Context(), by, in)
		if err != nil {
			r.t.Fatal(err)
		}
		r.tokens[key] = n.Secret
	}
	return r.tokens[key]
}

// before has everybody else ask for what is about to be done, the first time that
// it is. It returns the request with a token that is for no more than the
// document says that it needs.
func (r *roles) before(q ask) ask {
	r.t.Helper()
	op, ok := r.s.Contract.Find(q.method, q.path)
	if !ok {
		r.t.Fatalf("%s %s is not in the document", q.method, q.path)
	}
	if r.got[op.Name] == nil {
		r.got[op.Name] = map[string]refused{}
		for _, who := range r.askers {
			r.try(op, who, q)
		}
	}
	for _, role := range api.Roles {
		if q.token == r.s.Token(role) {
			r.did[op.Name] = append(r.did[op.Name], role)
			if op.ID != "create_token" && op.ID != "revoke_token" { // a token gives its own scopes, and is over those that it made
				q.token = r.token(role, scopesOf(op.Access))
			}
		}
	}
	return q
}

// scopesOf are the scopes of all requests of an operation.
func scopesOf(a wire.Access) []string {
	if a.Besides == nil {
		return a.Scopes
	}
	return append(slices.Clone(a.Scopes), a.Besides.Scopes...)
}

// try has somebody ask, unless they may: to change something once is enough.
func (r *roles) try(op resttest.Operation, who asker, q ask) {
	r.t.Helper()
	need := op.Access
	status, code := 0, ""
	named := strings.Contains(op.Name, "{")
	switch {
	case need.Role == string(api.RoleNone): // something else than a token decides
		r.got[op.Name][who.name] = refused{}
		return
	case who.role == api.RoleNone:
		status, code = http.StatusUnauthorized, "token_missing"
	case !who.role.Includes(api.Role(need.Role)):
		status, code = http.StatusForbidden, "forbidden"
	case who.other && need.Sites == "every":
		status, code = http.StatusForbidden, "every_site_needed"
	case who.narrow && !slices.Equal(need.Scopes, []string{string(api.TokenRead)}) && len(need.Scopes) > 0:
		status, code = http.StatusForbidden, "scope_missing"
	case who.other && need.Sites == "site" && named, need.Sites == "self" && named && who.token != q.token:
		status = http.StatusNotFound
	case q.method != http.MethodGet && need.Sites != "site", q.method != http.MethodGet && !who.other:
		r.got[op.Name][who.name] = refused{} // they may
		return
	}
	q.token = who.token
	got, body := r.send(q)
	r.got[op.Name][who.name] = got
	action := ""
	if p := problemIn(body); p.Code != "token_missing" {
		action = p.Params["action"]
	}
	turnedAway := got.status == http.StatusUnauthorized || slices.Contains([]string{"forbidden", "scope_missing", "every_site_needed"}, got.code)
	switch {
	case turnedAway && need.Besides != nil && slices.Contains(need.Besides.UseCases, api.UseCase(action)):
	case got.status == http.StatusNotFound && need.Besides != nil && who.lacks(need.Besides): // it is another person's
	case status == 0 && turnedAway, status == 0 && !who.other && got.status >= http.StatusBadRequest:
		r.t.Errorf("%s for %s: %+v, and they may", op.Name, who.name, got)
	case status == 0 && who.other && need.Sites == "site" && bytes.Contains(body, []byte(store.DefaultSite.String())):
		r.t.Errorf("%s tells %s of another site: %s", op.Name, who.name, body)
	case status == http.StatusNotFound && got.code == "sites_too_wide": // what they would give is not theirs
	case status != 0 && (got.status != status || got.code != "" && code != "" && got.code != code):
		r.t.Errorf("%s for %s: %+v, want %d %s", op.Name, who.name, got, status, code)
	case action != "" && !slices.Contains(need.UseCases, api.UseCase(action)):
		r.t.Errorf("%s for %s asked for %s, and not for one of %v", op.Name, who.name, action, need.UseCases)
	}
}

// send returns what came of a request; of a stream only how it began.
func (r *roles) send(q ask) (refused, []byte) {
	r.t.Helper()
	op, _ := r.s.Contract.Find(q.method, q.path)
	if !op.Stream {
		a := send(r.t, r.s, q)
		return outcome(a.status, a.body), a.body
	}
	ctx, leave := context.WithCancel(r.t.Context())
	defer leave()
	resp, err := http.DefaultTransport.RoundTrip(request(ctx, r.t, r.s, q))
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return refused{status: resp.StatusCode}, nil
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		r.t.Fatal(err)
	}
	return outcome(resp.StatusCode, body.Bytes()), body.Bytes()
}

func outcome(status int, body []byte) refused {
	return refused{status, problemIn(body).Code}
}

// problemIn is the problem of a refusal; a HEAD has none.
func problemIn(body []byte) (p wire.Problem) {
	if json.Unmarshal(body, &p) != nil {
		return wire.Problem{}
	}
	return p
}

// after says what was never tried, and what its least role never did.
func (r *roles) after() {
	r.t.Helper()
	for _, op := range r.s.Contract.All() {
		switch got := r.got[op.Name]; {
		case len(got) == 0:
			r.t.Errorf("%s was not tried by everybody", op.Name)
		case op.Access.Role != "" && !strings.HasPrefix(op.Name, "GET ") && !slices.Contains(r.did[op.Name], api.Role(op.Access.Role)):
			r.t.Errorf("%s is for %s, and no %s did it, but %v", op.Name, op.Access.Role, op.Access.Role, r.did[op.Name])
		}
	}
}
