package upload_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stickpress/stickpress/api/apitest"
)

// deadlines remembers those of a connection.
type deadlines struct {
	mu    sync.Mutex
	reads []time.Time
	last  map[string]time.Time
}

type watched struct {
	http.ResponseWriter
	d *deadlines
}

func (w watched) SetReadDeadline(at time.Time) error {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	w.d.reads = append(w.d.reads, at)
	w.d.last["read"] = at
	return nil
}

func (w watched) SetWriteDeadline(at time.Time) error {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	w.d.last["write"] = at
	return nil
}

// The deadlines are for bytes: none runs while an image is inspected, which may
// take longer than any of them.
func TestInspectionHasNoDeadline(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	d := open(t, f, f.Admin)
	seen := &deadlines{last: map[string]time.Time{}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.h.ServeHTTP(watched{w, seen}, r)
	}))
	t.Cleanup(srv.Close)
	d.srv = srv
	raw := apitest.WIM(t)
	at := d.begin("install.wim", len(raw))
	half := len(raw) / 2
	d.patch(204, "", at, 0, raw[:half])
	if seen.last["read"].IsZero() {
		t.Fatal("nothing sets a deadline: nothing is shown")
	}
	status, _, code := d.send("PATCH", at, bytes.NewReader(raw[half:]), "Upload-Offset", strconv.Itoa(half), "Content-Type", "application/offset+octet-stream")
	if status != 204 || !seen.last["read"].IsZero() || !seen.last["write"].IsZero() {
		t.Errorf("status %d %s, the last deadlines are %v after %d", status, code, seen.last, len(seen.reads))
	}
}
