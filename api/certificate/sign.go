package certificate

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Why a file is no certificate.
var (
	// ErrMalformed is returned for what does not have the form of one.
	ErrMalformed = errors.New("this is not a certificate of a wiped stick")
	// ErrSignature is returned where the signature does not fit: the file was
	// changed, or never signed.
	ErrSignature = errors.New("the signature does not fit: the certificate was changed, or never issued")
	// ErrOtherKey is returned for one that somebody else signed.
	ErrOtherKey = errors.New("another key signed this certificate")
)

// MaxBytes is the length of the longest certificate that is read.
const MaxBytes = 64 << 10

// Signed is a certificate: a flattened JSON Web Signature. Its fields are
// base64url without padding.
type Signed struct {
	Protected string `json:"protected"` // header
	Payload   string `json:"payload"`   // the bytes of a Statement
	Signature string `json:"signature"` // over Protected + "." + Payload, in ASCII
}

// typ keeps a signature from being taken for one of another purpose. What the
// console's key signs on a connection begins with other bytes than any header.
const typ = "stickpress-wipe+jws"

// header is the protected header (RFC 7515, 4.1; the key: RFC 8037, 2).
type header struct {
	Algorithm string `json:"alg"`
	Type      string `json:"typ"`
	KeyID     string `json:"kid"` // Fingerprint
	Key       struct {
		Type  string `json:"kty"`
		Curve string `json:"crv"`
		X     string `json:"x"`
	} `json:"jwk"`
}

// encoding refuses two spellings of the same bytes.
var encoding = base64.RawURLEncoding.Strict()

// Fingerprint is the SHA-256 of a public key in lower-case hex: what people
// compare.
func Fingerprint(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:])
}

// Sign certifies the statement.
func Sign(s *Statement, key ed25519.PrivateKey) (Signed, error) {
	payload, err := json.Marshal(s)
	if err != nil {
		return Signed{}, fmt.Errorf("encode a certificate: %w", err)
	}
	public := key.Public().(ed25519.PublicKey)
	h := header{Algorithm: "EdDSA", Type: typ, KeyID: Fingerprint(public)}
	h.Key.Type, h.Key.Curve, h.Key.X = "OKP", "Ed25519", encoding.EncodeToString(public)
	protected, err := json.Marshal(h)
	if err != nil {
		return Signed{}, fmt.Errorf("encode a certificate: %w", err)
	}
	c := Signed{Protected: encoding.EncodeToString(protected), Payload: encoding.EncodeToString(payload)}
	c.Signature = encoding.EncodeToString(ed25519.Sign(key, c.input()))
	return c, nil
}

// input is what is signed (RFC 7515, 5.1).
func (c *Signed) input() []byte { return []byte(c.Protected + "." + c.Payload) }

// Parse reads a file without believing it: see Verify. The file may be the
// certificate itself or what the console's API answers, which has it in
// "signed".
func Parse(raw []byte) (Signed, error) {
	if len(raw) > MaxBytes {
		return Signed{}, fmt.Errorf("%w: it is longer than %d bytes", ErrMalformed, MaxBytes)
	}
	var file struct {
		Signed
		Within *Signed `json:"signed"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return Signed{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if file.Within != nil {
		return *file.Within, nil
	}
	return file.Signed, nil
}

// Verify checks the signature and returns what it is over, and the key that
// made it. A certificate says something only to who knows that key from
// elsewhere: compare its Fingerprint, or use VerifyBy.
func (c *Signed) Verify() (Statement, ed25519.PublicKey, error) {
	key, err := c.key()
	if err != nil {
		return Statement{}, nil, err
	}
	signature, err := encoding.DecodeString(c.Signature)
	if err != nil {
		return Statement{}, nil, fmt.Errorf("%w: signature: %w", ErrMalformed, err)
	}
	if !ed25519.Verify(key, c.input(), signature) {
		return Statement{}, nil, ErrSignature
	}
	payload, err := encoding.DecodeString(c.Payload)
	if err != nil {
		return Statement{}, nil, fmt.Errorf("%w: payload: %w", ErrMalformed, err)
	}
	var s Statement
	if err := json.Unmarshal(payload, &s); err != nil {
		return Statement{}, nil, fmt.Errorf("%w: payload: %w", ErrMalformed, err)
	}
	if s.Form != Form {
		return Statement{}, nil, fmt.Errorf("%w: form %q", ErrMalformed, s.Form)
	}
	return s, key, nil
}

// VerifyBy is Verify with ErrOtherKey unless the key has the fingerprint, which
// may be written in any case and with colons.
func (c *Signed) VerifyBy(fingerprint string) (Statement, error) {
	s, key, err := c.Verify()
	if err != nil {
		return s, err
	}
	if strings.ToLower(strings.ReplaceAll(fingerprint, ":", "")) != Fingerprint(key) {
		return Statement{}, fmt.Errorf("%w: its fingerprint is %s", ErrOtherKey, Fingerprint(key))
	}
	return s, nil
}

// key is the key in the header.
func (c *Signed) key() (ed25519.PublicKey, error) {
	raw, err := encoding.DecodeString(c.Protected)
	if err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	var h header
	if err := json.Unmarshal(raw, &h); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	if h.Algorithm != "EdDSA" || h.Type != typ || h.Key.Type != "OKP" || h.Key.Curve != "Ed25519" {
		return nil, fmt.Errorf("%w: %s, %s", ErrMalformed, h.Type, h.Algorithm)
	}
	key, err := encoding.DecodeString(h.Key.X)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: key of %d bytes", ErrMalformed, len(key))
	}
	if h.KeyID != Fingerprint(key) {
		return nil, fmt.Errorf("%w: the header names another key", ErrMalformed)
	}
	return key, nil
}
