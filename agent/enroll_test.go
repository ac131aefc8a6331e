package agent

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

func enrollment(s *server, dir string) *Enrollment {
	return &Enrollment{Data: dir, URL: "http://server/", Token: "one-use", Name: "bench", Version: "1.2.3", Dial: s.dial}
}

func TestEnroll(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	defer srv.close()
	dir := filepath.Join(t.TempDir(), "data")
	s, err := Enroll(t.Context(), enrollment(srv, dir))
	if err != nil {
		t.Fatal(err)
	}
	req := srv.enrolled[0]
	public := s.key().Public().(ed25519.PublicKey)
	if req.Token != "one-use" || req.Name != "bench" || !public.Equal(ed25519.PublicKey(req.PublicKey)) {
		t.Fatalf("request %+v", req)
	}
	back, err := LoadState(dir)
	if err != nil || back.HostID != "host_1" || back.URL != "http://server" || !srv.public().Equal(ed25519.PublicKey(back.ServerKey)) {
		t.Fatalf("state %+v: %v", back, err)
	}
	info, err := os.Stat(statePath(dir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v: %v", info.Mode(), err)
	}
	if found, err := os.ReadDir(dir); err != nil || len(found) != 1 {
		t.Fatalf("left beside the state: %v, %v", found, err)
	}

	// Again: refused, unless forced; then the old spool is another host's.
	if _, err := Enroll(t.Context(), enrollment(srv, dir)); !errors.Is(err, ErrEnrolled) {
		t.Fatalf("second enrolment: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, SpoolDir), 0o700); err != nil {
		t.Fatal(err)
	}
	again := enrollment(srv, dir)
	again.Force = true
	if s, err = Enroll(t.Context(), again); err != nil || s.HostID != "host_2" {
		t.Fatalf("forced: %+v, %v", s, err)
	}
	if _, err := os.Stat(filepath.Join(dir, SpoolDir+"-host_1")); err != nil {
		t.Fatal(err)
	}
	// A refusal changes nothing.
	srv.refuse = "token_invalid"
	if _, err := Enroll(t.Context(), again); err == nil || !strings.Contains(err.Error(), "make a new one") {
		t.Fatalf("refusal: %v", err)
	}
	srv.refuse = "site_closed"
	if _, err := Enroll(t.Context(), again); err == nil || !strings.Contains(err.Error(), "site_closed") {
		t.Fatalf("refusal: %v", err)
	}
	if back, err = LoadState(dir); err != nil || back.HostID != "host_2" {
		t.Fatalf("after a refusal: %+v, %v", back, err)
	}
}

func TestServerAddresses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"http://127.0.0.1:8080":       "http://127.0.0.1:8080",
		"https://press.example/sub//": "https://press.example/sub",
		"press.example":               "",
		"ftp://press.example":         "",
		"http://u:p@press.example":    "",
		"http://press.example?x=1":    "",
		"http://":                     "",
		"":                            "",
	} {
		got, err := serverURL(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestStateIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := LoadState(dir); !errors.Is(err, ErrNotEnrolled) {
		t.Fatalf("no file: %v", err)
	}
	s := &State{URL: "http://x", HostID: "h", Key: make([]byte, ed25519.SeedSize), ServerKey: make([]byte, ed25519.PublicKeySize)}
	if err := s.Save(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(statePath(dir), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadState(dir); err == nil || !strings.Contains(err.Error(), "0600") {
		t.Fatalf("readable by others: %v", err)
	}
	if err := os.Chmod(statePath(dir), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{"", "{", "{}", `{"url":"http://x","host_id":"h","key":"AA==","server_key":"AA=="}`} {
		if err := os.WriteFile(statePath(dir), []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadState(dir); err == nil || errors.Is(err, ErrNotEnrolled) {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestOneProcessPerDataDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	unlock, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(dir); err == nil {
		t.Fatal("locked twice")
	}
	unlock()
	unlock, err = Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestPinnedCertificate(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes
	srv.StartTLS()
	defer srv.Close()
	sum := sha256.Sum256(srv.Certificate().Raw)
	pin := hex.EncodeToString(sum[:])
	get := func(fingerprint string) error {
		cfg, err := trust(fingerprint)
		if err != nil {
			return err
		}
		client, closeClient := newClient(cfg, nil)
		defer closeClient()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	if err := get(pin); err != nil {
		t.Error(err)
	}
	if err := get(strings.ToUpper(pin[:2]) + ":" + pin[2:]); err != nil {
		t.Error(err)
	}
	for _, wrong := range []string{"", strings.Repeat("00", 32), "00", "zz"} {
		if err := get(wrong); err == nil {
			t.Errorf("fingerprint %q is accepted", wrong)
		}
	}
	// A pinned authority vouches for names, and only for what it has signed.
	leaf := srv.Certificate()
	state := tls.ConnectionState{ServerName: "other.example", PeerCertificates: []*x509.Certificate{leaf, leaf}}
	raw, _ := parseFingerprint(pin)
	if err := checkPin(raw, &state); err != nil {
		t.Errorf("the server's own certificate: %v", err)
	}
	other := *leaf
	other.Raw = append([]byte{0}, leaf.Raw...)
	state.PeerCertificates[0] = &other
	if err := checkPin(raw, &state); err == nil {
		t.Error("an authority vouched for another name")
	}
	if err := checkPin(raw, &tls.ConnectionState{}); err == nil {
		t.Error("no certificate is accepted")
	}
}

func TestMeter(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	m := new(meter)
	step := func(done int64) bool {
		m.set(protocol.StepWrite, done, 1000)
		now = now.Add(progressEvery)
		return m.sample(now)
	}
	step(0)
	for i := range int64(20) {
		if !step((i + 1) * 50) {
			t.Fatal("a change is no news")
		}
	}
	if r := m.rate(); r != 100 { // 50 bytes per half second
		t.Fatalf("rate %d", r)
	}
	// Nothing moves: the rate falls to nothing, then there is no news.
	for range 8 {
		now = now.Add(progressEvery)
		m.sample(now)
	}
	if r := m.rate(); r != 0 {
		t.Fatalf("rate of a stick that stands still: %d", r)
	}
	now = now.Add(progressEvery)
	if m.sample(now) {
		t.Fatal("nothing is news")
	}
	m.set(protocol.StepVerify, 5, 10)
	if m.rate() != 0 || len(m.marks) != 0 {
		t.Fatal("a new step keeps the old rate")
	}
}
