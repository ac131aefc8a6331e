package upload

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path"
	"strings"

	expslog "golang.org/x/exp/slog"

	"github.com/stickpress/stickpress/api/fault"
)

// answer passes tusd's answer on if it is a good one, and holds a refusal back
// so that the door can render it.
type answer struct {
	http.ResponseWriter
	base   string
	status int
	text   bytes.Buffer // of a refusal
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	a.status = status
	h := a.Header()
	if status >= http.StatusBadRequest {
		h.Del("Content-Type")
		h.Del("Content-Length")
		h.Del("Upload-Offset")
		h.Del("Location")
		return
	}
	// tusd guesses scheme and host, and is wrong behind a proxy.
	if l := h.Get("Location"); l != "" {
		h.Set("Location", a.base+path.Base(l))
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	if a.status >= http.StatusBadRequest {
		return a.text.Write(p)
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController set tusd's deadlines.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// fault is the refusal as our own: noted is the error that one of our hooks
// returned, if any.
func (a *answer) fault(noted error) *fault.Error {
	var f *fault.Error
	if errors.As(noted, &f) {
		return f
	}
	text := strings.TrimSpace(a.text.String())
	cause := errors.New(text)
	switch a.status {
	case http.StatusNotFound:
		return fault.New(fault.KindNotFound, CodeNotFound)
	case http.StatusConflict:
		return fault.New(fault.KindConflict, CodeOffset)
	case http.StatusLocked:
		return fault.New(fault.KindConflict, CodeBusy)
	case http.StatusPreconditionFailed:
		return fault.New(fault.KindStale, CodeProtocol) // 412 is what tus prescribes
	case http.StatusRequestEntityTooLarge:
		return fault.New(fault.KindTooLarge, CodeSizeExceeded)
	}
	for _, broken := range []string{"ERR_LOCK_TIMEOUT", "ERR_READ_TIMEOUT", "ERR_CONNECTION_RESET", "ERR_UNEXPECTED_EOF", "ERR_UPLOAD_INTERRUPTED", "ERR_SERVER_SHUTDOWN"} {
		if strings.HasPrefix(text, broken) {
			return fault.Wrap(cause, fault.KindUnavailable, CodeInterrupted)
		}
	}
	if a.status >= http.StatusInternalServerError {
		return fault.From(errors.Join(noted, cause))
	}
	_, detail, _ := strings.Cut(text, ": ")
	return fault.Wrap(cause, fault.KindInvalid, CodeRequestInvalid, "detail", detail)
}

// tusLogger lets tusd's warnings and errors through to our log. tusd was
// written against the experimental slog.
func tusLogger(log *slog.Logger) *expslog.Logger { return expslog.New(tusLog{log}) }

type tusLog struct{ log *slog.Logger }

// Enabled implements slog.Handler: below a warning tusd tells of every request.
func (tusLog) Enabled(_ context.Context, l expslog.Level) bool { return l >= expslog.LevelWarn }

// Handle implements slog.Handler. What tusd takes for an internal error is
// mostly a refusal of ours: Handler.refuse logs what is none.
func (t tusLog) Handle(ctx context.Context, r expslog.Record) error {
	if r.Message == "InternalServerError" {
		return nil
	}
	attrs := []slog.Attr{slog.String("event", r.Message)}
	r.Attrs(func(a expslog.Attr) bool {
		attrs = append(attrs, slog.String(strings.ToLower(a.Key), a.Value.String()))
		return true
	})
	t.log.LogAttrs(ctx, slog.LevelWarn, "resumable upload", attrs...)
	return nil
}

// WithAttrs implements slog.Handler.
func (t tusLog) WithAttrs(attrs []expslog.Attr) expslog.Handler {
	log := t.log
	for _, a := range attrs {
		log = log.With(slog.String(strings.ToLower(a.Key), a.Value.String()))
	}
	return tusLog{log}
}

// WithGroup implements slog.Handler; tusd uses no groups.
func (t tusLog) WithGroup(string) expslog.Handler { return t }
