package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An upload that is interrupted says that it can go on.
func TestInterruptedUpload(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/uploads/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/api/v1/uploads/one")
		w.WriteHeader(http.StatusCreated)
	})
	mux.HandleFunc("PATCH /api/v1/uploads/one", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		interrupt()
		<-r.Context().Done()
	})
	mux.HandleFunc("GET /api/v1/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"status":404,"code":"image_not_found"}`)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	path := filepath.Join(t.TempDir(), "install.wim")
	if err := os.WriteFile(path, []byte("MSWIM"), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{"STICKPRESS_SERVER=" + s.URL, "STICKPRESS_TOKEN=stp_good", "XDG_CONFIG_HOME=" + t.TempDir()}
	var said bytes.Buffer
	_, err := run(ctx, []string{"image", "add", path, "--image", "win", "--version", "1.0.0"}, environ, nil, io.Discard, &said)
	if exitCode(err) != exitInterrupted {
		t.Errorf("exit code %d: %v", exitCode(err), err)
	}
	if !strings.Contains(said.String(), "interrupted\n") || !strings.Contains(said.String(), "the same command goes on with it") {
		t.Errorf("said %q", &said)
	}
}
