// Package webtest boots the pages for tests: a console with real parts behind
// a listening server, visitors who are signed in, and a scene with something
// on every page (scene.go).
//
// A test package that uses it says once
//
//	func TestMain(m *testing.M) { storetest.Main(m) }
package webtest

import (
	"context"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/alexedwards/scs/pgxstore"
	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/upload"
	"github.com/stickpress/stickpress/store/blob"
	"github.com/stickpress/stickpress/web"
)

// Site is a listening console with its pages.
type Site struct {
	*apitest.Fixture
	URL string

	srv    *httptest.Server
	router chi.Router
}

// Start boots the pages over a new console, which may be changed by somebody
// who knows its URL. Everything goes with the test.
func Start(t testing.TB, change ...func(url string, d *api.Deps)) *Site {
	t.Helper()
	router := chi.NewRouter()
	s := &Site{srv: httptest.NewUnstartedServer(router), router: router}
	s.URL = "http://" + s.srv.Listener.Addr().String()
	s.Fixture = apitest.New(t, func(d *api.Deps) {
		// Nobody keeps a scene's hosts alive, and a browser on a busy machine is slow.
		d.OfflineAfter = time.Hour
		for _, c := range change {
			c(s.URL, d)
		}
	})
	s.serve(t, router)
	return s
}

// Bare boots the pages over a console on which there is nobody yet.
func Bare(t testing.TB) *Site {
	t.Helper()
	console, st := apitest.Bare(t)
	router := chi.NewRouter()
	s := &Site{Fixture: &apitest.Fixture{Console: console, Store: st, System: api.System("test")}, srv: httptest.NewUnstartedServer(router), router: router}
	s.URL = "http://" + s.srv.Listener.Addr().String()
	s.Staging = staging(t)
	s.serve(t, router)
	return s
}

// Break ends every connection, as a network does.
func (s *Site) Break() { s.srv.CloseClientConnections() }

func staging(t testing.TB) *blob.Staging {
	t.Helper()
	folder, err := blob.OpenStaging(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// serve wires the pages as cmd/stickpress does.
func (s *Site) serve(t testing.TB, r chi.Router) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	uploads, err := upload.New(upload.Deps{
		Console: s.Console, Staging: s.Staging, Logger: log,
		BasePath: "/uploads/", Actor: web.ActorOf, Render: web.RenderFault,
	})
	if err != nil {
		t.Fatal(err)
	}
	sessions := pgxstore.NewWithCleanupInterval(s.Store.Pool(), 0)
	// Streams end with the server, as they do when the console stops.
	base, stop := context.WithCancel(context.Background())
	s.srv.Config.BaseContext = func(net.Listener) context.Context { return base }
	s.srv.Start()
	t.Cleanup(func() {
		stop()
		s.srv.Close()
	})
	web.New(web.Deps{
		Console: s.Console, Sessions: sessions, Uploads: uploads, Receive: uploads.Receive, Logger: log, URL: s.URL,
	}).Mount(r)
}

// Link is the address of a one-time way in for a person.
func (s *Site) Link(t testing.TB, login string) string {
	t.Helper()
	link, err := s.CreateSignInLink(t.Context(), s.System, api.SignInLinkInput{Login: login})
	if err != nil {
		t.Fatal(err)
	}
	return s.URL + "/sign-in/link?" + url.Values{"token": {link.Secret}}.Encode()
}
