// Package resttest boots the REST API for tests: a console with real parts
// behind a listening server, tokens of every role, and a check of every answer
// against the OpenAPI document (contract.go).
//
// A test package that uses it says once
//
//	func TestMain(m *testing.M) { storetest.Main(m) }
package resttest

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/rest"
	"github.com/stickpress/stickpress/api/upload"
)

// Server is a listening REST API.
type Server struct {
	*apitest.Fixture
	URL      string // without Prefix
	Router   chi.Router
	Contract *Contract

	tokens map[api.Role]string
}

// Start boots a server. Everything goes with the test. wrap, if given, goes
// around the whole handler: it can break connections.
func Start(t testing.TB, wrap ...func(http.Handler) http.Handler) *Server {
	t.Helper()
	return On(t, apitest.New(t), wrap...)
}

// On is Start for a console that is there.
func On(t testing.TB, f *apitest.Fixture, wrap ...func(http.Handler) http.Handler) *Server {
	t.Helper()
	s := &Server{Fixture: f, tokens: map[api.Role]string{}}
	s.Router = Router(t, s.Fixture)
	for _, a := range []api.Actor{s.Admin, s.Helpdesk, s.Viewer} {
		token, err := s.CreateToken(t.Context(), a, api.CreateTokenInput{Name: "test", Role: a.Role})
		if err != nil {
			t.Fatal(err)
		}
		s.tokens[a.Role] = token.Secret
	}
	s.Contract = NewContract(t, s.Router)
	var h http.Handler = s.Contract
	for _, w := range wrap {
		h = w(h)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	s.URL = srv.URL
	return s
}

// Router is the API of a console, as cmd/stickpress wires it.
func Router(t testing.TB, f *apitest.Fixture) chi.Router {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	uploads, err := upload.New(upload.Deps{
		Console: f.Console, Staging: f.Staging, Actor: rest.ActorOf, BasePath: rest.UploadPath, Render: rest.RenderFault, Logger: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	door, err := rest.New(rest.Deps{Console: f.Console, Uploads: uploads, Logger: log, URL: "https://console.test"})
	if err != nil {
		t.Fatal(err)
	}
	r := chi.NewRouter()
	door.Mount(r)
	return r
}

// Token is a bearer token of a person of this role.
func (s *Server) Token(role api.Role) string { return s.tokens[role] }
