package web_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/web/webtest"
)

// Nobody needs to be signed in to send a form: it must not be able to fill the
// memory or the disk.
func TestFormsAreBounded(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	long := strings.Repeat("x", 1<<20)
	var file bytes.Buffer
	m := multipart.NewWriter(&file)
	part, err := m.CreateFormFile("file", "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(part, long); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, path, kind, body string
		status                 int
	}{
		{"long field", "/sign-in", "application/x-www-form-urlencoded", "login=" + long, http.StatusRequestEntityTooLarge},
		{"file", "/sign-in", m.FormDataContentType(), file.String(), http.StatusRequestEntityTooLarge},
		{"file to a page", "/hosts/enrol", m.FormDataContentType(), file.String(), http.StatusRequestEntityTooLarge},
		{"no form", "/sign-in", "application/x-www-form-urlencoded", "login=%zz", http.StatusUnprocessableEntity},
		{"form", "/sign-in", "application/x-www-form-urlencoded", "login=a&password=b", http.StatusUnauthorized},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", tt.kind)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode != tt.status {
			t.Errorf("%s: status %d, want %d", tt.name, resp.StatusCode, tt.status)
		}
	}
}
