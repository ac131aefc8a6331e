// Package keypair keeps the console's own certificate: two PEM files in its
// data folder, made here or brought by an admin, which a server without other
// files takes at its start and reads anew whenever they change.
package keypair

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Paths are where the pair is kept below a data folder.
func Paths(data string) (cert, key string) {
	return filepath.Join(data, "tls", "cert.pem"), filepath.Join(data, "tls", "key.pem")
}

// Kept reports whether a data folder has a pair.
func Kept(data string) bool {
	cert, key := Paths(data)
	_, noCert := os.Stat(cert)
	_, noKey := os.Stat(key)
	return noCert == nil && noKey == nil
}

// lifetime of a certificate that is made here: what browsers still take of one
// that nobody issued.
const lifetime = 825 * 24 * time.Hour

// SelfSigned makes a certificate for names (DNS names or IP addresses, at
// least one) and its key, ECDSA on P-256, both as PEM. It may not sign others.
func SelfSigned(names []string, now time.Time) (cert, key []byte, err error) {
	if len(names) == 0 {
		return nil, nil, errors.New("a certificate needs a name")
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, fmt.Errorf("make a serial: %w", err)
	}
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: names[0], Organization: []string{"Stickpress"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, private.Public(), private)
	if err != nil {
		return nil, nil, fmt.Errorf("sign the certificate: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, fmt.Errorf("write the key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), nil
}

// Check refuses a pair that no server could use now: not PEM, a key of another
// certificate, or one that is over.
func Check(cert, key []byte, now time.Time) error {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return err
	}
	if pair.Leaf == nil || now.After(pair.Leaf.NotAfter) {
		return errors.New("the certificate has expired")
	}
	return nil
}

// Keep checks a pair and keeps it, the key for this user alone. The one that
// was there before is gone.
func Keep(data string, cert, key []byte, now time.Time) error {
	if err := Check(cert, key, now); err != nil {
		return err
	}
	certFile, keyFile := Paths(data)
	if err := os.MkdirAll(filepath.Dir(certFile), 0o700); err != nil {
		return fmt.Errorf("make the folder of the certificate: %w", err)
	}
	for path, raw := range map[string][]byte{keyFile: key, certFile: cert} {
		if err := os.WriteFile(path+".new", raw, 0o600); err != nil {
			return fmt.Errorf("write the certificate: %w", err)
		}
	}
	return errors.Join(os.Rename(keyFile+".new", keyFile), os.Rename(certFile+".new", certFile))
}

// Fingerprint is the SHA-256, in hex, of a self-signed certificate, by which
// agents know it; empty for one that somebody issued.
func Fingerprint(cert []byte) string {
	block, _ := pem.Decode(cert)
	if block == nil {
		return ""
	}
	x, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !bytes.Equal(x.RawIssuer, x.RawSubject) {
		return ""
	}
	sum := sha256.Sum256(x.Raw)
	return hex.EncodeToString(sum[:])
}

// Files serves the pair of two files, which may be exchanged while it does.
type Files struct {
	cert, key string

	mu   sync.Mutex
	pair *tls.Certificate
	at   time.Time // the certificate's file was written then
}

// Open reads the pair of two files.
func Open(cert, key string) (*Files, error) {
	f := &Files{cert: cert, key: key}
	_, err := f.Get(nil)
	return f, err
}

// Get is a tls.Config's GetCertificate. A pair that cannot be read leaves the
// one before in use.
func (f *Files) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.cert)
	if err == nil && (f.pair == nil || !info.ModTime().Equal(f.at)) {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(f.cert, f.key); err == nil {
			f.pair, f.at = &pair, info.ModTime()
		}
	}
	if f.pair == nil {
		return nil, err
	}
	return f.pair, nil
}
