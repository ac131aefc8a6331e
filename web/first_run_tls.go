package web

import (
	"cmp"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/stickpress/stickpress/api"
)

// firstRunTLS keeps a certificate: a new one for names, or one that is brought.
func (s *Web) firstRunTLS(w http.ResponseWriter, r *http.Request) error {
	if err := s.console.FirstRunOpenStill(r.Context(), actorOf(r)); err != nil {
		return err
	}
	in := api.KeepTLSInput{Cert: r.PostFormValue("cert"), Key: r.PostFormValue("key")}
	if r.PostFormValue("make") != "" {
		in = api.KeepTLSInput{Names: cmp.Or(r.PostFormValue("names"), " ")}
	}
	if err := s.console.KeepTLS(r.Context(), actorOf(r), in); err != nil {
		p, pageErr := s.firstRunPage(r, api.FirstRunAddress)
		if pageErr != nil {
			return pageErr
		}
		p.TLSNames, p.TLSCert = r.PostFormValue("names"), in.Cert
		return s.showFirstRun(w, r, p, err)
	}
	said := "first_run.tls_kept"
	if s.console.TLSFiles().Live {
		said = "first_run.tls_live"
	}
	s.flash(r, localeOf(r).T(said))
	return see(w, r, "/first-run/address")
}

// tlsNames are those that a certificate of this server should have.
func (s *Web) tlsNames(r *http.Request) string {
	var names []string
	if at, err := s.console.PublicURL(r.Context(), s.url); err == nil {
		if u, err := url.Parse(at); err == nil {
			names = append(names, u.Hostname())
		}
	}
	if host, err := os.Hostname(); err == nil && (len(names) == 0 || names[0] != host) {
		names = append(names, host)
	}
	return strings.Join(names, " ")
}

// pin is the fingerprint by which agents know the certificate, if nobody issued
// it.
func (s *Web) pin() string {
	if s.fingerprint == nil {
		return ""
	}
	return s.fingerprint()
}
