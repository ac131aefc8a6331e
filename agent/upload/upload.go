// Package upload brings a file from a host into the server's store.
//
// A file goes in pieces, each of which the server has on its disk before it
// answers. Whatever breaks on the way (a connection, the server, a ticket that
// ran out), the sender asks how far the server is and goes on there. The
// SHA-256 of the whole decides at last whether it arrived as it was sent.
package upload

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/stickpress/stickpress/agent/backoff"
	"github.com/stickpress/stickpress/agent/protocol"
)

// Config is what a Client needs; every field is required unless it says
// otherwise.
type Config struct {
	// Client reaches the server. It must not limit a whole request's time.
	Client *http.Client
	// URL is the server's address without a trailing slash.
	URL   string
	Clock backoff.Clock
	Rand  func() float64 // for backoff.Backoff
	Log   *slog.Logger
	// Stall is how long a request may stand still. 0 means two minutes.
	Stall time.Duration
}

// Client sends files.
type Client struct{ cfg Config }

// New returns a Client.
func New(cfg Config) *Client {
	cfg.Stall = cmp.Or(cfg.Stall, 2*time.Minute)
	return &Client{cfg}
}

// Ticket returns a bearer token that is not stale.
type Ticket func(ctx context.Context, stale string) (string, error)

// Sent is a file that the server has.
type Sent struct {
	ID     string // of the upload
	SHA256 string // lower-case hex
	Bytes  int64
}

const (
	retryBase = 500 * time.Millisecond
	retryCap  = 60 * time.Second
	// restarts is how often the server may have lost what it had.
	restarts = 5
)

// Send brings a file to the server, however long that is away. progress
// counts bytes that the server has on its disk. It returns what the server
// refuses for good as its fault, and the cause of ctx when that ends.
func (c *Client) Send(ctx context.Context, path string, ticket Ticket, progress func(done, total int64)) (Sent, error) {
	f, err := os.Open(path)
	if err != nil {
		return Sent{}, fmt.Errorf("send a file: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, contextReader{ctx, f})
	if err != nil {
		return Sent{}, fmt.Errorf("read what is to be sent: %w", err)
	}
	s := &sender{caller: c.caller(ticket), file: f, size: size, progress: progress}
	if err := s.again(ctx, s.send); err != nil {
		return Sent{}, err
	}
	return Sent{s.id, hex.EncodeToString(sum.Sum(nil)), size}, nil
}

// Publish asks the server to make of a sent file what its job asked for. It
// may be repeated. Errors are those of Send.
func (c *Client) Publish(ctx context.Context, sent Sent, ticket Ticket) (protocol.Published, error) {
	caller := c.caller(ticket)
	var out protocol.Published
	err := caller.again(ctx, func(ctx context.Context) error {
		return caller.call(ctx, request{
			method: http.MethodPost, path: protocol.PathUpload + "/" + sent.ID + "/publish",
			in: protocol.PublishRequest{SHA256: sent.SHA256}, out: &out,
		})
	})
	return out, err
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}

// sender is one file on its way.
type sender struct {
	*caller
	file     *os.File
	size     int64
	progress func(done, total int64)
	id       string
	lost     int
}

// send goes on where the server is.
func (s *sender) send(ctx context.Context) error {
	var up protocol.Upload
	var err error
	if s.id == "" {
		err = s.call(ctx, request{method: http.MethodPost, path: protocol.PathUpload, in: protocol.UploadRequest{Bytes: s.size}, out: &up})
	} else {
		err = s.call(ctx, request{method: http.MethodGet, path: protocol.PathUpload + "/" + s.id, out: &up})
	}
	for err == nil {
		s.id = up.ID
		if up.Offset < 0 || up.Offset > s.size {
			return protocol.NewFault(protocol.FaultUpload, "cause", fmt.Sprintf("the server has %d of %d bytes", up.Offset, s.size))
		}
		s.progress(up.Offset, s.size)
		if up.Offset == s.size {
			return nil
		}
		err = s.call(ctx, request{
			method: http.MethodPatch, path: protocol.PathUpload + "/" + s.id, offset: up.Offset, out: &up,
			piece: io.NewSectionReader(s.file, up.Offset, min(protocol.MaxPiece, s.size-up.Offset)),
		})
		if err == nil {
			s.wait.Reset()
		}
	}
	var f *protocol.Fault
	if errors.As(err, &f) && f.Code == protocol.CodeUploadGone && s.lost < restarts {
		// Another server answers, or this one lost its disk.
		s.id, s.lost = "", s.lost+1
		return &retryError{err}
	}
	return err
}
