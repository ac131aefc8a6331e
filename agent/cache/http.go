package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

const (
	// ticketTries is how many fresh tickets in a row may be refused.
	ticketTries = 5
	// maxRecord bounds a BlobRecord, in bytes: enough for an image of 1 TiB.
	maxRecord = 32 << 20
)

// retryError is an error that passes with time.
type retryError struct{ err error }

func (t *retryError) Error() string { return t.err.Error() }
func (t *retryError) Unwrap() error { return t.err }

// record asks for the hashes of the image's blocks.
func (d *download) record(ctx context.Context) error {
	body, err := d.get(ctx, protocol.PathBlocks, 0)
	if err != nil {
		return err
	}
	defer body.Close()
	raw, err := io.ReadAll(io.LimitReader(body, maxRecord))
	if err != nil {
		return &retryError{fmt.Errorf("read record of image: %w", err)}
	}
	rec := new(protocol.BlobRecord)
	if err := json.Unmarshal(raw, rec); err != nil {
		return d.refused(fmt.Errorf("decode record of image: %w", err))
	}
	blocks := (rec.Bytes + protocol.BlockSize - 1) / protocol.BlockSize
	if rec.SHA256 != d.f.digest || rec.Bytes != d.f.bytes || int64(len(rec.Blocks)) != blocks {
		return d.refused(fmt.Errorf("record is of %s, %d bytes, %d blocks; want %d bytes", rec.SHA256, rec.Bytes, len(rec.Blocks), d.f.bytes))
	}
	d.rec = rec
	d.wait.Reset()
	return nil
}

func (d *download) refused(err error) error {
	return protocol.WrapFault(err, protocol.FaultFetch, "digest", d.f.digest)
}

// get requests path + digest from the byte at on. A refused ticket is renewed.
func (d *download) get(ctx context.Context, path string, at int64) (io.ReadCloser, error) {
	for try := 0; ; try++ {
		body, status, err := d.request(ctx, path, at)
		switch {
		case err == nil:
			return body, nil
		case status != http.StatusUnauthorized:
			return nil, err
		case try >= ticketTries:
			return nil, d.refused(err)
		}
		if d.token, err = d.f.ticket(ctx, d.token); err != nil {
			return nil, err
		}
	}
}

func (d *download) request(ctx context.Context, path string, at int64) (io.ReadCloser, int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(d.cfg.Stall, func() { cancel(errStalled) })
	body := &stallReader{cancel: cancel, timer: timer, stall: d.cfg.Stall}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.cfg.URL+path+d.f.digest, nil)
	if err != nil {
		_ = body.Close()
		return nil, 0, d.refused(err)
	}
	req.Header.Set("Authorization", "Bearer "+d.token)
	if at > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", at))
	}
	resp, err := d.cfg.Client.Do(req) //nolint:bodyclose // body closes it, whoever reads to the end
	if err != nil {
		cause := context.Cause(ctx)
		_ = body.Close()
		if errors.Is(cause, errStalled) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return nil, 0, &retryError{fmt.Errorf("request image: %w", err)}
	}
	body.body = resp.Body
	if err := d.judge(resp, body, at); err != nil {
		_ = body.Close()
		return nil, resp.StatusCode, err
	}
	return body, resp.StatusCode, nil
}

// judge looks at a response's status and range.
func (d *download) judge(resp *http.Response, body io.Reader, at int64) error {
	said := fmt.Errorf("server answered %s", resp.Status)
	switch s := resp.StatusCode; {
	case s == http.StatusPartialContent && at > 0:
		var from int64
		if _, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-", &from); err != nil || from != at {
			return d.refused(fmt.Errorf("asked for bytes from %d, got range %s", at, strconv.Quote(resp.Header.Get("Content-Range"))))
		}
		return nil
	case s == http.StatusOK:
		// Something on the way does not know ranges: read up to ours.
		if _, err := io.CopyN(io.Discard, body, at); err != nil {
			return &retryError{fmt.Errorf("skip to byte %d: %w", at, err)}
		}
		return nil
	case s == http.StatusUnauthorized:
		return &retryError{said}
	case s >= 500, s == http.StatusTooManyRequests, s == http.StatusRequestTimeout:
		return &retryError{said}
	default:
		return d.refused(said)
	}
}

var errStalled = errors.New("no bytes for too long")

// stallReader is a body that is given up when it stands still.
type stallReader struct {
	body   io.ReadCloser
	cancel context.CancelCauseFunc
	timer  *time.Timer
	stall  time.Duration
}

// Read reads, and gives the server its time anew.
func (r *stallReader) Read(p []byte) (int, error) {
	r.timer.Reset(r.stall)
	n, err := r.body.Read(p)
	r.timer.Stop()
	return n, err
}

// Close ends the request.
func (r *stallReader) Close() error {
	r.timer.Stop()
	r.cancel(nil)
	if r.body == nil {
		return nil
	}
	return r.body.Close()
}
