// Package web is the console's door for people: pages in a browser.
//
// One file holds one page or action, named after its path: job_new.go is
// /jobs/new. A handler decodes the request, calls one use case of package api
// and renders a templ component of web/view; rules are not made here. Handlers
// return errors, which page (below) turns into a status and a page that says
// what happened. Every form works without JavaScript; htmx makes pages live.
package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"
	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/static"
	"github.com/stickpress/stickpress/web/view"
)

// Deps is what the pages need.
type Deps struct {
	Console  *api.Console
	Sessions scs.Store    // where sessions are kept
	Uploads  http.Handler // the tus endpoint, mounted below /uploads/ for signed-in people
	Receive  Receive      // takes a file that a form without JavaScript carries
	Logger   *slog.Logger
	Secure   bool   // cookies only over TLS
	URL      string // how hosts reach the console, for the enrolment line
	// Fingerprint is that of the certificate in use, if nobody issued it, else
	// empty; may be nil.
	Fingerprint func() string
}

// Receive streams one file into the store, inspects it and returns its upload.
type Receive func(ctx context.Context, a api.Actor, fileName string, r io.Reader) (api.Upload, error)

// Web serves the pages.
type Web struct {
	console  *api.Console
	sessions *scs.SessionManager
	uploads  http.Handler
	receive  Receive
	log      *slog.Logger
	url      string

	fingerprint func() string
}

// New returns the pages' door.
func New(d Deps) *Web {
	return &Web{
		console: d.Console, sessions: newSessions(d.Sessions, d.Secure),
		uploads: d.Uploads, receive: d.Receive, log: d.Logger, url: d.URL, fingerprint: d.Fingerprint,
	}
}

// Mount adds every page to the router.
func (s *Web) Mount(root chi.Router) {
	root.Handle("/static/*", static.Handler())
	root.Group(func(r chi.Router) {
		r.Use(secureHeaders, http.NewCrossOriginProtection().Handler, s.sessions.LoadAndSave, s.identify, s.readForm)
		s.publicRoutes(r)
		r.Group(func(r chi.Router) {
			r.Use(s.signedIn)
			s.routes(r)
		})
		missing := s.page(func(http.ResponseWriter, *http.Request) error {
			return fault.New(fault.KindNotFound, "page_not_found")
		})
		r.NotFound(missing)
		r.MethodNotAllowed(missing)
	})
}

// handler is a page or an action. What it returns is shown by page.
type handler func(w http.ResponseWriter, r *http.Request) error

// page adapts a handler: an error becomes a page with the fault's sentence,
// its status and the request's ID, under which the log has the cause.
func (s *Web) page(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil || errors.Is(err, context.Canceled) {
			return
		}
		f := fault.From(err)
		status := f.Kind.Status()
		if status == http.StatusInternalServerError {
			s.log.ErrorContext(r.Context(), "page failed", "path", r.URL.Path, "request_id", actorOf(r).RequestID, "error", err)
		}
		s.render(w, r, status, view.FaultPage(s.frame(r, ""), f))
	}
}

// render writes a component with its status. It renders into a buffer first,
// so that a failure half-way does not leave half a page behind a 200.
func (s *Web) render(w http.ResponseWriter, r *http.Request, status int, c templ.Component) {
	var page bytes.Buffer
	if err := c.Render(r.Context(), &page); err != nil {
		s.log.ErrorContext(r.Context(), "render failed", "path", r.URL.Path, "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	writePage(w, r, status, &page)
}

// show is render with 200 as the last line of a handler.
func (s *Web) show(w http.ResponseWriter, r *http.Request, c templ.Component) error {
	s.render(w, r, http.StatusOK, c)
	return nil
}

// see sends the browser to another page after an action.
func see(w http.ResponseWriter, r *http.Request, path string) error {
	http.Redirect(w, r, path, http.StatusSeeOther)
	return nil
}

// frame is what the layout around every page needs.
func (s *Web) frame(r *http.Request, section string) view.Frame {
	a := actorOf(r)
	f := view.Frame{
		L: localeOf(r), Section: section, Path: r.URL.Path, Query: r.URL.Query(), Back: backOf(r), Theme: themeOf(r),
		Nonce: nonceOf(r), RequestID: a.RequestID,
		Actor: a, SignedIn: a.Kind == api.ActorUser, Again: r.Method == http.MethodGet,
		Keys: cookie(r, cookieKeys) != "off",
	}
	if !f.Again {
		f.Posted = r.PostForm
	}
	var err error
	if f.Banner, err = s.console.Banner(r.Context()); err != nil {
		s.log.WarnContext(r.Context(), "the banner is not known", "error", err)
	}
	if !strings.HasSuffix(r.URL.Path, "/live") && !byScript(r) { // who shows no flash must not eat it
		f.Flash = s.sessions.PopString(r.Context(), keyFlash)
	}
	return f
}

// backOf is the page to return to after the preferences were changed: this
// one, or for the answer to a form the page that the form was on.
func backOf(r *http.Request) string {
	if r.Method == http.MethodGet {
		return r.URL.RequestURI()
	}
	if u, err := url.Parse(r.Referer()); err == nil && u.Host == r.Host {
		return localPath(u.RequestURI())
	}
	return "/"
}

// flash keeps a sentence for the next page that is shown.
func (s *Web) flash(r *http.Request, sentence string) {
	s.sessions.Put(r.Context(), keyFlash, sentence)
}

func requestID() string { return "req_" + uuid.NewString() }

// peer is the address of the other end without its port.
func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
