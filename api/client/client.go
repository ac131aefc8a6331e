// Package client speaks to the REST API of a console.
//
// Its methods carry the names and types of *api.Console, without the actor:
// the token says who asks. What the server refuses comes back as a *Problem
// with the same stable code, see IsCode.
//
// Reading is retried when the connection breaks or the server is away for a
// moment; so is every POST, under an Idempotency-Key of its own: what is sent
// again is not done twice. Uploads and watched jobs go on where they stopped
// (upload.go, watch.go). Other changes are sent once: whether one that got no
// answer was made, only the caller can find out.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// Options change how a Client behaves. The zero value is good.
type Options struct {
	// HTTP sends the requests; nil means a client of its own. It must have no
	// overall Timeout, which would cut off uploads and streams.
	HTTP *http.Client
	// Locale is the language of the sentences in Problem.Detail ("zh-CN");
	// empty means English.
	Locale string
	// UserAgent is "stickpress" if empty.
	UserAgent string
	// ChunkBytes is how much of an upload goes into one request; 0 means 32 MiB.
	ChunkBytes int64
	// Backoff waits before try n (from 1) after a failure, or until ctx ends;
	// nil means half a second, doubling up to ten, jittered.
	Backoff func(ctx context.Context, try int) error
	// Tries is how often a part of an upload or a watched job is tried without
	// any headway; 0 means 10. Plain requests are tried up to three times.
	Tries int
}

// Client speaks to one console with one token. It is safe for concurrent use.
type Client struct {
	base  string
	token string
	o     Options
}

const (
	defaultChunk = 32 << 20 // bytes
	defaultTries = 10
	plainTries   = 3
	// patience bounds one plain request with its answer.
	patience = time.Minute
	// maxAnswer bounds what is read of one answer, in bytes.
	maxAnswer = 64 << 20
)

// New returns a client of the console at baseURL, such as
// "http://127.0.0.1:8080".
func New(baseURL, token string, o Options) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil {
		return nil, fmt.Errorf("read the console's address: %w", err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("the console's address %q is not like https://console.example", baseURL)
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	}
	if o.UserAgent == "" {
		o.UserAgent = "stickpress"
	}
	if o.ChunkBytes <= 0 {
		o.ChunkBytes = defaultChunk
	}
	if o.Tries <= 0 {
		o.Tries = defaultTries
	}
	if o.Backoff == nil {
		o.Backoff = backoff
	}
	return &Client{base: strings.TrimRight(baseURL, "/") + wire.Prefix, token: token, o: o}, nil
}

// backoff is the default of Options.Backoff.
func backoff(ctx context.Context, try int) error {
	wait := 500 * time.Millisecond << min(try-1, 5)
	wait = min(wait, 10*time.Second)
	wait = wait/2 + rand.N(wait/2)
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// call is one plain request.
type call struct {
	method   string
	path     string // below Prefix, escaped: see at
	query    url.Values
	body     any   // sent as JSON unless nil
	revision int64 // of what is changed, as seen; see match
	header   map[string]string
	look     bool // a POST that changes nothing
}

// at joins path segments, each escaped.
func at(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}

// do sends a call, repeatedly if that is harmless, and decodes the answer
// into out: JSON, or the text as it is if out is a *string.
func (c *Client) do(ctx context.Context, q call, out any) error {
	var body []byte
	if q.body != nil {
		var err error
		if body, err = json.Marshal(q.body); err != nil {
			return fmt.Errorf("encode %s %s: %w", q.method, q.path, err)
		}
	}
	if q.method == http.MethodPost && !q.look && q.header[wire.HeaderIdempotencyKey] == "" {
		q.header = maps.Clone(q.header)
		if q.header == nil {
			q.header = map[string]string{}
		}
		q.header[wire.HeaderIdempotencyKey] = uuid.NewString()
	}
	// What has a key is carried out once, however often it is sent.
	again := q.look || q.method == http.MethodGet || q.header[wire.HeaderIdempotencyKey] != ""
	for try := 1; ; try++ {
		err := c.once(ctx, q, body, out)
		if err == nil || !again || !passing(err) || try >= min(c.o.Tries, plainTries) || ctx.Err() != nil {
			return err
		}
		if waitErr := c.o.Backoff(ctx, try); waitErr != nil {
			return errors.Join(err, waitErr)
		}
	}
}

func (c *Client) once(ctx context.Context, q call, body []byte, out any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := c.request(ctx, q.method, q.path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.URL.RawQuery = q.query.Encode()
	if q.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	match(req, q.revision)
	for name, value := range q.header {
		req.Header.Set(name, value)
	}
	resp, err := c.o.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		return problemOf(resp)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the answer to %s %s: %w", q.method, q.path, err)
	}
	switch out := out.(type) {
	case nil:
		return nil
	case *string:
		*out = string(answer)
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("decode the answer to %s %s: %w", q.method, q.path, err)
	}
	if lost := resp.Header.Get(wire.HeaderIdempotentOmitted); lost != "" {
		return fmt.Errorf("%w: %s", ErrSecretLost, lost)
	}
	return nil
}

// ErrSecretLost says that something was made, and that the answer which showed
// its secret was lost on the way: nobody knows it. Make another one, and end
// this one.
var ErrSecretLost = errors.New("it was made, but the answer with its secret was lost; end it and make another one")

// match guards a change against overwriting what somebody else changed. A
// caller that has seen no revision (0) overwrites whatever is there, as in
// package api; actions need no guard.
func match(req *http.Request, revision int64) {
	switch {
	case revision == api.Absent:
		req.Header.Set("If-None-Match", "*")
	case revision != 0:
		req.Header.Set("If-Match", strconv.Quote(strconv.FormatInt(revision, 10)))
	case req.Method == http.MethodPut, req.Method == http.MethodPatch, req.Method == http.MethodDelete:
		req.Header.Set("If-Match", "*")
	}
}

// request makes a request with what every request has.
func (c *Client) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("make %s %s: %w", method, path, err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("User-Agent", c.o.UserAgent)
	if c.o.Locale != "" {
		req.Header.Set("Accept-Language", c.o.Locale)
	}
	return req, nil
}
