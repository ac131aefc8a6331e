package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-chi/chi/v5"
)

// HEAD has the header of GET and no body, wherever a route is; a stream ends with
// its header, so that the connection is free for what comes next.
func TestHead(t *testing.T) {
	t.Parallel()
	r := chi.NewRouter()
	r.Use(answerHead)
	ended := make(chan struct{})
	door := chi.NewRouter()
	door.Get("/page/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", r.Method+chi.URLParam(r, "id"))
		_, _ = io.WriteString(w, "page")
	})
	door.Get("/stream", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "retry: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(ended)
	})
	door.Get("/own", func(http.ResponseWriter, *http.Request) { t.Error("GET was asked") })
	door.Head("/own", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	door.Post("/action", func(http.ResponseWriter, *http.Request) { t.Error("POST was asked") })
	door.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", r.Method)
		w.WriteHeader(http.StatusMethodNotAllowed)
	})
	r.Mount("/door", door)
	server := httptest.NewServer(r)
	defer server.Close()
	for _, tt := range []struct {
		path   string
		status int
		etag   string
	}{
		{"/door/page/a%2Fb", http.StatusOK, "GETa%2Fb"},
		{"/door/stream", http.StatusOK, ""},
		{"/door/own", http.StatusNoContent, ""},
		{"/door/action", http.StatusMethodNotAllowed, "HEAD"},
		{"/door/nothing", http.StatusNotFound, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, server.URL+tt.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != tt.status || resp.Header.Get("ETag") != tt.etag || len(body) != 0 {
			t.Errorf("HEAD %s: %d, %q, %q, %v", tt.path, resp.StatusCode, resp.Header.Get("ETag"), body, err)
		}
	}
	<-ended
}
