package rest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/rest/wire"
	"github.com/stickpress/stickpress/web/locale"
)

// request is what the door knows of a request, from begin on.
type request struct {
	id, method, path string
	locale           locale.Locale
	actor            api.Actor
	locate           func(field string) string // see REST.locate
}

type requestKey struct{}

// requestOf returns what begin kept.
func requestOf(ctx context.Context) *request {
	r, ok := ctx.Value(requestKey{}).(*request)
	if !ok {
		return &request{locate: func(string) string { return "" }}
	}
	return r
}

// requestID is what we take over from a proxy that numbers requests.
var requestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// begin gives a request its ID and locale, and an actor that nobody has signed
// in for yet.
func (s *REST) begin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := &request{
			id: r.Header.Get(wire.HeaderRequestID), method: r.Method, path: r.URL.Path,
			locale: locale.Match(r.Header.Get("Accept-Language")),
		}
		if !requestID.MatchString(q.id) {
			q.id = "req_" + uuid.NewString()
		}
		q.actor = api.Anonymous(q.locale.String(), q.id, peer(r))
		h := w.Header()
		h.Set(wire.HeaderRequestID, q.id)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, q))
		q.locate = func(field string) string { return s.locate(r, field) }
		next.ServeHTTP(w, r)
	})
}

// challenge names the ways to show a token (RFC 9110, 11.6.1). There are programs
// that send a password only when they are asked for one.
func challenge(w http.ResponseWriter, why string) {
	w.Header().Add("WWW-Authenticate", `Bearer realm="stickpress"`+why)
	w.Header().Add("WWW-Authenticate", `Basic realm="stickpress", charset="UTF-8"`)
}

// authenticate finds out whose token a request carries.
func (s *REST) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := requestOf(r.Context())
		secret := tokenOf(r)
		if secret == "" {
			challenge(w, "")
			RenderFault(w, r, fault.New(fault.KindUnauthenticated, codeTokenMissing))
			return
		}
		actor, err := s.console.ActorForToken(r.Context(), q.actor, secret)
		if err != nil {
			f := s.refusal(r.Context(), err)
			if f.Kind == fault.KindUnauthenticated {
				challenge(w, `, error="invalid_token"`)
			}
			RenderFault(w, r, f)
			return
		}
		q.actor = actor
		next.ServeHTTP(w, r)
	})
}

// tokenOf is the token that a request carries, whichever way its program knows:
// as a bearer, as the password of any user (ServiceNow), or in X-API-Key. Nobody
// is asked for a password: a browser would keep it and send it by itself.
func tokenOf(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	if scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(secret)
	}
	return r.Header.Get(wire.HeaderAPIKey)
}

// ActorOf returns the owner of a request's token, for the upload handler that
// is mounted within this door.
func ActorOf(r *http.Request) (api.Actor, error) { return requestOf(r.Context()).actor, nil }

// survive turns a panic into an internal error. An answer that had begun is
// cut off, so that nobody takes it for whole.
func (s *REST) survive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		watched := &begun{ResponseWriter: w}
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			f := s.refusal(r.Context(), fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
			if watched.header {
				panic(http.ErrAbortHandler)
			}
			RenderFault(w, r, f)
		}()
		next.ServeHTTP(watched, r)
	})
}

// begun knows whether an answer has begun.
type begun struct {
	http.ResponseWriter
	header bool
}

// WriteHeader implements http.ResponseWriter.
func (b *begun) WriteHeader(status int) {
	b.header = true
	b.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (b *begun) Write(p []byte) (int, error) {
	b.header = true
	return b.ResponseWriter.Write(p)
}

// Unwrap serves http.ResponseController.
func (b *begun) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// methodNotAllowed says which methods there are.
func (s *REST) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	var allow []string
	for _, m := range []string{
		http.MethodGet, http.MethodPost, http.MethodPut,
		http.MethodPatch, http.MethodDelete, http.MethodOptions,
	} {
		if s.mux.Match(chi.NewRouteContext(), m, strings.TrimPrefix(r.URL.EscapedPath(), Prefix)) {
			allow = append(allow, m)
			if m == http.MethodGet {
				allow = append(allow, http.MethodHead) // the house answers it by GET
			}
		}
	}
	list := strings.Join(allow, ", ")
	w.Header().Set("Allow", list)
	renderStatus(w, r, http.StatusMethodNotAllowed,
		fault.New(fault.KindInvalid, codeMethodNotAllowed, "method", r.Method, "allow", list))
}

// peer is the address of the other end without its port.
func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
