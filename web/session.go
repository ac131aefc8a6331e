package web

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/locale"
)

// Keys of a session.
const (
	keySession = "session" // an api.Session's ID
	keyPending = "pending" // who has yet to give a code, see pending
	keyService = "service" // a sign-in at the provider that was begun
	keyFlash   = "flash"
	keyScans   = "scans" // what was scanned, a view.ScanSitting
)

// Cookies that hold a choice, not a secret.
const (
	cookieTheme  = "theme"
	cookieLocale = "locale"
	cookieKeys   = "keys" // "off": no shortcuts of single letters
)

func newSessions(store scs.Store, secure bool) *scs.SessionManager {
	m := scs.New()
	m.Store = store
	m.HashTokenInStore = true
	// The console says when a session is over, by its settings; this is the most
	// that they may say.
	m.IdleTimeout = api.MaxSessionIdle
	m.Lifetime = api.MaxSessionLifetime
	m.Cookie.Name = "stickpress"
	m.Cookie.HttpOnly = true
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.Cookie.Secure = secure
	return m
}

type contextKey int

const (
	keyActor contextKey = iota
	keyNonce
)

// identify puts the actor into the request: the signed-in person, read anew
// from the console each time, or nobody.
func (s *Web) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		base := api.Anonymous(localeOf(r).String(), requestID(), peer(r))
		base.Agent = r.UserAgent()
		actor := base
		if id := s.sessions.GetString(r.Context(), keySession); id != "" {
			known, err := s.console.ActorForSession(r.Context(), base, id)
			switch {
			case err == nil:
				actor = known
				actor.Locale = locale.Match(cookie(r, cookieLocale), known.Locale).String()
			case fault.From(err).Kind == fault.KindUnauthenticated:
				s.sessions.Remove(r.Context(), keySession)
			default: // the database is away, say: that signs nobody out
				s.page(func(http.ResponseWriter, *http.Request) error { return err })(w, withActor(r, base))
				return
			}
		}
		next.ServeHTTP(w, withActor(r, actor))
	})
}

// signedIn sends people who are not signed in to the sign-in page, and back
// afterwards.
func (s *Web) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if actorOf(r).Kind == api.ActorUser {
			next.ServeHTTP(w, r)
			return
		}
		if r.Header.Get("Accept") == "text/event-stream" {
			_ = newStream(w).send("reload", "", "signed out") // the reader may be gone
			return
		}
		if strings.HasPrefix(r.URL.Path, "/uploads") {
			RenderFault(w, r, fault.New(fault.KindUnauthenticated, "signed_out"))
			return
		}
		if byScript(r) {
			w.Header().Set("HX-Refresh", "true")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Method == http.MethodPost {
			s.page(s.signedOut)(w, r)
			return
		}
		to := "/sign-in"
		if r.Method == http.MethodGet && r.URL.Path != "/" {
			to += "?" + url.Values{"next": {r.URL.RequestURI()}}.Encode()
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	})
}

// byScript reports whether a script of the page that is open asks, and not
// the browser for a new page.
func byScript(r *http.Request) bool { return r.Header.Get("HX-Request") != "" }

// fromElsewhere reports whether a browser says that another site made it ask
// (Fetch Metadata Request Headers, section 2.4): what a link leaves behind must
// not be left by others' links.
func fromElsewhere(r *http.Request) bool {
	from := r.Header.Get("Sec-Fetch-Site")
	return from == "cross-site" || from == "same-site"
}

func withActor(r *http.Request, a api.Actor) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), keyActor, a))
}

// pending is who has taken the first step to sign in.
type pending struct {
	User   string
	Method string
	Next   string    // where to go afterwards
	Until  time.Time // when the first step has to be taken again
}

// codePatience is how long somebody may look for their telephone.
const codePatience = 5 * time.Minute

// begin signs a person in under a new session token and leads to next, or to
// the page that asks for a code.
func (s *Web) begin(w http.ResponseWriter, r *http.Request, in api.SignedIn, next string) error {
	ctx := r.Context()
	// A token that somebody slipped into this browser is worth nothing from here on.
	if err := s.sessions.RenewToken(ctx); err != nil {
		return err
	}
	s.sessions.Remove(ctx, keySession)
	s.sessions.Remove(ctx, keyPending)
	if in.CodeNeeded {
		raw, err := json.Marshal(pending{User: in.User.ID, Method: in.Method, Next: localPath(next), Until: time.Now().Add(codePatience)})
		if err != nil {
			return err
		}
		s.sessions.Put(ctx, keyPending, raw)
		return see(w, r, "/sign-in/code")
	}
	s.sessions.Put(ctx, keySession, in.SessionID)
	return see(w, r, localPath(next))
}

// pendingOf is who is signing in within this browser, if anybody still is.
func (s *Web) pendingOf(r *http.Request) (pending, bool) {
	var p pending
	raw := s.sessions.GetBytes(r.Context(), keyPending)
	if len(raw) == 0 || json.Unmarshal(raw, &p) != nil || time.Now().After(p.Until) {
		return pending{}, false
	}
	return p, true
}

// ActorOf is the signed-in person of a request below Mount; the upload handler
// asks it.
func ActorOf(r *http.Request) (api.Actor, error) {
	a := actorOf(r)
	if a.Kind != api.ActorUser {
		return a, fault.New(fault.KindUnauthenticated, "signed_out")
	}
	return a, nil
}

// RenderFault answers a script: the status and the fault's sentence as text.
func RenderFault(w http.ResponseWriter, r *http.Request, f *fault.Error) {
	http.Error(w, localeOf(r).Fault(string(f.Code), f.Params), f.Kind.Status())
}

func actorOf(r *http.Request) api.Actor {
	a, _ := r.Context().Value(keyActor).(api.Actor)
	return a
}

// localeOf is the language that was chosen in this browser, else the person's,
// else what the browser asks for.
func localeOf(r *http.Request) locale.Locale {
	return locale.Match(actorOf(r).Locale, cookie(r, cookieLocale), r.Header.Get("Accept-Language"))
}

// themeOf is "light", "dark" or, for what the system says, empty.
func themeOf(r *http.Request) string {
	if t := cookie(r, cookieTheme); t == "light" || t == "dark" {
		return t
	}
	return ""
}

func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

func nonceOf(r *http.Request) string {
	n, _ := r.Context().Value(keyNonce).(string)
	return n
}

// secureHeaders sets a strict policy: everything from this server, nothing
// inline but the editor's style sheet, which carries the request's nonce.
func secureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw := make([]byte, 16)
		_, _ = rand.Read(raw) // never fails (crypto/rand)
		nonce := base64.RawURLEncoding.EncodeToString(raw)
		h := w.Header()
		h.Set("Content-Security-Policy", policy("'nonce-"+nonce+"'"))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), keyNonce, nonce)))
	})
}

// policy is the Content-Security-Policy of a page whose style sheets are this
// server's or as styles says.
func policy(styles string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self' " + styles + "; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}
