package rest

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// The codes of this package's faults.
const (
	codeTokenMissing     fault.Code = "token_missing"           //
	codePathNotFound     fault.Code = "path_not_found"          // path
	codeMethodNotAllowed fault.Code = "method_not_allowed"      // method, allow
	codeMalformed        fault.Code = "request_malformed"       //
	codeInvalid          fault.Code = "request_invalid"         //
	codeTooLarge         fault.Code = "request_too_large"       //
	codeTimeout          fault.Code = "request_timeout"         //
	codeMediaType        fault.Code = "media_type_unsupported"  //
	codeNotAcceptable    fault.Code = "not_acceptable"          //
	codeKeyInvalid       fault.Code = "idempotency_key_invalid" //
	codeReplyLost        fault.Code = "idempotency_reply_lost"  // objects
	codeMatchMissing     fault.Code = "match_missing"           //
)

// refusal is an error as a fault; the cause of an internal one goes into the
// log, under the request's ID.
func (s *REST) refusal(ctx context.Context, err error) *fault.Error {
	f := fault.From(err)
	if f.Kind == fault.KindInternal && ctx.Err() == nil {
		q := requestOf(ctx)
		s.log.ErrorContext(ctx, "request failed", "method", q.method, "path", q.path, "request_id", q.id, "error", err)
	}
	return f
}

// problemOf words a fault in the request's language.
func problemOf(ctx context.Context, status int, f *fault.Error) *wire.Problem {
	q := requestOf(ctx)
	p := wire.NewProblem(status, string(f.Code))
	p.Detail = q.locale.Fault(string(f.Code), f.Params)
	p.Params, p.Field, p.RequestID = f.Params, f.Field, q.id
	parts := f.Parts
	if len(parts) == 0 && f.Field != "" {
		parts = []*fault.Error{f}
	}
	for _, part := range parts {
		if at := q.locate(part.Field); at != "" {
			p.Errors = append(p.Errors, wire.FieldError{
				Location: at, Code: string(part.Code), Detail: q.locale.Fault(string(part.Code), part.Params),
			})
		}
	}
	return &p
}

// headersOf is what a refusal says outside of its body: when to try again, and
// where the job is that is in the way.
func headersOf(f *fault.Error) http.Header {
	h := http.Header{}
	if seconds := f.Params["retry_seconds"]; seconds != "" {
		h.Set("Retry-After", seconds)
	}
	if job := f.Params["job"]; job != "" && f.Kind == fault.KindConflict {
		h.Set("Location", Prefix+"/jobs/"+job)
	}
	return h
}

// RenderFault answers a request of this door with a refusal.
func RenderFault(w http.ResponseWriter, r *http.Request, f *fault.Error) {
	renderStatus(w, r, f.Kind.Status(), f)
}

func renderStatus(w http.ResponseWriter, r *http.Request, status int, f *fault.Error) {
	w.Header().Set("Content-Type", wire.ProblemType)
	maps.Copy(w.Header(), headersOf(f))
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problemOf(r.Context(), status, f)) // the reader is gone if this fails
}

// ownProblem makes a Problem of what huma refuses by itself: a body that is no
// JSON, a field that is not as described.
func ownProblem(ctx huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	var code fault.Code
	switch e.Status {
	case http.StatusBadRequest:
		code = codeMalformed
	case http.StatusUnprocessableEntity:
		code = codeInvalid
	case http.StatusRequestEntityTooLarge:
		code = codeTooLarge
	case http.StatusRequestTimeout:
		code = codeTimeout
	case http.StatusUnsupportedMediaType:
		code = codeMediaType
	case http.StatusPreconditionRequired:
		code = codeMatchMissing
	case http.StatusNotAcceptable:
		code = codeNotAcceptable
	default:
		code = fault.Internal
	}
	p := problemOf(ctx.Context(), e.Status, &fault.Error{Code: code})
	for _, d := range e.Errors {
		// The value is left out: it may be a password.
		p.Errors = append(p.Errors, wire.FieldError{Location: d.Location, Detail: d.Message})
	}
	if len(p.Errors) > 0 {
		_, p.Field, _ = strings.Cut(p.Errors[0].Location, ".")
	}
	return p, nil
}
