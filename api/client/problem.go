package client

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/stickpress/stickpress/api/rest/wire"
)

// Problem is what the server refused or failed at. Its Error is the server's
// sentence.
type Problem = wire.Problem //nolint:errname // RFC 9457 calls it a problem

// FieldError is one input that is wrong.
type FieldError = wire.FieldError

// IsCode reports whether err is a Problem with a code, such as "stale".
func IsCode(err error, code string) bool {
	var p *Problem
	return errors.As(err, &p) && p.Code == code
}

// problemOf reads a refusal. What is not the API's own, such as a proxy's
// page, gets the code "http_<status>".
func problemOf(resp *http.Response) error {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind == wire.ProblemType {
		var p Problem
		if json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&p) == nil && p.Code != "" {
			return &p
		}
	}
	p := wire.NewProblem(resp.StatusCode, fmt.Sprintf("http_%d", resp.StatusCode))
	p.Detail = "The server answered " + resp.Status + "."
	p.RequestID = resp.Header.Get(wire.HeaderRequestID)
	return &p
}

// passing reports whether an error may be gone at the next try: the connection
// broke, or the server is starting, stopping or busy.
func passing(err error) bool {
	var p *Problem
	if !errors.As(err, &p) {
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		var untrusted *tls.CertificateVerificationError
		var other *PinError
		return !errors.Is(err, context.Canceled) && !errors.Is(err, ErrSecretLost) && !errors.As(err, &syntax) && !errors.As(err, &kind) &&
			!errors.As(err, &untrusted) && !errors.As(err, &other)
	}
	if p.Code == "idempotency_in_flight" {
		return true // the first try of the same request is under way
	}
	switch p.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}
