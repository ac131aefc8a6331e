package upload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stickpress/stickpress/agent/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock jumps: every wait is over at once.
type clock struct{}

func (clock) Now() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

func (clock) After(time.Duration) <-chan time.Time {
	over := make(chan time.Time, 1)
	over <- time.Time{}
	return over
}

// server keeps one upload; hook may take a request over.
type server struct {
	mu     sync.Mutex
	id     int
	have   []byte
	size   int64
	ticket string
	asked  []string
	hook   func(w http.ResponseWriter, r *http.Request, n int) bool
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.Method+" "+r.Header.Get(protocol.HeaderOffset))
	if s.hook != nil && s.hook(w, r, len(s.asked)) {
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+s.ticket {
		refuse(w, http.StatusUnauthorized, "ticket_invalid")
		return
	}
	id := "up" + strconv.Itoa(s.id)
	switch {
	case r.Method == http.MethodPost && r.URL.Path == protocol.PathUpload:
		var in protocol.UploadRequest
		_ = json.NewDecoder(r.Body).Decode(&in)
		s.id++
		s.have, s.size, id = nil, in.Bytes, "up"+strconv.Itoa(s.id)
	case !strings.HasPrefix(r.URL.Path, protocol.PathUpload+"/"+id) || s.id == 0:
		refuse(w, http.StatusNotFound, protocol.CodeUploadGone)
		return
	case r.Method == http.MethodPatch:
		if r.Header.Get(protocol.HeaderOffset) != strconv.Itoa(len(s.have)) {
			refuse(w, http.StatusConflict, "upload_offset_mismatch")
			return
		}
		piece, err := io.ReadAll(r.Body)
		s.have = append(s.have, piece...)
		if err != nil {
			return
		}
	case r.Method == http.MethodPost:
		var in protocol.PublishRequest
		_ = json.NewDecoder(r.Body).Decode(&in)
		if sum := sha256.Sum256(s.have); in.SHA256 != hex.EncodeToString(sum[:]) {
			refuse(w, http.StatusUnprocessableEntity, "upload_digest")
			return
		}
		answer(w, http.StatusOK, protocol.Published{VersionID: "imgver_1"})
		return
	}
	answer(w, http.StatusOK, protocol.Upload{ID: id, Offset: int64(len(s.have))})
}

func refuse(w http.ResponseWriter, status int, code string) {
	answer(w, status, &protocol.Reject{Fault: protocol.NewFault(code)})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// harness is a client of a server with a file of a bit more than two pieces.
type harness struct {
	*server
	client *Client
	path   string
	data   []byte
	marks  []int64
}

func newHarness(t *testing.T) *harness {
	h := &harness{server: &server{ticket: "good"}, data: make([]byte, 2*protocol.MaxPiece+12345), path: filepath.Join(t.TempDir(), "file")}
	if _, err := rand.NewChaCha8([32]byte{7}).Read(h.data); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.path, h.data, 0o600); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h.server)
	t.Cleanup(srv.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	h.client = New(Config{
		Client: &http.Client{Transport: transport}, URL: srv.URL, Clock: clock{}, Rand: func() float64 { return 0.5 },
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	return h
}

func (h *harness) ticketNow(context.Context, string) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ticket, nil
}

func (h *harness) send(ctx context.Context) (Sent, error) {
	return h.client.Send(ctx, h.path, h.ticketFirst(), func(done, _ int64) { h.marks = append(h.marks, done) })
}

// ticketFirst gives a ticket that has run out before a good one.
func (h *harness) ticketFirst() Ticket {
	return func(_ context.Context, stale string) (string, error) {
		if stale == "" {
			return "old", nil
		}
		return h.ticketNow(context.Background(), stale)
	}
}

func (h *harness) check(t *testing.T, sent Sent, err error) {
	t.Helper()
	sum := sha256.Sum256(h.data)
	if err != nil || sent.Bytes != int64(len(h.data)) || sent.SHA256 != hex.EncodeToString(sum[:]) || !bytes.Equal(h.have, h.data) {
		t.Errorf("%+v, %v; the server has %d of %d bytes", sent, err, len(h.have), len(h.data))
	}
	if last := h.marks[len(h.marks)-1]; last != int64(len(h.data)) {
		t.Errorf("progress %v", h.marks)
	}
	if p, err := h.client.Publish(t.Context(), sent, h.ticketNow); err != nil || p.VersionID != "imgver_1" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestSend(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	sent, err := h.send(t.Context())
	h.check(t, sent, err)
}

// The connection is cut in the middle of a piece, of which the server keeps a
// part: the sender goes on behind it.
func TestCutConnection(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	cuts := 0
	h.hook = func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		if r.Method != http.MethodPatch || cuts >= 3 {
			return false
		}
		cuts++
		part, _ := io.ReadAll(io.LimitReader(r.Body, 5_000_000))
		h.have = append(h.have, part...)
		panic(http.ErrAbortHandler)
	}
	sent, err := h.send(t.Context())
	h.check(t, sent, err)
	if h.id != 1 || cuts != 3 {
		t.Errorf("%d uploads begun, %d cuts: %v", h.id, cuts, h.asked)
	}
	if !strings.Contains(strings.Join(h.asked, ","), "PATCH 15000000") {
		t.Errorf("it did not go on where the server was: %v", h.asked)
	}
}

// A server that was replaced has nothing: the sender begins again, but not for
// ever.
func TestLostUpload(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.hook = func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n == 4 {
			h.id, h.have = h.id+1, nil
		}
		return false
	}
	sent, err := h.send(t.Context())
	h.check(t, sent, err)

	h = newHarness(t)
	h.hook = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if r.Method == http.MethodPatch {
			refuse(w, http.StatusNotFound, protocol.CodeUploadGone)
			return true
		}
		return false
	}
	if _, err = h.send(t.Context()); protocol.AsFault(err).Code != protocol.CodeUploadGone || h.id != restarts+1 {
		t.Errorf("%v after %d begins", err, h.id)
	}
}

// What the server refuses for good ends it with the server's own words; a busy
// server does not.
func TestRefused(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	busy := 0
	h.hook = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		switch {
		case busy < 3:
			busy++
			refuse(w, http.StatusServiceUnavailable, "blob_disk_full")
		case r.Method == http.MethodPatch && busy < 5:
			busy++
			refuse(w, http.StatusConflict, protocol.CodeUploadOffset)
		case r.Method == http.MethodPatch:
			refuse(w, http.StatusForbidden, "host_revoked")
		default:
			return false
		}
		return true
	}
	if _, err := h.send(t.Context()); protocol.AsFault(err).Code != "host_revoked" || busy != 5 {
		t.Errorf("%v after %d", err, busy)
	}
	h.hook = nil
	if _, err := h.client.Publish(t.Context(), Sent{ID: "up1", SHA256: "00"}, h.ticketNow); protocol.AsFault(err).Code != "upload_digest" {
		t.Errorf("%v", err)
	}
}

// A sender that is told to stop says why.
func TestStopped(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := protocol.NewFault(protocol.FaultCancelled)
	h.hook = func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		if r.Method == http.MethodPatch {
			cancel(cause)
		}
		return false
	}
	if _, err := h.send(ctx); !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
}
