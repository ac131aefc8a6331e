package keypair

import (
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// What is made here, openssl reads: its names, its fingerprint, and that the
// key is its own.
func TestSelfSigned(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	cert, key, err := SelfSigned([]string{"desk.example", "192.0.2.7", "::1"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if Kept(data) {
		t.Error("an empty folder has a pair")
	}
	if err := Keep(data, cert, key, time.Now()); err != nil || !Kept(data) {
		t.Fatalf("keep: %v", err)
	}
	certFile, keyFile := Paths(data)
	out, err := exec.CommandContext(t.Context(), "openssl", "x509", "-in", certFile, "-noout", "-fingerprint", "-sha256", "-ext", "subjectAltName").CombinedOutput()
	if err != nil {
		t.Fatalf("openssl: %v: %s", err, out)
	}
	plain := strings.ToLower(strings.ReplaceAll(string(out), ":", ""))
	if sum := Fingerprint(cert); len(sum) != 64 || !strings.Contains(plain, sum) {
		t.Errorf("openssl has another fingerprint than %s:\n%s", sum, out)
	}
	for _, name := range []string{"DNS:desk.example", "IP Address:192.0.2.7", "IP Address:0:0:0:0:0:0:0:1"} {
		if !strings.Contains(string(out), name) {
			t.Errorf("openssl does not see %s:\n%s", name, out)
		}
	}
	if info, err := os.Stat(keyFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info.Mode(), err)
	}
}

func TestKeepRefuses(t *testing.T) {
	t.Parallel()
	now := time.Now()
	cert, key, err := SelfSigned([]string{"a"}, now)
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := SelfSigned([]string{"a"}, now)
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	for name, err := range map[string]error{
		"no PEM":          Keep(data, []byte("x"), key, now),
		"another's key":   Keep(data, cert, other, now),
		"long over":       Keep(data, cert, key, now.Add(10*lifetime)),
		"the wrong order": Keep(data, key, cert, now),
	} {
		if err == nil {
			t.Errorf("%s is kept", name)
		}
	}
	if Kept(data) {
		t.Error("a refused pair is there")
	}
}

// A server shows the new certificate to the next connection, and keeps the old
// one when the new one is no good.
func TestFilesExchange(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	put := func(name string) {
		t.Helper()
		cert, key, err := SelfSigned([]string{name}, time.Now())
		if err == nil {
			err = Keep(data, cert, key, time.Now())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put("one")
	files, err := Open(Paths(data))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: files.Get, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func(c net.Conn) {
				_ = c.(*tls.Conn).HandshakeContext(t.Context())
				_ = c.Close()
			}(c)
		}
	}()
	seen := func() string {
		t.Helper()
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // the test looks at what it is shown
		c, err := d.DialContext(t.Context(), "tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	if got := seen(); got != "one" {
		t.Errorf("it shows %q", got)
	}
	put("two")
	certFile, _ := Paths(data)
	later := time.Now().Add(time.Minute) // file systems may have coarse clocks
	if err := os.Chtimes(certFile, later, later); err != nil {
		t.Fatal(err)
	}
	if got := seen(); got != "two" {
		t.Errorf("after the exchange it shows %q", got)
	}
	if err := os.WriteFile(certFile, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := seen(); got != "two" {
		t.Errorf("with a broken file it shows %q", got)
	}
}
