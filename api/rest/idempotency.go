package rest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/rest/wire"
	"github.com/stickpress/stickpress/store"
)

// secretsOf names, in the document, what of an operation's reply is a secret.
const secretsOf = "x-secrets"

// secret says that an operation's reply shows secrets, in these fields of its
// body. They are never kept: a replay has them empty, and names them in
// Idempotent-Omitted.
func secret(op huma.Operation, fields ...string) huma.Operation {
	op.Extensions = map[string]any{secretsOf: fields}
	return op
}

// keptHeaders are what of a reply's headers is kept for a replay.
var keptHeaders = []string{"Content-Type", "ETag", "Link", "Location", "Retry-After", "Tus-Resumable", "Upload-Offset"}

// keepTime bounds what is written down after a reply was made.
const keepTime = 5 * time.Second

// once makes every POST repeatable that comes with an Idempotency-Key:
// api.Repeatable has the rule. A reply of success is kept and given again; a
// refusal changed nothing, is not kept, and frees the key for another try.
func (s *REST) once(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys := r.Header.Values(wire.HeaderIdempotencyKey)
		if r.Method != http.MethodPost || len(keys) == 0 {
			next.ServeHTTP(w, r)
			return
		}
		key := strings.Join(keys, "\n") // of several nobody knows which is meant: none is
		q := requestOf(r.Context())
		fingerprint, err := fingerprintOf(w, r, key)
		var run *api.Repeatable
		if err == nil {
			run, err = s.console.Repeatable(r.Context(), q.actor, key, fingerprint)
		}
		if err != nil {
			RenderFault(w, r, s.refusal(r.Context(), err))
			return
		}
		op := s.operationOf(r)
		if run.Before != nil {
			s.replay(w, r, op, run.Before)
			return
		}
		q.actor = run.As(q.actor)
		reply := record(w)
		answered := false
		defer func() {
			if !answered { // a panic: what became of the change is not known here
				s.endOnce(r.Context(), run.Failed)
			}
		}()
		next.ServeHTTP(reply, r)
		reply.WriteHeader(http.StatusOK) // what net/http makes of a handler that writes nothing
		answered = true
		if reply.status >= http.StatusOK && reply.status < http.StatusMultipleChoices {
			s.endOnce(r.Context(), func(ctx context.Context) error { return run.Answered(ctx, keptReply(op, reply)) })
		} else {
			s.endOnce(r.Context(), run.Failed)
		}
		pass(w, reply)
	})
}

// recorded is an answer that is kept back.
type recorded struct {
	http.ResponseWriter
	header http.Header
	status int
	body   bytes.Buffer
}

// record keeps back what is answered; the deadlines of w, if there is one, stay
// within reach.
func record(w http.ResponseWriter) *recorded {
	return &recorded{ResponseWriter: w, header: http.Header{}}
}

// Header implements http.ResponseWriter.
func (x *recorded) Header() http.Header { return x.header }

// WriteHeader implements http.ResponseWriter.
func (x *recorded) WriteHeader(status int) {
	if x.status == 0 {
		x.status = status
	}
}

// Write implements http.ResponseWriter.
func (x *recorded) Write(p []byte) (int, error) {
	x.WriteHeader(http.StatusOK)
	return x.body.Write(p)
}

// Unwrap serves http.ResponseController.
func (x *recorded) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// pass sends what was recorded.
func pass(w http.ResponseWriter, reply *recorded) {
	for name, values := range reply.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(reply.status)
	_, _ = w.Write(reply.body.Bytes()) // the reader is gone if this fails
}

// endOnce ends a request also where its reader is gone.
func (s *REST) endOnce(ctx context.Context, end func(context.Context) error) {
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTime)
	defer cancel()
	if err := end(ending); err != nil {
		s.log.WarnContext(ctx, "the end of a repeatable request is not kept", "request_id", requestOf(ctx).id, "error", err)
	}
}

// fingerprintOf is a digest of what makes a request what it is, and leaves its
// body to be read again.
func fingerprintOf(w http.ResponseWriter, r *http.Request, key string) ([]byte, error) {
	if key == "" || len(key) > 200 || strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c > '~' }) {
		return nil, fault.New(fault.KindInvalid, codeKeyInvalid).At(wire.HeaderIdempotencyKey)
	}
	// A server that sets no deadlines of its own needs none here.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyPatience))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxTemplate))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, fault.New(fault.KindTooLarge, codeTooLarge)
	case err != nil:
		return nil, fault.Wrap(err, fault.KindInvalid, codeMalformed)
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	r.Body = io.NopCloser(bytes.NewReader(body))
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", r.Method, r.URL.RequestURI()) // a hash takes everything
	for _, name := range []string{"Content-Type", "If-Match", "Upload-Length", "Upload-Metadata"} {
		fmt.Fprintf(h, "%s: %q\n", name, r.Header.Values(name))
	}
	h.Write(body)
	return h.Sum(nil), nil
}

// keptReply is a reply without its secrets.
func keptReply(op *huma.Operation, reply *recorded) store.Reply {
	kept := store.Reply{Status: reply.status, Header: map[string]string{}, Body: reply.body.Bytes()}
	for _, name := range keptHeaders {
		if v := reply.Header().Get(name); v != "" {
			kept.Header[name] = v
		}
	}
	if op == nil || op.Extensions[secretsOf] == nil {
		return kept
	}
	fields := op.Extensions[secretsOf].([]string)
	var body map[string]json.RawMessage
	if err := json.Unmarshal(kept.Body, &body); err != nil {
		kept.Body = nil // better nothing than a secret
		return kept
	}
	for _, f := range fields {
		if _, ok := body[f]; ok {
			body[f] = json.RawMessage(`""`)
		}
	}
	kept.Body, _ = json.Marshal(body) // it was JSON
	kept.Header[wire.HeaderIdempotentOmitted] = strings.Join(fields, ", ")
	return kept
}

// replay answers as before.
func (s *REST) replay(w http.ResponseWriter, r *http.Request, op *huma.Operation, before *store.DoneRequest) {
	reply := before.Reply
	if reply == nil {
		reply = s.rebuilt(r, op, before.Objects)
	}
	w.Header().Set(wire.HeaderIdempotentReplayed, "true")
	if reply == nil {
		RenderFault(w, r, fault.New(fault.KindConflict, codeReplyLost, "objects", strings.Join(before.Objects, ", ")).At(wire.HeaderIdempotencyKey))
		return
	}
	for name, value := range reply.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(reply.Status)
	_, _ = w.Write(reply.Body) // the reader is gone if this fails
}

// rebuilt is the reply to a request whose change is known and whose reply is
// not, because the program died between the two: the thing as it is now, if the
// operation answers with what a GET shows. Otherwise it is nil.
func (s *REST) rebuilt(r *http.Request, op *huma.Operation, objects []string) *store.Reply {
	if op == nil || op.Extensions[secretsOf] != nil {
		return nil
	}
	path := strings.TrimPrefix(r.URL.EscapedPath(), Prefix)
	var candidates []string
	for _, id := range slices.Backward(objects) {
		candidates = append(candidates, path+"/"+id)
	}
	for up := parent(path); up != ""; up = parent(up) {
		candidates = append(candidates, up)
	}
	for _, at := range candidates {
		get := s.reads(at)
		if get == nil || schemaRef(get, http.StatusOK) == "" || schemaRef(get, http.StatusOK) != schemaRef(op, op.DefaultStatus) {
			continue
		}
		look, err := http.NewRequestWithContext(context.WithValue(r.Context(), chi.RouteCtxKey, nil), http.MethodGet, Prefix+at, http.NoBody)
		if err != nil {
			continue
		}
		look.Header = r.Header.Clone()
		look.RemoteAddr = r.RemoteAddr
		look.Header.Del("Content-Type")
		seen := record(nil)
		http.StripPrefix(Prefix, s.mux).ServeHTTP(seen, look)
		if seen.status != http.StatusOK {
			continue
		}
		reply := &store.Reply{Status: op.DefaultStatus, Body: seen.body.Bytes(), Header: map[string]string{
			"Content-Type": seen.Header().Get("Content-Type"), "ETag": seen.Header().Get("ETag"), "Location": Prefix + at,
		}}
		if op.DefaultStatus == http.StatusAccepted {
			reply.Header["Retry-After"] = fmt.Sprint(lookAgain)
		}
		return reply
	}
	return nil
}

// parent is a path without its last segment.
func parent(path string) string {
	i := strings.LastIndexByte(path, '/')
	if i <= 0 {
		return ""
	}
	return path[:i]
}

// reads finds the operation that reads what is at a path.
func (s *REST) reads(path string) *huma.Operation {
	route := chi.NewRouteContext()
	if !s.mux.Match(route, http.MethodGet, path) {
		return nil
	}
	if item := s.huma.OpenAPI().Paths[route.RoutePattern()]; item != nil {
		return item.Get
	}
	return nil
}

// schemaRef names the schema of an operation's JSON of a status.
func schemaRef(op *huma.Operation, status int) string {
	r := op.Responses[fmt.Sprint(status)]
	if r == nil || r.Content["application/json"] == nil {
		return ""
	}
	return r.Content["application/json"].Schema.Ref
}
