package upload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/stickpress/stickpress/agent/backoff"
	"github.com/stickpress/stickpress/agent/protocol"
)

// ticketTries is how many fresh tickets in a row may be refused.
const ticketTries = 5

// retryError is an error that passes with time.
type retryError struct{ err error }

func (t *retryError) Error() string { return t.err.Error() }
func (t *retryError) Unwrap() error { return t.err }

// caller makes requests with a ticket.
type caller struct {
	cfg    Config
	ticket Ticket
	token  string
	wait   backoff.Backoff
}

func (c *Client) caller(ticket Ticket) *caller {
	return &caller{cfg: c.cfg, ticket: ticket, wait: backoff.Backoff{Base: retryBase, Cap: retryCap, Rand: c.cfg.Rand}}
}

// again calls step until it succeeds or fails for good. What is worth another
// try is a server that is away or busy; how long it is away does not matter.
func (c *caller) again(ctx context.Context, step func(context.Context) error) error {
	for {
		err := step(ctx)
		var soon *retryError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !errors.As(err, &soon):
			return err
		}
		pause := c.wait.Next()
		c.cfg.Log.Warn("upload not finished yet", "again_in", pause, "err", err)
		if err := backoff.Sleep(ctx, c.cfg.Clock, pause); err != nil {
			return context.Cause(ctx)
		}
	}
}

// request is what is asked of the server.
type request struct {
	method, path string
	in           any               // sent as JSON, or
	piece        *io.SectionReader // sent as it is, with
	offset       int64
	out          any // gets the answer
}

// call makes a request. A refused ticket is renewed.
func (c *caller) call(ctx context.Context, r request) error {
	for try := 0; ; try++ {
		var err error
		if c.token == "" || try > 0 {
			if c.token, err = c.ticket(ctx, c.token); err != nil {
				return err
			}
		}
		status, err := c.once(ctx, r)
		if status != http.StatusUnauthorized || try >= ticketTries {
			return err
		}
	}
}

var errStalled = errors.New("nothing moved for too long")

// once makes a request. Its error is a *retryError, or the server's fault.
func (c *caller) once(ctx context.Context, r request) (status int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(c.cfg.Stall, func() { cancel(errStalled) })
	defer timer.Stop()
	var body io.Reader
	switch {
	case r.piece != nil:
		if _, err := r.piece.Seek(0, io.SeekStart); err != nil {
			return 0, err
		}
		body = &moving{r.piece, timer, c.cfg.Stall}
	case r.in != nil:
		raw, err := json.Marshal(r.in)
		if err != nil {
			return 0, fmt.Errorf("encode a request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.cfg.URL+r.path, body)
	if err != nil {
		return 0, fmt.Errorf("make a request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if r.piece != nil {
		req.ContentLength = r.piece.Size()
		req.Header.Set("Content-Type", "application/octet-stream")
		req.Header.Set(protocol.HeaderOffset, strconv.FormatInt(r.offset, 10))
	}
	resp, err := c.cfg.Client.Do(req)
	if err != nil {
		if errors.Is(context.Cause(ctx), errStalled) {
			err = fmt.Errorf("%w: %w", errStalled, err)
		}
		return 0, &retryError{fmt.Errorf("ask the server: %w", err)}
	}
	defer resp.Body.Close()
	return resp.StatusCode, judge(resp, r.out)
}

// maxAnswer bounds what the server answers, in bytes.
const maxAnswer = 1 << 20

// judge reads an answer.
func judge(resp *http.Response, out any) error {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return &retryError{fmt.Errorf("read the answer: %w", err)}
	}
	if resp.StatusCode < 300 {
		if err := json.Unmarshal(raw, out); err != nil {
			return protocol.WrapFault(fmt.Errorf("decode the answer: %w", err), protocol.FaultUpload)
		}
		return nil
	}
	said := fmt.Errorf("server answered %s", resp.Status)
	var no protocol.Reject
	if json.Unmarshal(raw, &no) == nil && no.Fault != nil {
		said = no.Fault
	}
	switch s := resp.StatusCode; {
	case s >= 500, s == http.StatusTooManyRequests, s == http.StatusRequestTimeout, s == http.StatusUnauthorized, s == http.StatusLocked:
		return &retryError{said}
	}
	switch {
	case no.Fault == nil:
		return protocol.WrapFault(said, protocol.FaultUpload)
	case no.Fault.Code == protocol.CodeUploadOffset:
		return &retryError{said}
	}
	return no.Fault
}

// moving is a body that gives the server its time anew with each read.
type moving struct {
	io.Reader
	timer *time.Timer
	stall time.Duration
}

// Read implements io.Reader.
func (m *moving) Read(p []byte) (int, error) {
	m.timer.Reset(m.stall)
	return m.Reader.Read(p)
}
