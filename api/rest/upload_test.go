package rest_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api/rest"
	"github.com/stickpress/stickpress/api/rest/resttest"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// An upload that is begun again with its key, because the answer was lost, is
// the one that there is; another one needs another key.
func TestUploadBegunAgain(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	begin := func(length, key string) ask {
		return keyed(ask{method: "POST", path: "/uploads/", token: s.Token(admin), header: map[string]string{
			"Tus-Resumable": "1.0.0", "Upload-Length": length, "Upload-Metadata": "filename " + base64.StdEncoding.EncodeToString([]byte("a.wim")),
		}}, key)
	}
	first := send(t, s, begin("1000", "k"))
	for range 2 {
		again := send(t, s, begin("1000", "k"))
		if again.status != http.StatusCreated || again.header.Get("Location") != first.header.Get("Location") || again.header.Get(wire.HeaderIdempotentReplayed) != "true" {
			t.Errorf("begun at %q, and again with %d at %q %v", first.header.Get("Location"), again.status, again.header.Get("Location"), again.header)
		}
	}
	wantProblem(t, send(t, s, begin("1001", "k")), http.StatusUnprocessableEntity, "idempotency_reused")
	other := send(t, s, begin("1000", "other"))
	if other.status != http.StatusCreated || other.header.Get("Location") == first.header.Get("Location") {
		t.Errorf("another one has status %d at %q", other.status, other.header.Get("Location"))
	}
	path := strings.TrimPrefix(first.header.Get("Location"), rest.Prefix)
	patch := ask{method: "PATCH", path: path, token: s.Token(admin), body: strings.Repeat("x", 10), header: map[string]string{
		"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream",
	}}
	if a := send(t, s, patch); a.status != http.StatusNoContent || a.header.Get("Upload-Offset") != "10" {
		t.Errorf("the next bytes: status %d, %v", a.status, a.header)
	}
}
