// Package oidc signs people in at an OpenID provider: OpenID Connect Core 1.0,
// the authorization code flow (section 3.1) with PKCE (RFC 7636).
//
// A sign-in is two requests of one browser. Begin makes what ties them
// together (state, nonce, verifier), which the caller keeps on its side, and
// the address at the provider. Finish takes what the provider sent back and
// returns who it says came. The provider's own description is fetched when it
// is first needed, and again when that failed a few seconds ago, so that a console
// starts without its provider.
package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/stickpress/stickpress/api/fault"
)

// The codes of this package's faults.
const (
	CodeUnavailable fault.Code = "provider_unavailable" // it does not answer, or not as a provider does
	CodeRefused     fault.Code = "provider_refused"     // reason: the provider's error code
	CodeStale       fault.Code = "provider_stale"       // the answer is to no sign-in of this browser
	CodeInvalid     fault.Code = "provider_invalid"     // what it says cannot be believed
)

// Config is a provider and what we are to it.
type Config struct {
	Issuer       string // an https URL; http of this machine only
	ClientID     string
	ClientSecret string
	RedirectURL  string           // of the console, as it is known to the provider
	Scopes       []string         // "openid" is always among them
	LoginClaim   string           // default preferred_username
	GroupsClaim  string           // default groups; "realm_access.roles" is a path
	Clock        func() time.Time // default time.Now
}

// Identity is who came, as the provider says.
type Identity struct {
	Subject string // the provider and its name for the person, for ever
	Login   string
	Name    string
	Groups  []string
}

// Flow is one sign-in that is under way. It is a secret of the console and the
// browser that began it.
type Flow struct {
	State    string
	Nonce    string
	Verifier string
	URL      string // where the browser goes
}

// Provider is an OpenID provider. It is safe for concurrent use.
type Provider struct {
	config Config
	http   *http.Client

	turn   chan struct{} // of who looks at what follows, or asks the provider
	known  *oidc.Provider
	failed error // why it is not known
	until  time.Time
}

// failureKept is how long a provider that did not answer is not asked again:
// whoever comes meanwhile hears so at once.
const failureKept = 5 * time.Second

// patience bounds each request to the provider.
const patience = 15 * time.Second

// New returns a provider that nobody has asked anything yet.
func New(c Config) *Provider {
	if c.LoginClaim == "" {
		c.LoginClaim = "preferred_username"
	}
	if c.GroupsClaim == "" {
		c.GroupsClaim = "groups"
	}
	if !slices.Contains(c.Scopes, oidc.ScopeOpenID) {
		c.Scopes = append([]string{oidc.ScopeOpenID}, c.Scopes...)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return &Provider{config: c, http: &http.Client{Timeout: patience}, turn: make(chan struct{}, 1)}
}

// discover returns the provider's description, fetched once.
func (p *Provider) discover(ctx context.Context) (*oidc.Provider, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done(): // who waits for another one's question may go
		return nil, unavailable(ctx.Err())
	}
	switch {
	case p.known != nil:
		return p.known, nil
	case p.config.Clock().Before(p.until):
		return nil, p.failed
	}
	// The library keeps the context for later fetches of keys: it must not end
	// with this request.
	known, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.http), p.config.Issuer)
	if err != nil {
		p.failed, p.until = unavailable(err), p.config.Clock().Add(failureKept)
		return nil, p.failed
	}
	p.known = known
	return known, nil
}

func (p *Provider) client(known *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret, Endpoint: known.Endpoint(),
		RedirectURL: p.config.RedirectURL, Scopes: p.config.Scopes,
	}
}

// Begin begins a sign-in. Faults: provider_unavailable.
func (p *Provider) Begin(ctx context.Context) (Flow, error) {
	known, err := p.discover(ctx)
	if err != nil {
		return Flow{}, err
	}
	f := Flow{State: secret(), Nonce: secret(), Verifier: oauth2.GenerateVerifier()}
	f.URL = p.client(known).AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier))
	return f, nil
}

// secret is 256 random bits.
func secret() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// errorCode is what an error of OAuth 2.0 looks like (RFC 6749 section 4.1.2.1);
// anything else came from somebody else.
var errorCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// Finish ends a sign-in with the query that the provider sent the browser back
// with. Faults: provider_stale, provider_refused, provider_unavailable,
// provider_invalid.
func (p *Provider) Finish(ctx context.Context, f Flow, answer url.Values) (Identity, error) {
	if f.State == "" || subtle.ConstantTimeCompare([]byte(f.State), []byte(answer.Get("state"))) != 1 {
		return Identity{}, fault.New(fault.KindUnauthenticated, CodeStale)
	}
	// Whose answer it is (RFC 9207), where the provider says so.
	if iss := answer.Get("iss"); iss != "" && iss != p.config.Issuer {
		return Identity{}, invalid(fmt.Errorf("the answer is of %q", iss))
	}
	if answer.Has("error") {
		return Identity{}, refused(nil, answer.Get("error"))
	}
	known, err := p.discover(ctx)
	if err != nil {
		return Identity{}, err
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.http), patience)
	defer cancel()
	token, err := p.client(known).Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return Identity{}, exchangeFailed(err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := known.Verifier(&oidc.Config{ClientID: p.config.ClientID}).Verify(ctx, raw)
	if err != nil {
		return Identity{}, invalid(err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.Nonce)) != 1 {
		return Identity{}, invalid(fmt.Errorf("the nonce is another one"))
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return Identity{}, invalid(err)
	}
	if err := p.ask(ctx, known, token, id.Subject, claims); err != nil {
		return Identity{}, err
	}
	return p.identity(id, claims), nil
}

// ask adds what the provider tells at its UserInfo endpoint (OpenID Connect
// Core, section 5.3), if it has one: many tell groups only there.
func (p *Provider) ask(ctx context.Context, known *oidc.Provider, token *oauth2.Token, subject string, claims map[string]any) error {
	if known.UserInfoEndpoint() == "" {
		return nil
	}
	info, err := known.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return unavailable(err)
	}
	if info.Subject != subject { // section 5.3.2: it must not be used then
		return invalid(fmt.Errorf("the UserInfo is somebody else's"))
	}
	more := map[string]any{}
	if err := info.Claims(&more); err != nil {
		return invalid(err)
	}
	for name, value := range more {
		if _, ok := claims[name]; !ok {
			claims[name] = value
		}
	}
	return nil
}

func (p *Provider) identity(id *oidc.IDToken, claims map[string]any) Identity {
	out := Identity{Subject: id.Issuer + " " + id.Subject, Groups: texts(find(claims, p.config.GroupsClaim))}
	for _, claim := range []string{p.config.LoginClaim, "email"} {
		if s, ok := find(claims, claim).(string); ok && out.Login == "" {
			out.Login = s
		}
	}
	if s, ok := claims["name"].(string); ok {
		out.Name = s
	}
	return out
}

// SignOutURL is where a browser signs out at the provider as well and comes
// back to the console (OpenID Connect RP-Initiated Logout 1.0); "" if the
// provider has no such page or is not there.
func (p *Provider) SignOutURL(ctx context.Context, back string) string {
	known, err := p.discover(ctx)
	if err != nil {
		return ""
	}
	var more struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if known.Claims(&more) != nil || more.EndSession == "" {
		return ""
	}
	u, err := url.Parse(more.EndSession)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	q := u.Query()
	q.Set("client_id", p.config.ClientID)
	q.Set("post_logout_redirect_uri", back)
	u.RawQuery = q.Encode()
	return u.String()
}

// find looks a claim up: by its name, or else as a path through objects.
func find(claims map[string]any, name string) any {
	if v, ok := claims[name]; ok {
		return v
	}
	head, rest, ok := strings.Cut(name, ".")
	inner, isObject := claims[head].(map[string]any)
	if !ok || !isObject {
		return nil
	}
	return find(inner, rest)
}

// texts are the texts of a claim that is one or a list of them.
func texts(claim any) []string {
	switch v := claim.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, x := range v {
			if s, ok := x.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// refused is a refusal of the provider's, with its own code for it.
func refused(err error, reason string) error {
	if !errorCode.MatchString(reason) {
		reason = "unknown"
	}
	return fault.Wrap(err, fault.KindUnauthenticated, CodeRefused, "reason", reason)
}

func unavailable(err error) error {
	return fault.Wrap(err, fault.KindUnavailable, CodeUnavailable)
}

func invalid(err error) error {
	return fault.Wrap(err, fault.KindUnauthenticated, CodeInvalid)
}
