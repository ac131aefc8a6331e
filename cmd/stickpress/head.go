package main

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"
)

// answerHead has HEAD answered by what answers GET, where nothing else does: with
// its header alone, since net/http leaves the body out. Monitors and proxies ask so.
func answerHead(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.RawPath // as chi looks for it
		if path == "" {
			path = r.URL.Path
		}
		routes := chi.RouteContext(r.Context()).Routes
		if r.Method != http.MethodHead || r.Header.Get("Upgrade") != "" ||
			routes.Match(chi.NewRouteContext(), http.MethodHead, path) ||
			!routes.Match(chi.NewRouteContext(), http.MethodGet, path) {
			next.ServeHTTP(w, r)
			return
		}
		ctx, end := context.WithCancel(r.Context())
		defer end()
		get := r.WithContext(ctx)
		get.Method = http.MethodGet
		next.ServeHTTP(&headWriter{w, end}, get)
	})
}

// headWriter ends a stream, which would go on for ever, once its header is out.
type headWriter struct {
	http.ResponseWriter
	end func()
}

// FlushError serves http.ResponseController.
func (w *headWriter) FlushError() error {
	defer w.end()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap serves http.ResponseController.
func (w *headWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
