package web

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/locale"
)

// Keys of a session.
const (
	keyUser  = "user"
	keyFlash = "flash"
)

// Cookies that hold a choice, not a secret.
const (
	cookieTheme  = "theme"
	cookieLocale = "locale"
)

func newSessions(store scs.Store, secure bool) *scs.SessionManager {
	m := scs.New()
	m.Store = store
	m.HashTokenInStore = true
	m.IdleTimeout = 12 * time.Hour
	m.Lifetime = 14 * 24 * time.Hour
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
		actor := base
		if id := s.sessions.GetString(r.Context(), keyUser); id != "" {
			known, err := s.console.ActorForUser(r.Context(), base, id)
			if err == nil {
				actor = known
			} else {
				s.sessions.Remove(r.Context(), keyUser)
			}
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), keyActor, actor)))
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
		if r.Header.Get("HX-Request") != "" {
			w.Header().Set("HX-Redirect", "/sign-in")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		to := "/sign-in"
		if r.Method == http.MethodGet && r.URL.Path != "/" {
			to += "?next=" + r.URL.EscapedPath()
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	})
}

// begin signs a person in under a new session token.
func (s *Web) begin(r *http.Request, user api.User) error {
	if err := s.sessions.RenewToken(r.Context()); err != nil {
		return err
	}
	s.sessions.Put(r.Context(), keyUser, user.ID)
	return nil
}

func actorOf(r *http.Request) api.Actor {
	a, _ := r.Context().Value(keyActor).(api.Actor)
	return a
}

func localeOf(r *http.Request) locale.Locale {
	var chosen string
	if c, err := r.Cookie(cookieLocale); err == nil {
		chosen = c.Value
	}
	return locale.Match(chosen, r.Header.Get("Accept-Language"))
}

// themeOf is "light", "dark" or, for what the system says, empty.
func themeOf(r *http.Request) string {
	if c, err := r.Cookie(cookieTheme); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return ""
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
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-"+nonce+"'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), keyNonce, nonce)))
	})
}
