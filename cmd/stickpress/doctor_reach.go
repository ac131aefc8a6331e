package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/keypair"
	"github.com/stickpress/stickpress/store"
)

const (
	certificateSoon = 30 * 24 * time.Hour
	reachTime       = 10 * time.Second
)

// certificate looks at the server's own, if it has one.
func (d *doctor) certificate(now time.Time) {
	if d.config.TLSCert == "" {
		if d.config.BehindProxy != "" {
			d.ok("certificate", "the proxy in front has it")
		} else {
			d.ok("certificate", "none: the console is for this machine alone")
		}
		return
	}
	cert := d.leaf()
	const do = "Put a new pair in place; a running server takes it by itself."
	switch {
	case cert == nil:
	case now.After(cert.NotAfter):
		d.fail("certificate", do, "%s is over since %s", d.config.TLSCert, cert.NotAfter.Format(time.DateOnly))
	case now.Before(cert.NotBefore):
		d.fail("certificate", "Look at the clock.", "%s begins on %s", d.config.TLSCert, cert.NotBefore.Format(time.DateOnly))
	case cert.NotAfter.Sub(now) < certificateSoon:
		d.warn("certificate", do, "%s ends on %s", d.config.TLSCert, cert.NotAfter.Format(time.DateOnly))
	default:
		d.ok("certificate", "%s is good until %s", d.config.TLSCert, cert.NotAfter.Format(time.DateOnly))
	}
}

// leaf reads the server's certificate; nil without one that can be used.
func (d *doctor) leaf() *x509.Certificate {
	files, err := keypair.Open(d.config.TLSCert, d.config.TLSKey)
	var pair *tls.Certificate
	if err == nil {
		pair, err = files.Get(nil)
	}
	var cert *x509.Certificate
	if err == nil {
		cert, err = x509.ParseCertificate(pair.Certificate[0])
	}
	if err != nil {
		d.fail("certificate", "Look at tls-cert and tls-key: they must belong together.", "%v", err)
		return nil
	}
	return cert
}

// publicURL asks the console at the address that people and agents are told. st
// may be nil.
func (d *doctor) publicURL(ctx context.Context, st *store.Store) {
	at := d.config.reach(d.from)
	address := at.url
	if st != nil && !at.set {
		if s, err := st.Setting(ctx, api.SettingPublicURL); err == nil && s.Value != "" {
			address = strings.TrimSuffix(s.Value, "/")
		}
	}
	u, err := url.Parse(address)
	if err != nil {
		d.fail("public URL", "Set public-url.", "%s is no URL: %v", address, err)
		return
	}
	if loopback(u.Hostname()) {
		d.warn("public URL", "Set public-url once hosts or people are on other machines.", "%s leads nowhere but on this machine", address)
	}
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/readyz", http.NoBody)
	if err != nil {
		d.fail("public URL", "Set public-url.", "%v", err)
		return
	}
	resp, err := d.client().Do(req)
	if err != nil {
		d.fail("public URL", "Start the server, or mend public-url, the proxy, the certificate or the name in DNS.", "%s does not answer: %v", address, err)
		return
	}
	_ = resp.Body.Close() // nothing is read
	if resp.StatusCode != http.StatusOK {
		d.fail("public URL", "Look into the server's log, and whether the proxy leads to it.", "%s/readyz answers %s", address, resp.Status)
		return
	}
	d.ok("public URL", "%s answers", address)
}

// client trusts what this machine trusts, and the console's own certificate.
func (d *doctor) client() *http.Client {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if raw, err := os.ReadFile(d.config.TLSCert); err == nil {
		roots.AppendCertsFromPEM(raw)
	}
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
	}}
}
