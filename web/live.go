package web

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"net/http"
	"strings"
	"time"

	"github.com/a-h/templ"
)

// keepAlive is how often a silent stream says something, so that proxies keep
// it open and a dead browser is noticed.
const keepAlive = 20 * time.Second

// stream is a Server-Sent Events response. An event is sent only when its
// content differs from what was sent under its name before.
type stream struct {
	w    http.ResponseWriter
	c    *http.ResponseController
	seed maphash.Seed
	sent map[string]uint64
}

func newStream(w http.ResponseWriter) *stream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	return &stream{w: w, c: http.NewResponseController(w), seed: maphash.MakeSeed(), sent: map[string]uint64{}}
}

// replace sends a component under a name, unless it looks as it did before.
func (s *stream) replace(ctx context.Context, name string, c templ.Component) error {
	var html bytes.Buffer
	if err := c.Render(ctx, &html); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	sum := maphash.Bytes(s.seed, html.Bytes())
	if s.sent[name] == sum {
		return nil
	}
	s.sent[name] = sum
	return s.send(name, "", html.String())
}

// add sends lines that the page appends; id is what the browser sends back as
// Last-Event-ID when it reconnects.
func (s *stream) add(ctx context.Context, name, id string, c templ.Component) error {
	var html bytes.Buffer
	if err := c.Render(ctx, &html); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	if html.Len() == 0 {
		return nil
	}
	return s.send(name, id, html.String())
}

func (s *stream) send(name, id, data string) error {
	var b strings.Builder
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	fmt.Fprintf(&b, "event: %s\n", name)
	for line := range strings.Lines(data) {
		fmt.Fprintf(&b, "data: %s\n", strings.TrimRight(line, "\r\n"))
	}
	if data == "" {
		b.WriteString("data:\n")
	}
	b.WriteString("\n")
	if err := s.c.SetWriteDeadline(time.Now().Add(keepAlive)); err != nil {
		return err
	}
	if _, err := s.w.Write([]byte(b.String())); err != nil {
		return err
	}
	return s.c.Flush()
}

// comment keeps the connection awake.
func (s *stream) comment() error {
	if _, err := s.w.Write([]byte(": still here\n\n")); err != nil {
		return err
	}
	return s.c.Flush()
}

// follow calls show for every update until the channel closes, the reader is
// gone or show fails; a silent stream is kept awake.
func follow[T any](ctx context.Context, s *stream, updates <-chan T, show func(T) error) error {
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := s.comment(); err != nil {
				return nil
			}
		case u, ok := <-updates:
			if !ok {
				return nil
			}
			if err := show(u); err != nil {
				return err
			}
		}
	}
}
