package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/outbound"
	"github.com/stickpress/stickpress/store"
)

// How long a token is kept: as long as it is good less an attempt's time, and not
// for longer than the longest life, whatever its server says.
const (
	tokenMargin = writeBackPatience
	longestLife = time.Hour
)

// mostTokens is how many tokens are kept, of as many connectors.
const mostTokens = 1000

// tokenRequest is all that a token is asked for with.
type tokenRequest struct {
	id      store.ConnectorID
	auth    WriteBackAuth
	secrets authSecrets
}

// ticketTokens are the tokens that connectors have at the moment, in memory alone.
// One is good for the settings that it was asked for with: who changes them gets
// another, on each replica.
type ticketTokens struct {
	mu     sync.Mutex
	kept   map[store.ConnectorID]ticketToken
	asking singleflight.Group // by connector and settings
}

type ticketToken struct {
	of     tokenRequest
	secret string
	until  time.Time
}

func (t *ticketTokens) find(r *tokenRequest, now time.Time) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, ok := t.kept[r.id]
	if ok && (k.of != *r || !now.Before(k.until)) {
		delete(t.kept, r.id)
		ok = false
	}
	return k.secret, ok
}

func (t *ticketTokens) keep(k ticketToken, now time.Time) {
	if !now.Before(k.until) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kept == nil {
		t.kept = map[store.ConnectorID]ticketToken{}
	}
	for id, old := range t.kept {
		if !now.Before(old.until) {
			delete(t.kept, id)
		}
	}
	if len(t.kept) < mostTokens {
		t.kept[k.of.id] = k
	}
}

// drop forgets a token that was refused, unless there is a newer one.
func (t *ticketTokens) drop(id store.ConnectorID, secret string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kept[id].secret == secret {
		delete(t.kept, id)
	}
}

// ticketToken is a token for a request, and whether it was kept, as far as this
// caller found it. Who asks while one is fetched gets the same.
func (c *Console) ticketToken(ctx context.Context, r tokenRequest) (secret string, kept bool, err error) {
	key, err := json.Marshal([]any{r.id.String(), r.auth, r.secrets})
	if err != nil {
		return "", false, err
	}
	got, err, _ := c.tickets.asking.Do(string(key), func() (any, error) {
		now := c.now()
		if secret, kept = c.tickets.find(&r, now); kept {
			return secret, nil
		}
		secret, life, err := c.fetchToken(ctx, &r)
		if err == nil {
			c.tickets.keep(ticketToken{r, secret, now.Add(life - tokenMargin)}, now)
		}
		return secret, err
	})
	if err != nil {
		return "", false, err
	}
	return got.(string), kept, nil
}

// The faults of a token that was not given.
const (
	CodeTokenRefused fault.Code = "write_back_token_refused" // status, host, why: OAuth 2's error
	CodeTokenMissing fault.Code = "write_back_token_missing" // status, host: the answer says neither
	CodeTokenLate    fault.Code = "write_back_token_late"    // host, seconds
	CodeTokenBroken  fault.Code = "write_back_token_broken"  // host
)

// fetchToken asks for an access token and how long it is good, zero where that is
// not said (RFC 6749 sections 2.3.1, 4.3.2, 4.4.2, 5.1).
func (c *Console) fetchToken(ctx context.Context, r *tokenRequest) (string, time.Duration, error) {
	a, s := &r.auth, &r.secrets
	form := url.Values{"grant_type": {"client_credentials"}}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}}
	mask := secretTexts{s.Secret, s.ClientSecret}
	if a.ClientAuth == ClientBasic {
		id, secret := url.QueryEscape(a.ClientID), url.QueryEscape(s.ClientSecret)
		encoded := base64.StdEncoding.EncodeToString([]byte(id + ":" + secret))
		header.Set("Authorization", "Basic "+encoded)
		mask = append(mask, encoded, secret)
	} else {
		form.Set("client_id", a.ClientID)
		form.Set("client_secret", s.ClientSecret)
	}
	if a.Kind == AuthPassword {
		form.Set("grant_type", "password")
		form.Set("username", a.User)
		form.Set("password", s.Secret)
	}
	if a.Scope != "" {
		form.Set("scope", a.Scope)
	}
	answer, err := c.outbound.Do(ctx, outbound.Request{URL: a.TokenURL, Body: []byte(form.Encode()), Header: header})
	if err != nil {
		return "", 0, noToken(err)
	}
	var token struct {
		AccessToken string          `json:"access_token"`
		TokenType   string          `json:"token_type"`
		ExpiresIn   json.RawMessage `json:"expires_in"`
		Error       string          `json:"error"`
	}
	err = json.Unmarshal(answer.Body, &token)
	bad := strings.ContainsFunc(token.AccessToken, func(r rune) bool { return r <= ' ' || r > '~' })
	if !answer.OK() || err != nil || token.AccessToken == "" || bad || !strings.EqualFold(token.TokenType, "bearer") {
		host := ""
		if u, parsed := url.Parse(a.TokenURL); parsed == nil {
			host = u.Host
		}
		if why := mask.out(token.Error); why != "" && len(why) <= maxOAuthError && !strings.ContainsFunc(why, notInOAuthError) {
			return "", 0, fault.Wrap(err, fault.KindUnavailable, CodeTokenRefused, "status", answer.Status, "host", host, "why", why)
		}
		return "", 0, fault.Wrap(err, fault.KindUnavailable, CodeTokenMissing, "status", answer.Status, "host", host)
	}
	return token.AccessToken, lifeOf(token.ExpiresIn), nil
}

// noToken says of a token server's silence what is true of the ticket system: it
// was asked nothing yet.
func noToken(err error) error {
	f := fault.From(err)
	switch f.Code { //nolint:exhaustive // what the others say is true of both
	case outbound.CodeLate:
		return fault.Wrap(f.Err, f.Kind, CodeTokenLate, "host", f.Params["host"], "seconds", f.Params["seconds"])
	case outbound.CodeBroken:
		return fault.Wrap(f.Err, f.Kind, CodeTokenBroken, "host", f.Params["host"])
	}
	return err
}

// lifeOf reads expires_in, which some servers write as a text; zero if it is none.
func lifeOf(raw json.RawMessage) time.Duration {
	seconds, err := strconv.ParseFloat(string(bytes.Trim(raw, `"`)), 64)
	if err == nil && seconds > 0 { // which NaN is not
		return time.Duration(min(seconds, longestLife.Seconds()) * float64(time.Second))
	}
	return 0
}

// maxOAuthError is the longest error of an authorization server that is shown, in
// bytes.
const maxOAuthError = 100

// notInOAuthError tells what an error may not have (RFC 6749 section 5.2).
func notInOAuthError(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r > '~' }
