// Package outbound is the one HTTP client for URLs that a user typed.
//
// Whoever may type a URL could make the server ask what only the server
// reaches: its own loopback, the machines beside it, the metadata service of
// its cloud. So the address is judged when the socket is dialled, after the
// name was resolved: a name that means something else a moment later, a
// redirect, a proxy variable are no ways around it. What an admin wants reached
// all the same stands in a list (Allowed).
//
// A request is bounded in everything: its time, the header and the body that
// are read. A redirect is not followed; it is a failure that says where to. No
// error has a URL's path or query in it, since they may be secrets.
package outbound

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/stickpress/stickpress/api/fault"
)

// The bounds of a request.
const (
	// Timeout is how long a request may take in all, with name, connection, TLS
	// and the whole answer.
	Timeout = 15 * time.Second
	// MaxBody is how much of an answer's body is read, in bytes.
	MaxBody = 64 << 10
	// MaxHeader is the most that an answer's header may have, in bytes.
	MaxHeader = 16 << 10
	// MaxURL is the most characters of a URL.
	MaxURL = 2000
)

// Options are what a Client needs. Every field has a default.
type Options struct {
	// Allowed says at each request what may be reached beside the public
	// network; nothing by default.
	Allowed func(context.Context) (Allowed, error)
	// Limit bounds a request's time; context.WithTimeout by default.
	Limit func(context.Context, time.Duration) (context.Context, context.CancelFunc)
	// Resolver finds the addresses of names; the system's by default.
	Resolver *net.Resolver
	// TLS is what certificates are checked by; the system's authorities by
	// default.
	TLS *tls.Config
	// Agent is the User-Agent of requests that name none; "Stickpress" by default.
	Agent string
	// Now is the clock that Took is counted by, time.Now by default.
	Now func() time.Time
}

// Client asks URLs that a user typed. It is safe for concurrent use.
type Client struct {
	options Options
	http    *http.Client
}

// New returns a client.
func New(o Options) *Client {
	if o.Allowed == nil {
		o.Allowed = func(context.Context) (Allowed, error) { return Allowed{}, nil }
	}
	if o.Limit == nil {
		o.Limit = context.WithTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Agent = cmp.Or(o.Agent, "Stickpress")
	dialer := &net.Dialer{Resolver: o.Resolver, ControlContext: control}
	return &Client{options: o, http: &http.Client{
		Transport: &http.Transport{
			// No proxy: it would resolve and connect in our place, unjudged. No kept
			// connections: each request is judged. No compression: what is read is
			// what was sent, and bounded.
			DialContext: dialer.DialContext, TLSClientConfig: o.TLS, DisableKeepAlives: true, DisableCompression: true,
			MaxResponseHeaderBytes: MaxHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Request is what is sent.
type Request struct {
	Method string // POST if empty
	URL    string
	Header http.Header
	Body   []byte
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte        // at most MaxBody of it
	Cut    bool          // the body went on
	Took   time.Duration // in all; of a failure, too
}

// OK reports whether the answer says that all is well (2xx).
func (a *Answer) OK() bool { return a.Status >= 200 && a.Status <= 299 }

// Do sends a request, once. What is refused or does not come to an answer is a
// *fault.Error: url_invalid, url_not_https, address_not_allowed,
// name_not_resolved, connection_failed, certificate_refused, answer_late,
// answer_broken; redirect_refused has the answer beside it. Any other status is
// an answer, and the caller's to judge.
func (c *Client) Do(ctx context.Context, r Request) (Answer, error) {
	allowed, err := c.options.Allowed(ctx)
	if err != nil {
		return Answer{}, err
	}
	u, err := parse(allowed, r.URL)
	if err != nil {
		return Answer{}, err
	}
	began := c.options.Now()
	limited, cancel := c.options.Limit(ctx, Timeout)
	defer cancel()
	answer, err := c.ask(context.WithValue(limited, guardKey{}, &guard{
		allowed: allowed, host: u.Hostname(), plain: u.Scheme == "http", byName: allowed.host(u.Hostname()),
	}), u, r)
	answer.Took = c.options.Now().Sub(began)
	if err != nil && ctx.Err() != nil {
		return answer, ctx.Err() // the caller gave up: nothing is known of the receiver
	}
	return answer, err
}

func (c *Client) ask(ctx context.Context, u *url.URL, r Request) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, cmp.Or(r.Method, http.MethodPost), u.String(), bytes.NewReader(r.Body))
	if err != nil {
		return Answer{}, fault.Wrap(err, fault.KindInvalid, CodeURLInvalid)
	}
	for name, values := range r.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", c.options.Agent)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return Answer{}, failed(ctx, u.Hostname(), err, false)
	}
	defer resp.Body.Close()
	answer := Answer{Status: resp.StatusCode, Header: resp.Header}
	answer.Body, err = io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	if len(answer.Body) > MaxBody {
		answer.Body, answer.Cut = answer.Body[:MaxBody], true
	}
	switch {
	case err != nil:
		return answer, failed(ctx, u.Hostname(), err, true)
	case resp.StatusCode >= 300 && resp.StatusCode <= 399:
		return answer, fault.New(fault.KindUnavailable, CodeRedirect, "host", u.Hostname(), "status", strconv.Itoa(resp.StatusCode), "to", hostOf(resp, u))
	}
	return answer, nil
}

// hostOf is the host that a redirect leads to.
func hostOf(resp *http.Response, from *url.URL) string {
	to, err := from.Parse(resp.Header.Get("Location"))
	if err != nil {
		return "?"
	}
	return to.Hostname()
}

// guard is what a dial is judged by.
type guard struct {
	allowed Allowed
	host    string
	plain   bool // without TLS
	byName  bool // the host is allowed by its name
}

type guardKey struct{}

// control judges an address right before the socket connects to it.
func control(ctx context.Context, _, address string, _ syscall.RawConn) error {
	g, ok := ctx.Value(guardKey{}).(*guard)
	if !ok {
		return errors.New("outbound: a dial without its guard")
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return notAllowed(g.host, address)
	}
	ip := at.Addr().Unmap()
	if metadata(ip) {
		if !g.allowed.exactly(ip) {
			return notAllowed(g.host, ip.String())
		}
		return nil
	}
	if g.byName || g.allowed.address(ip) {
		return nil
	}
	if !public(ip) {
		return notAllowed(g.host, ip.String())
	}
	if g.plain {
		return notHTTPS(g.host)
	}
	return nil
}

// Check refuses a URL that could never be asked: what a form is told before
// anything is sent. Names are resolved by Do alone. Faults: url_invalid,
// url_not_https, address_not_allowed.
func (c *Client) Check(ctx context.Context, raw string) error {
	allowed, err := c.options.Allowed(ctx)
	if err != nil {
		return err
	}
	u, err := parse(allowed, raw)
	if err != nil {
		return err
	}
	host := u.Hostname()
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil && loopbackName(host) && !allowed.host(host) && !allowed.address(netip.IPv6Loopback()) && !allowed.address(netip.AddrFrom4([4]byte{127, 0, 0, 1})):
		return notAllowed(host, host)
	case err != nil:
		return nil
	case metadata(ip.Unmap()) && allowed.exactly(ip.Unmap()):
		return nil
	case metadata(ip.Unmap()), !allowed.host(host) && !allowed.address(ip.Unmap()) && !public(ip.Unmap()):
		return notAllowed(host, ip.String())
	case u.Scheme == "http" && !allowed.host(host) && !allowed.address(ip.Unmap()):
		return notHTTPS(host)
	}
	return nil
}

func loopbackName(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// parse reads a URL. That it is plain http is refused here as far as that can
// be known before its name is resolved.
func parse(allowed Allowed, raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > MaxURL || u.Host == "" || u.Opaque != "" || u.User != nil || u.Fragment != "" || !sound(u) {
		return nil, fault.New(fault.KindInvalid, CodeURLInvalid)
	}
	switch u.Scheme {
	case "https":
	case "http":
		if !allowed.any() {
			return nil, notHTTPS(u.Hostname())
		}
	default:
		return nil, fault.New(fault.KindInvalid, CodeURLInvalid)
	}
	return u, nil
}

// sound reports whether a URL's host and port can be dialled.
func sound(u *url.URL) bool {
	host := u.Hostname()
	if host == "" || len(host) > 253 || strings.ContainsAny(host, "%/\\ ") {
		return false
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		return err == nil && n > 0
	}
	return !strings.HasSuffix(u.Host, ":")
}
