package client

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Trust is how a console's certificate is checked. The zero value takes the
// authorities of the system.
type Trust struct {
	// CA are PEM certificates of authorities, beside none of the system's.
	CA []byte
	// Pin is the SHA-256 in hex, with or without colons, of the console's own
	// certificate; then neither its names nor its dates matter. It goes before
	// CA.
	Pin string
}

// PinError says that a console showed another certificate than the pinned one.
type PinError struct {
	Shown string // SHA-256 in hex
}

func (e *PinError) Error() string {
	return "the server shows another certificate than the pinned one; its SHA-256 is " + e.Shown
}

// HTTP returns a client for Options.HTTP that trusts as t says.
func (t Trust) HTTP() (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	config, err := t.config()
	if err != nil {
		return nil, err
	}
	transport.TLSClientConfig = config
	return &http.Client{Transport: transport}, nil
}

func (t Trust) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	switch {
	case t.Pin != "":
		pin, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(t.Pin), ":", ""))
		if err != nil || len(pin) != sha256.Size {
			return nil, fmt.Errorf("the fingerprint %q is not a SHA-256 in hex", t.Pin)
		}
		// The standard check would refuse a self-signed certificate before
		// VerifyConnection sees it; VerifyConnection is the whole check.
		config.InsecureSkipVerify = true
		config.VerifyConnection = func(c tls.ConnectionState) error { return checkPin(pin, &c) }
	case len(t.CA) > 0:
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(t.CA) {
			return nil, errors.New("there is no certificate in the file of authorities")
		}
	}
	return config, nil
}

func checkPin(pin []byte, c *tls.ConnectionState) error {
	if len(c.PeerCertificates) == 0 {
		return errors.New("the server shows no certificate")
	}
	sum := sha256.Sum256(c.PeerCertificates[0].Raw)
	if subtle.ConstantTimeCompare(sum[:], pin) != 1 {
		return &PinError{Shown: hex.EncodeToString(sum[:])}
	}
	return nil
}
