package cache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stickpress/stickpress/agent/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock jumps: every wait is over at once and moves it on.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	waits []time.Duration
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Second) // no two uses at the same time
	return c.now
}

func (c *clock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.waits = append(c.waits, d)
	over := make(chan time.Time, 1)
	over <- c.now
	return over
}

// server serves blobs; hook may take a request over.
type server struct {
	*httptest.Server
	mu     sync.Mutex
	blobs  map[string][]byte
	ticket string
	asked  []string // "path-prefix range"
	hook   func(w http.ResponseWriter, r *http.Request, blob []byte) bool
}

func newServer(t *testing.T) *server {
	s := &server{blobs: map[string][]byte{}, ticket: "good"}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) add(n int) (digest string, blob []byte) {
	blob = make([]byte, n)
	r := rand.New(rand.NewPCG(uint64(n), 1))
	for i := range blob {
		blob[i] = byte(r.Uint32())
	}
	sum := sha256.Sum256(blob)
	digest = hex.EncodeToString(sum[:])
	s.blobs[digest] = blob
	return digest, blob
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	digest := filepath.Base(r.URL.Path)
	blob := s.blobs[digest]
	isBlob := strings.HasPrefix(r.URL.Path, protocol.PathBlob)
	if isBlob {
		s.asked = append(s.asked, r.Header.Get("Range"))
	}
	hook, ticket := s.hook, s.ticket
	s.mu.Unlock()
	switch {
	case hook != nil && hook(w, r, blob):
	case r.Header.Get("Authorization") != "Bearer "+ticket:
		http.Error(w, "ticket", http.StatusUnauthorized)
	case blob == nil:
		http.NotFound(w, r)
	case isBlob:
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(blob))
	default:
		_ = json.NewEncoder(w).Encode(record(digest, blob))
	}
}

func record(digest string, blob []byte) protocol.BlobRecord {
	rec := protocol.BlobRecord{SHA256: digest, Bytes: int64(len(blob))}
	for b := range slices.Chunk(blob, protocol.BlockSize) {
		sum := sha256.Sum256(b)
		rec.Blocks = append(rec.Blocks, hex.EncodeToString(sum[:]))
	}
	return rec
}

func (s *server) ranges() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

type harness struct {
	*Cache
	srv   *server
	clock *clock
}

func newHarness(t *testing.T, srv *server, dir string, change ...func(*Config)) *harness {
	t.Helper()
	h := &harness{srv: srv, clock: newClock()}
	client := &http.Client{Transport: &http.Transport{}}
	cfg := Config{
		Dir: dir, Client: client, URL: srv.URL, Clock: h.clock, Rand: func() float64 { return 0.5 },
		Log: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h.Cache = c
	t.Cleanup(func() { c.Close(); client.CloseIdleConnections() })
	return h
}

func ticket(context.Context, string) (string, error) { return "good", nil }

func request(digest string, blob []byte) Request {
	return Request{SHA256: digest, Bytes: int64(len(blob)), Ticket: ticket, Progress: func(int64, int64) {}}
}

func (h *harness) fetch(t *testing.T, digest string, blob []byte) *Entry {
	t.Helper()
	e, err := h.Fetch(t.Context(), request(digest, blob))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(e.Path)
	if err != nil || !bytes.Equal(got, blob) {
		t.Fatalf("cached image differs: %v", err)
	}
	return e
}

func wantFault(t *testing.T, err error, code string, params ...string) {
	t.Helper()
	var f *protocol.Fault
	if !errors.As(err, &f) || f.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	for i := 0; i < len(params); i += 2 {
		if f.Params[params[i]] != params[i+1] {
			t.Fatalf("%s: %s is %q, want %q", code, params[i], f.Params[params[i]], params[i+1])
		}
	}
}

const big = 2*protocol.BlockSize + 12345

func TestLeastRecentlyUsedGoesFirst(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	dir := t.TempDir()
	limit := func(c *Config) { c.Limit = 300 << 10 }
	h := newHarness(t, srv, dir, limit)
	type image struct {
		digest string
		blob   []byte
	}
	images := map[string]image{}
	for i, name := range []string{"a", "b", "c", "d"} {
		d, b := srv.add(100<<10 - i)
		images[name] = image{d, b}
	}
	fetch := func(name string) *Entry { return h.fetch(t, images[name].digest, images[name].blob) }
	has := func(want string) {
		t.Helper()
		got := ""
		for _, n := range []string{"a", "b", "c", "d"} {
			if _, err := os.Stat(filepath.Join(dir, blobDir, images[n].digest)); err == nil {
				got += n
			}
		}
		if got != want {
			t.Fatalf("cache holds %q, want %q", got, want)
		}
	}
	fetch("a").Release()
	fetch("b").Release()
	fetch("a").Release() // a is newer than b now
	fetch("c").Release()
	has("abc")
	h = newHarness(t, srv, dir, limit) // the order survives
	fetch("d").Release()
	has("acd")
	// What is in use stays, and a master counts as well.
	a, c, d := fetch("a"), fetch("c"), fetch("d")
	_, err := h.Fetch(t.Context(), request(images["b"].digest, images["b"].blob))
	wantFault(t, err, protocol.FaultCacheFull, "need_bytes", fmt.Sprint(len(images["b"].blob)))
	c.Release()
	m, err := h.Master("m1")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(m.Path, "ntfs.img"), make([]byte, 150<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	m.Release() // over the limit now: c was used least recently
	has("ad")
	a.Release()
	d.Release()
	d.Release() // twice does nothing
	if used, _ := h.Used(); used > 300<<10+100<<10 {
		t.Fatalf("used %d", used)
	}
}

// A master is there after a restart, with what it holds and when it was used
// last.
func TestMastersSurviveARestart(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	dir := t.TempDir()
	limit := func(c *Config) { c.Limit = 250 << 10 }
	h := newHarness(t, srv, dir, limit)
	fill := func(key string) {
		t.Helper()
		m, err := h.Master(key)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Release()
		if err := os.WriteFile(filepath.Join(m.Path, "ntfs.img"), make([]byte, 100<<10), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	use := func(key string) string {
		t.Helper()
		m, err := h.Master(key)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Release()
		return m.Path
	}
	fill("m1")
	fill("m2")
	used, _ := h.Used()
	use("m2") // what was written into it had the time of this machine
	use("m1")
	h = newHarness(t, srv, dir, limit)
	<-h.clock.After(time.Hour)
	if again, _ := h.Used(); again != used {
		t.Errorf("%d bytes are in use after the restart, %d before", again, used)
	}
	fill("m3") // one too many: m2 was used least recently
	for key, want := range map[string]bool{"m1": true, "m2": false, "m3": true} {
		if _, err := os.Stat(filepath.Join(dir, masterDir, key, "ntfs.img")); (err == nil) != want {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestImpossibleImage(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	digest, blob := srv.add(big)
	h := newHarness(t, srv, t.TempDir(), func(c *Config) { c.Limit = 1000 })
	_, err := h.Fetch(t.Context(), request(digest, blob))
	wantFault(t, err, protocol.FaultCacheFull, "need_bytes", fmt.Sprint(big), "free_bytes", "1000")
	small := newHarness(t, srv, t.TempDir(), func(c *Config) { c.Free = func(string) (int64, error) { return 77, nil } })
	_, err = small.Fetch(t.Context(), request(digest, blob))
	wantFault(t, err, protocol.FaultCacheFull, "free_bytes", "77")
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	oldDigest, old := srv.add(1000)
	digest, blob := srv.add(big)
	h := newHarness(t, srv, t.TempDir())
	e := h.fetch(t, oldDigest, old)
	h.write = func(f *os.File, b []byte, at int64) (int, error) {
		if _, err := os.Stat(e.Path); err == nil && at > 0 {
			return 0, fmt.Errorf("write: %w", syscall.ENOSPC)
		}
		return f.WriteAt(b, at)
	}
	_, err := h.Fetch(t.Context(), request(digest, blob)) // e is in use
	wantFault(t, err, protocol.FaultCacheFull, "need_bytes", fmt.Sprint(big-protocol.BlockSize))
	e.Release()
	h.fetch(t, digest, blob).Release() // e made room
}

func TestDamageOnTheDiskIsFound(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	digest, blob := srv.add(big)
	h := newHarness(t, srv, t.TempDir())
	e := h.fetch(t, digest, blob)
	if err := h.Verify(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	rotten := slices.Clone(blob)
	rotten[9] ^= 1
	if err := os.WriteFile(e.Path, rotten, 0o600); err != nil {
		t.Fatal(err)
	}
	wantFault(t, h.Verify(t.Context(), e), protocol.FaultDigest, "want", digest)
	again := h.fetch(t, digest, blob)
	if !e.Gone() || again.Gone() {
		t.Errorf("the damaged one is gone: %v, the new one: %v", e.Gone(), again.Gone())
	}
	// What somebody else found in the damaged one, but later, is not about the new.
	if err := os.WriteFile(again.Path, rotten, 0o600); err != nil {
		t.Fatal(err)
	}
	wantFault(t, h.Verify(t.Context(), e), protocol.FaultDigest, "want", digest)
	if _, err := os.Stat(again.Path); err != nil {
		t.Error(err)
	}
	e.Release()
	h.mu.Lock()
	pins := again.entry.pins
	h.mu.Unlock()
	if pins != 1 {
		t.Fatalf("the new image has %d pins", pins)
	}
	again.Release()
}

func TestMasterKeysAreFileNames(t *testing.T) {
	t.Parallel()
	h := newHarness(t, newServer(t), t.TempDir())
	for _, key := range []string{"", "../x", `a\b`, "."} {
		if _, err := h.Master(key); err == nil {
			t.Errorf("took %q for a key", key)
		}
	}
}

// What a killed program left in a master's directory goes before it is counted;
// trouble with that is no reason not to start.
// Work counts with all that it was given, goes with its release, and is gone
// after a crash.
func TestWork(t *testing.T) {
	t.Parallel()
	srv, dir := newServer(t), t.TempDir()
	c := newHarness(t, srv, dir, func(c *Config) { c.Limit = 1000 }).Cache
	e, err := c.Work("one", 600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Work("two", 600); protocol.AsFault(err).Code != protocol.FaultCacheFull {
		t.Errorf("too much: %v", err)
	}
	if used, _ := c.Used(); used != 600 {
		t.Errorf("%d bytes used", used)
	}
	if err := os.WriteFile(filepath.Join(e.Path, "file"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	e.Release()
	e.Release()
	if used, _ := c.Used(); used != 0 {
		t.Errorf("%d bytes used", used)
	}
	if _, err := os.Stat(e.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
	if _, err := c.Work("a/b", 1); err == nil {
		t.Error("a path was taken for a name")
	}
	crashed, err := c.Work("one", 600)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	again := newHarness(t, srv, dir, func(c *Config) {
		c.Leave = func(dir string) error {
			_, err := os.Stat(dir)
			left = append(left, dir)
			return errors.Join(err, errors.New("trouble is no reason not to start"))
		}
	}).Cache
	if used, _ := again.Used(); used != 0 {
		t.Errorf("%d bytes used", used)
	}
	if !slices.Equal(left, []string{crashed.Path}) {
		t.Errorf("let go of %q", left)
	}
	if _, err := os.Stat(crashed.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left by a crash: %v", err)
	}
}

func TestOpenSweepsMasters(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	left := filepath.Join(dir, masterDir, "a", "left")
	blob := filepath.Join(dir, blobDir, "b")
	for _, path := range []string{left, blob} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, make([]byte, 1<<20), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	var swept []string
	c, err := Open(Config{Dir: dir, Clock: newClock(), Log: slog.New(slog.DiscardHandler), Sweep: func(dir string) error {
		swept = append(swept, dir)
		return errors.Join(os.Remove(filepath.Join(dir, "left")), errors.New("trouble"))
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if used, _ := c.Used(); used != 1<<20 || !slices.Equal(swept, []string{filepath.Dir(left)}) {
		t.Errorf("%d bytes are used, swept %q", used, swept)
	}
}
