package web_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/web/webtest"
)

// Who takes gzip gets the same page in fewer bytes; who does not gets it as it
// is.
func TestPagesArePacked(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t)
	fetch := func(encoding string) (*http.Response, []byte) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/sign-in", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", encoding)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, raw
	}
	plain, page := fetch("identity")
	packed, raw := fetch("br, gzip")
	if plain.Header.Get("Content-Encoding") != "" || packed.Header.Get("Content-Encoding") != "gzip" || !slices.Contains(packed.Header.Values("Vary"), "Accept-Encoding") {
		t.Fatalf("encodings %v, %v", plain.Header, packed.Header)
	}
	r, err := gzip.NewReader(strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(r)
	if err != nil || !strings.Contains(string(unpacked), "</html>") || len(unpacked) < len(page)-64 || len(raw) > len(page)/2 {
		t.Errorf("%d bytes are %d when packed, and %d again (%v)", len(page), len(raw), len(unpacked), err)
	}
}
