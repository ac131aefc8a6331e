package upload_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/upload"
)

// door is a handler behind a listening server.
type door struct {
	t   *testing.T
	h   *upload.Handler
	srv *httptest.Server
}

// open serves a console's uploads to an actor. A refusal is rendered as its
// code.
func open(t *testing.T, f *apitest.Fixture, a api.Actor) *door {
	t.Helper()
	h, err := upload.New(upload.Deps{
		Console: f.Console, Staging: f.Staging, BasePath: "/up/", Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Actor: func(*http.Request) (api.Actor, error) { return a, nil },
		Render: func(w http.ResponseWriter, _ *http.Request, f *fault.Error) {
			w.WriteHeader(map[fault.Kind]int{
				fault.KindInvalid: 422, fault.KindForbidden: 403, fault.KindNotFound: 404, fault.KindConflict: 409,
				fault.KindStale: 412, fault.KindTooLarge: 413, fault.KindUnavailable: 503,
			}[f.Kind])
			_, _ = io.WriteString(w, string(f.Code))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return &door{t, h, srv}
}

// send sends one tus request; pairs are headers. It returns the status, the
// headers and the body.
func (d *door) send(method, path string, body io.Reader, pairs ...string) (int, http.Header, string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.srv.URL+path, body)
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(pairs); i += 2 {
		req.Header.Set(pairs[i], pairs[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(raw)
}

func (d *door) want(status int, code string, method, path string, body io.Reader, pairs ...string) http.Header {
	d.t.Helper()
	got, header, text := d.send(method, path, body, pairs...)
	if got != status || text != code {
		d.t.Fatalf("%s %s: status %d %s, want %d %s", method, path, got, text, status, code)
	}
	return header
}

// begin makes an upload and returns its path.
func (d *door) begin(name string, size int) string {
	d.t.Helper()
	h := d.want(201, "", "POST", "/up/", nil, "Upload-Length", strconv.Itoa(size),
		"Upload-Metadata", "filename "+base64.StdEncoding.EncodeToString([]byte(name)))
	return h.Get("Location")
}

func (d *door) patch(status int, code, path string, offset int, body []byte) http.Header {
	d.t.Helper()
	return d.want(status, code, "PATCH", path, bytes.NewReader(body), "Upload-Offset", strconv.Itoa(offset),
		"Content-Type", "application/offset+octet-stream")
}

// offset asks how far an upload is.
func (d *door) offset(path string) int {
	d.t.Helper()
	n, err := strconv.Atoi(d.want(200, "", "HEAD", path, nil).Get("Upload-Offset"))
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// staged counts the files in the upload folder, kept those in the store.
func staged(t *testing.T, f *apitest.Fixture) int {
	t.Helper()
	whole, err := f.Staging.Receive(t.Context(), nil, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Staging.Remove(whole.ID); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Dir(whole.Path))
	if err != nil {
		t.Fatal(err)
	}
	return len(left)
}

func kept(t *testing.T, f *apitest.Fixture) int {
	t.Helper()
	u, err := f.Blobs.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return u.Blobs
}
