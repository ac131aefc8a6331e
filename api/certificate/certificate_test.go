package certificate

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

var (
	key   = ed25519.NewKeyFromSeed([]byte("0123456789abcdef0123456789abcdef"))
	other = ed25519.NewKeyFromSeed([]byte("fedcba9876543210fedcba9876543210"))
)

func statement() *Statement {
	at := time.Date(2026, 11, 27, 16, 30, 0, 0, time.UTC)
	s := &Statement{
		ID: "cert_01jd6y9k3te0mv8b0g2z5q4w7x", IssuedAt: at,
		Stick: Medium{ID: "stick_01jd6y9k3te0mv8b0g2z5q4w7x", Kind: protocol.KindUSB, Model: "Extreme <32> & Co", Serial: "AA0001", Bytes: 31 << 30},
		Wipe: Erasure{
			WipeResult:   protocol.WipeResult{Asked: protocol.WipeAuto, Method: protocol.WipeOverwrite, Passes: 2, Bytes: 31 << 30},
			BytesWritten: 62 << 30, BytesRead: 31 << 30, BegunAt: at.Add(-time.Hour), EndedAt: at,
		},
		Host: Party{Kind: "host", ID: "host_1", Name: "bench"}, AskedBy: Party{Kind: "user", Name: "王芳"},
	}
	s.Judge()
	return s
}

func signed(t *testing.T) Signed {
	t.Helper()
	c, err := Sign(statement(), key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSign(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(signed(t))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if within, err := Parse([]byte(`{"id":"x","signed":` + string(raw) + `}`)); err != nil || within != c {
		t.Errorf("within an answer: %+v, %v", within, err)
	}
	got, by, err := c.Verify()
	if err != nil || !by.Equal(key.Public()) || !reflect.DeepEqual(&got, statement()) {
		t.Errorf("%+v by %x, %v", got, by, err)
	}
	print := Fingerprint(key.Public().(ed25519.PublicKey))
	if _, err := c.VerifyBy(print); err != nil {
		t.Error(err)
	}
	if _, err := c.VerifyBy(strings.ToUpper(print[:2] + ":" + print[2:])); err != nil {
		t.Errorf("written with colons: %v", err)
	}
	if _, err := c.VerifyBy(Fingerprint(other.Public().(ed25519.PublicKey))); !errors.Is(err, ErrOtherKey) {
		t.Errorf("another key: %v", err)
	}
}

func TestClass(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wipe   protocol.WipeResult
		kind   string
		class  Class
		limits []Limit
	}{
		"twice":   {protocol.WipeResult{Method: protocol.WipeOverwrite, Passes: 2}, protocol.KindUSB, ClassClear, nil},
		"once":    {protocol.WipeResult{Method: protocol.WipeOverwrite, Passes: 1}, protocol.KindUSB, ClassNone, []Limit{LimitOnePass}},
		"discard": {protocol.WipeResult{Method: protocol.WipeDiscard}, protocol.KindUSB, ClassNone, []Limit{LimitDiscard}},
		"secure":  {protocol.WipeResult{Method: protocol.WipeDiscard, Secure: true}, protocol.KindCard, ClassNone, []Limit{LimitSecure}},
		"virtual": {protocol.WipeResult{Method: protocol.WipeOverwrite, Passes: 2}, protocol.KindVirtual, ClassClear, []Limit{LimitVirtual}},
	} {
		s := Statement{Stick: Medium{Kind: c.kind}, Wipe: Erasure{WipeResult: c.wipe}}
		s.Judge()
		if want := append([]Limit{LimitFlash, LimitPurge}, c.limits...); s.Class != c.class || !slices.Equal(s.Limits, want) {
			t.Errorf("%s: %s, %v; want %s, %v", name, s.Class, s.Limits, c.class, want)
		}
	}
}

// Whatever is changed, it is no certificate any more.
func TestForged(t *testing.T) {
	t.Parallel()
	good := signed(t)
	again := func(change func(*Statement)) string {
		s := statement()
		change(s)
		c, err := Sign(s, other)
		if err != nil {
			t.Fatal(err)
		}
		return c.Payload
	}
	resigned := func(change func(map[string]any)) Signed {
		raw, err := encoding.DecodeString(good.Protected)
		if err != nil {
			t.Fatal(err)
		}
		h := map[string]any{}
		if err := json.Unmarshal(raw, &h); err != nil {
			t.Fatal(err)
		}
		change(h)
		if raw, err = json.Marshal(h); err != nil {
			t.Fatal(err)
		}
		c := good
		c.Protected = encoding.EncodeToString(raw)
		c.Signature = encoding.EncodeToString(ed25519.Sign(key, c.input()))
		return c
	}
	for name, c := range map[string]struct {
		Signed
		want error
	}{
		"another stick":  {Signed{good.Protected, again(func(s *Statement) { s.Stick.Serial = "AA0002" }), good.Signature}, ErrSignature},
		"no signature":   {Signed{good.Protected, good.Payload, ""}, ErrSignature},
		"padded":         {Signed{good.Protected, good.Payload, good.Signature + "="}, ErrMalformed},
		"spelt anew":     {Signed{good.Protected, good.Payload, good.Signature[:len(good.Signature)-1] + "_"}, ErrMalformed},
		"no header":      {Signed{"", good.Payload, good.Signature}, ErrMalformed},
		"no algorithm":   {resigned(func(h map[string]any) { h["alg"] = "none" }), ErrMalformed},
		"other purpose":  {resigned(func(h map[string]any) { h["typ"] = "JWT" }), ErrMalformed},
		"other key ID":   {resigned(func(h map[string]any) { h["kid"] = strings.Repeat("0", 64) }), ErrMalformed},
		"a key too long": {resigned(func(h map[string]any) { h["jwk"].(map[string]any)["x"] = "AAAA" }), ErrMalformed},
	} {
		if _, _, err := c.Verify(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := Parse([]byte(strings.Repeat(" ", MaxBytes+1))); !errors.Is(err, ErrMalformed) {
		t.Errorf("too long: %v", err)
	}
}

// OpenSSL knows nothing of us and agrees.
func TestOpenSSL(t *testing.T) {
	t.Parallel()
	c := signed(t)
	folder := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	signature, err := encoding.DecodeString(c.Signature)
	if err != nil {
		t.Fatal(err)
	}
	public := write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	check := func(input []byte) (string, error) {
		out, err := exec.CommandContext(t.Context(), "openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public,
			"-in", write("input", input), "-sigfile", write("signature", signature)).CombinedOutput()
		return string(out), err
	}
	if out, err := check(c.input()); err != nil {
		t.Errorf("openssl: %v\n%s", err, out)
	}
	if out, err := check(append(c.input(), 'x')); err == nil {
		t.Errorf("openssl takes a changed one: %s", out)
	}
}

func FuzzVerify(f *testing.F) {
	c, err := Sign(statement(), key)
	if err != nil {
		f.Fatal(err)
	}
	raw, err := json.Marshal(c)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"protected":"e30","payload":"e30","signature":""}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := Parse(raw)
		if err != nil {
			return
		}
		if s, by, err := got.Verify(); err == nil && by.Equal(key.Public()) && !reflect.DeepEqual(&s, statement()) {
			t.Errorf("a forgery: %+v", s)
		}
	})
}
