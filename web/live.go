package web

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
)

const (
	// keepAlive is how often a stream says that it is there, so that proxies
	// keep it open, a dead browser is noticed, and a browser notices a dead
	// connection (live.js).
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
	w      http.ResponseWriter
	c      *http.ResponseController
	sent   marks
	marked bool // the IDs of its events are its marks
}

// marks are how the parts of a page looked when the browser got them: a sum of
// each. As an event's ID, or in the address of a page's stream, they say what a
// browser that comes back, to whichever server, has already.
type marks map[string]uint64

// maxMarks bounds what a browser says that it has, in bytes.
const maxMarks = 2048

// String spells marks; readMarks reads that.
func (m marks) String() string {
	list := make([]string, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, name+"-"+strconv.FormatUint(m[name], 36))
	}
	return strings.Join(list, ".")
}

// readMarks forgets what it cannot read: that is sent again.
func readMarks(text string) marks {
	m := marks{}
	if len(text) > maxMarks {
		return m
	}
	for part := range strings.SplitSeq(text, ".") {
		name, sum, _ := strings.Cut(part, "-")
		if n, err := strconv.ParseUint(sum, 36, 64); err == nil {
			m[name] = n
		}
	}
	return m
}

func sumOf(html string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, html) // a hash takes everything
	return h.Sum64()
}

// stream is page for a handler that goes on: its request ends with the session,
// and with what its reader may see.
func (s *Web) stream(h handler) http.HandlerFunc {
	return s.page(func(w http.ResponseWriter, r *http.Request) error {
		ctx, end := s.console.WhileSignedIn(r.Context(), actorOf(r))
		defer end()
		return h(w, r.WithContext(ctx))
	})
}

func newStream(w http.ResponseWriter) *stream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	return &stream{w: w, c: http.NewResponseController(w), sent: marks{}}
}

// replace sends a component under a name, unless it looks as it did before.
func (s *stream) replace(ctx context.Context, name string, c templ.Component) error {
	html, err := rendered(ctx, name, c)
	if err != nil || s.known(name, html) {
		return err
	}
	var id string
	if s.marked {
		id = s.sent.String()
	}
	return s.send(name, id, html)
}

// replaceIf is replace for a part of which something moves that is sent in
// another way: it is sent when still, the part without that, looks different.
func (s *stream) replaceIf(ctx context.Context, name string, still, c templ.Component) error {
	html, err := rendered(ctx, name, still)
	if err != nil || s.known(name, html) {
		return err
	}
	if html, err = rendered(ctx, name, c); err != nil {
		return err
	}
	return s.send(name, "", html)
}

// known reports whether a part looks as it did before, and remembers how.
func (s *stream) known(name, html string) bool {
	sum := sumOf(html)
	before, ok := s.sent[name]
	s.sent[name] = sum
	return ok && before == sum
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
			err = s.send("alive", "", "1")
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
