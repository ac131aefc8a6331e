package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api/client"
)

func loginCommand(x *remote) *cobra.Command {
	var name string
	var stdin, browser bool
	cmd := &cobra.Command{
		Use:     "login URL",
		Short:   "Signs this machine's user in at a console",
		GroupID: groupClient,
		Long: `Signs this machine's user in at a console, which is the one that is meant from
then on where no --server is given. Several can be kept, see 'stickpress context'.

A link and a code are shown: open the link in a browser where you are signed in at
the console, on any machine, see that it shows the code, and allow it. The token
that is made for it is kept in servers.json in the user's folder for settings,
where nobody else can read it; 'stickpress logout' ends it, and so does the next
login under the same name.

A token of the account page is read from standard input with --token-stdin.

A console whose certificate nobody issued is known by the SHA-256 of it, which
its settings and its enrolment lines show. It is shown and asked about, or given
with --pin.`,
		Example: `  stickpress login https://sticks.example.org
  stickpress login https://sticks.example.org --name prod --token-stdin <token.txt`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := x.newServer(cmd, args[0], name)
			if err != nil {
				return err
			}
			file, err := readServers(x.environ)
			if err != nil {
				return err
			}
			if err := trustServer(cmd, &s); err != nil {
				return err
			}
			if err := x.getToken(cmd, &s, stdin, browser); err != nil {
				return err
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			me, err := c.GetMe(cmd.Context())
			if err != nil {
				return err
			}
			before := file.named(s.Name)
			file.put(s)
			file.Current = s.Name
			if err := file.write(); err != nil {
				return err
			}
			if before.Token != s.Token { // nobody knows it any more
				warnGood(cmd, &before, endToken(cmd.Context(), &before))
			}
			x.tell(cmd, "Signed in at %s as %s (%s), as the context %q.", s.URL, me.User.Login, me.Role, s.Name)
			return nil
		},
	}
	x.addFlags(cmd)
	cmd.Flags().StringVar(&name, "name", "", "what to call it (default: the URL's host)")
	cmd.Flags().BoolVar(&stdin, "token-stdin", false, "read a token from standard input")
	cmd.Flags().BoolVar(&browser, "browser", false, "show a link to allow it, also where nobody types")
	cmd.MarkFlagsMutuallyExclusive("token-stdin", "browser")
	return cmd
}

// newServer is the console of a URL with what the flags say of it.
func (x *remote) newServer(cmd *cobra.Command, at, name string) (savedServer, error) {
	if !strings.Contains(at, "://") {
		at = "https://" + at
	}
	u, err := url.Parse(at)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return savedServer{}, wrong(cmd, "%q is not like https://console.example", at)
	}
	if name == "" {
		name = u.Hostname()
	}
	if strings.ContainsAny(name, "/ ") {
		return savedServer{}, wrong(cmd, "a name has no slash and no space: %q", name)
	}
	s := savedServer{Name: name, URL: trimURL(at), Pin: x.pin, CA: x.ca}
	if s.Pin == "" {
		s.Pin = lookup(x.environ, "STICKPRESS_PIN")
	}
	if s.CA == "" {
		s.CA = lookup(x.environ, "STICKPRESS_CA")
	}
	if s.CA != "" {
		if s.CA, err = filepath.Abs(s.CA); err != nil {
			return s, err
		}
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s is not encrypted: whoever is on the way can read the token.\n", s.URL)
	}
	return s, nil
}

// trustServer asks whether a certificate that nobody issued is the console's.
func trustServer(cmd *cobra.Command, s *savedServer) error {
	if !strings.HasPrefix(s.URL, "https:") || s.Pin != "" || s.CA != "" {
		return nil
	}
	shown, err := certificateOf(cmd.Context(), s.URL)
	var unknown x509.UnknownAuthorityError
	if err == nil || !errors.As(err, &unknown) || len(shown) == 0 {
		return err
	}
	sum := sha256.Sum256(shown)
	pin := hex.EncodeToString(sum[:])
	fmt.Fprintf(cmd.ErrOrStderr(), "Nobody that this machine trusts issued the certificate of %s.\nIts SHA-256 is %s.\n", s.URL, pin)
	if !terminal(cmd.InOrStdin()) {
		return fmt.Errorf("the certificate of %s is not trusted: compare its SHA-256 with what the console's settings show and give it with --pin, or give its authority with --ca", s.URL)
	}
	fmt.Fprint(cmd.ErrOrStderr(), "Is that what the console's settings show? Type yes: ")
	if answer, err := readLine(cmd.InOrStdin()); err != nil || !strings.EqualFold(answer, "yes") {
		return errors.Join(errors.New("the certificate was not confirmed"), err)
	}
	s.Pin = pin
	return nil
}

// certificateOf asks a console for its certificate; the error is why this
// machine does not trust it.
func certificateOf(ctx context.Context, at string) ([]byte, error) {
	var shown []byte
	h, err := client.Trust{}.HTTP()
	if err != nil {
		return nil, err
	}
	transport := h.Transport.(*http.Transport)
	transport.TLSClientConfig.InsecureSkipVerify = true // looked at below, and nothing is sent
	var verdict error
	transport.TLSClientConfig.VerifyConnection = func(c tls.ConnectionState) error {
		shown = c.PeerCertificates[0].Raw
		o := x509.VerifyOptions{DNSName: c.ServerName, Intermediates: x509.NewCertPool()}
		for _, mid := range c.PeerCertificates[1:] {
			o.Intermediates.AddCert(mid)
		}
		_, verdict = c.PeerCertificates[0].Verify(o)
		return verdict
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, at+"/readyz", http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := h.Do(req)
	if err != nil {
		return shown, err
	}
	return shown, resp.Body.Close()
}

// getToken takes the token of the flag or the environment, reads it from
// standard input, or has it allowed in a browser.
func (x *remote) getToken(cmd *cobra.Command, s *savedServer, stdin, browser bool) error {
	in := cmd.InOrStdin()
	env := lookup(x.environ, "STICKPRESS_TOKEN")
	switch {
	case stdin && terminal(in):
		line, err := askSecret(in, cmd.ErrOrStderr(), "Paste the token here: ")
		if err != nil {
			return err
		}
		s.Token = line
	case stdin:
		line, err := readLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		s.Token = line
	case x.token != "":
		s.Token = x.token
	case browser, terminal(in):
		return askInBrowser(cmd, s)
	case env != "":
		s.Token = env
	}
	s.Token = strings.TrimSpace(s.Token)
	switch {
	case s.Token == "" && stdin:
		return wrong(cmd, "there is no token on standard input: make one on %s/account", s.URL)
	case s.Token == "":
		return wrong(cmd, "no token, and nobody types here: make one on %s/account and give it with --token-stdin, or show a link to allow it with --browser", s.URL)
	}
	return nil
}

// trustHint says what to do about a certificate that is not trusted.
func trustHint(err error) string {
	var unknown x509.UnknownAuthorityError
	var other *client.PinError
	switch {
	case errors.As(err, &unknown):
		return " (nobody that this machine trusts issued its certificate: 'stickpress login' shows its SHA-256 to confirm; or use --ca or --pin)"
	case errors.As(err, &other):
		return " (if the console has a new certificate, compare that with its settings and sign in again)"
	}
	return ""
}
