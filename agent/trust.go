package agent

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// Dial opens a connection, as net.Dialer.DialContext does.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// newClient makes the client for enrolment and image bytes; close ends its
// idle connections.
func newClient(trust *tls.Config, dial Dial) (client *http.Client, closeIdle func()) {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dial,
		TLSClientConfig:       trust,
		TLSHandshakeTimeout:   15 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		IdleConnTimeout:       90 * time.Second,
	}
	return &http.Client{Transport: t}, t.CloseIdleConnections
}

// trust returns how a server's certificate is checked: by the system's roots,
// or, with a fingerprint, by one certificate that was named in advance. That
// one may be the server's own (then its names do not matter) or an authority
// in its chain (then they do).
func trust(fingerprint string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if fingerprint == "" {
		return cfg, nil
	}
	pin, err := parseFingerprint(fingerprint)
	if err != nil {
		return nil, err
	}
	// The standard check would refuse a self-signed certificate before
	// VerifyConnection sees it; VerifyConnection does all that is needed.
	cfg.InsecureSkipVerify = true
	cfg.VerifyConnection = func(c tls.ConnectionState) error { return checkPin(pin, &c) }
	return cfg, nil
}

// parseFingerprint reads a SHA-256 in hex, with or without colons.
func parseFingerprint(s string) ([]byte, error) {
	pin, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err != nil || len(pin) != sha256.Size {
		return nil, fmt.Errorf("certificate fingerprint %q is not a SHA-256 in hex", s)
	}
	return pin, nil
}

func checkPin(pin []byte, c *tls.ConnectionState) error {
	if len(c.PeerCertificates) == 0 {
		return errors.New("server showed no certificate")
	}
	for i, cert := range c.PeerCertificates {
		sum := sha256.Sum256(cert.Raw)
		if subtle.ConstantTimeCompare(sum[:], pin) != 1 {
			continue
		}
		if i == 0 {
			return nil
		}
		opts := x509.VerifyOptions{DNSName: c.ServerName, Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool()}
		opts.Roots.AddCert(cert)
		for _, mid := range c.PeerCertificates[1:i] {
			opts.Intermediates.AddCert(mid)
		}
		if _, err := c.PeerCertificates[0].Verify(opts); err != nil {
			return fmt.Errorf("certificate below the pinned authority: %w", err)
		}
		return nil
	}
	sum := sha256.Sum256(c.PeerCertificates[0].Raw)
	return fmt.Errorf("no certificate in the server's chain has the pinned fingerprint; the server's own is %x", sum)
}
