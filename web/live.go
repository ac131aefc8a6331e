package web

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/a-h/templ"
)

const (
	// keepAlive is how often a silent stream says something, so that proxies
	// keep it open and a dead browser is noticed.
	keepAlive = 20 * time.Second
	// writeTime is how long a browser may take to accept one event.
	writeTime = 30 * time.Second
	// streamLife is how long a stream lasts. The browser opens another one
	// then, and whoever may not see the page any more is found out.
	streamLife = 15 * time.Minute
)

// stream is a Server-Sent Events response. What replaces a part of the page is
// sent only when it differs from what was sent under its name before.
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
	html, err := rendered(ctx, name, c)
	if err != nil {
		return err
	}
	sum := maphash.String(s.seed, html)
	if before, ok := s.sent[name]; ok && before == sum {
		return nil
	}
	s.sent[name] = sum
	return s.send(name, "", html)
}

// add sends what the page appends. The ID is what the browser names when it
// comes back, so it must be sent with the last of what it stands for.
func (s *stream) add(ctx context.Context, name, id string, c templ.Component) error {
	html, err := rendered(ctx, name, c)
	if err != nil {
		return err
	}
	return s.send(name, id, html)
}

func rendered(ctx context.Context, name string, c templ.Component) (string, error) {
	var html bytes.Buffer
	if err := c.Render(ctx, &html); err != nil {
		return "", fmt.Errorf("render %s: %w", name, err)
	}
	return html.String(), nil
}

// send writes one event as the WHATWG HTML standard, section 9.2, spells it.
func (s *stream) send(name, id, data string) error {
	var b strings.Builder
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	fmt.Fprintf(&b, "event: %s\n", name)
	// A carriage return ends a line too, and a value may hold one.
	for line := range strings.SplitSeq(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(data), "\n") {
		fmt.Fprintf(&b, "data: %s\n", line)
	}
	b.WriteString("\n")
	return s.write(b.String())
}

func (s *stream) write(text string) error {
	if err := s.c.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.c.Flush()
}

// follow calls show for every update until the channel closes, the reader is
// gone, show fails or the stream's life is over; a silent stream is kept
// awake. Nobody can be told of an error any more, so it is logged.
func follow[T any](ctx context.Context, log *slog.Logger, s *stream, updates <-chan T, show func(T) error) {
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	end := time.NewTimer(streamLife)
	defer end.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-end.C:
			return
		case <-tick.C:
			err = s.write(": still here\n\n")
		case u, ok := <-updates:
			if !ok {
				return
			}
			err = show(u)
		}
		if err != nil {
			log.DebugContext(ctx, "a live page ended", "error", err)
			return
		}
	}
}
