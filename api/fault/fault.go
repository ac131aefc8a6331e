// Package fault is the one error that crosses Stickpress's doors.
//
// A use case that refuses something returns an *Error: a stable Code, the
// parameters that fill in its sentence, and the cause for the log. The doors
// never show err.Error() to a person: they look the code up in the catalogue
// (web/locale) and answer with its Kind's status. Whatever is not an *Error is
// Internal: a request ID for the user, the cause for the log.
package fault

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// Code names one thing that can go wrong. Codes are part of the API: they are
// never renamed, and each has a sentence in every catalogue under
// "fault.<code>".
type Code string

// Kind says what sort of refusal a code is.
type Kind int

// The kinds; see Status.
const (
	KindInternal Kind = iota
	KindInvalid
	KindUnauthenticated
	KindForbidden
	KindNotFound
	KindConflict
	KindStale // the revision sent is not the current one
	KindTooLarge
	KindTooMany
	KindUnavailable
)

// Status is the HTTP status that every door gives a refusal of this kind.
func (k Kind) Status() int {
	switch k {
	case KindInvalid:
		return http.StatusUnprocessableEntity
	case KindUnauthenticated:
		return http.StatusUnauthorized
	case KindForbidden:
		return http.StatusForbidden
	case KindNotFound:
		return http.StatusNotFound
	case KindConflict:
		return http.StatusConflict
	case KindStale:
		return http.StatusPreconditionFailed
	case KindTooLarge:
		return http.StatusRequestEntityTooLarge
	case KindTooMany:
		return http.StatusTooManyRequests
	case KindUnavailable:
		return http.StatusServiceUnavailable
	case KindInternal:
	}
	return http.StatusInternalServerError
}

// Internal is the code of every error that is not an *Error.
const Internal Code = "internal"

// Params fill in a code's sentence. Keys that end in _bytes are whole bytes
// and are shown in GiB or MiB.
type Params map[string]string

// Error is a refusal with a stable code. The zero value is not valid.
type Error struct {
	Code   Code
	Kind   Kind
	Params Params
	// Field names the input at fault as the API spells it, or is empty.
	Field string
	// Parts say what is wrong with single inputs, each at its Field, where there are
	// several: see All.
	Parts []*Error
	Err   error
}

// New returns an error of the given kind and code. The pairs are parameter
// names and values; values are formatted with fmt.Sprint.
func New(kind Kind, code Code, pairs ...any) *Error {
	return &Error{Kind: kind, Code: code, Params: params(pairs)}
}

// Wrap is New with a cause, which is logged and never shown.
func Wrap(err error, kind Kind, code Code, pairs ...any) *Error {
	return &Error{Kind: kind, Code: code, Params: params(pairs), Err: err}
}

// At returns a copy of e that blames the named input field.
func (e *Error) At(field string) *Error {
	c := *e
	c.Field = field
	return &c
}

// All is everything that is wrong with a request, of checks that do not depend on
// each other: nil where nothing is. Several refusals that blame inputs are one, the
// first with all of them as its Parts; of one input only the first is told. What
// blames none, such as who may not ask at all, is told alone.
func All(errs ...error) error {
	var parts []*Error
	for _, err := range errs {
		if err == nil {
			continue
		}
		e := From(err)
		if e.Field == "" || e.Kind == KindInternal {
			return err
		}
		each := e.Parts
		if len(each) == 0 {
			each = []*Error{e}
		}
		for _, part := range each {
			if !slices.ContainsFunc(parts, func(p *Error) bool { return p.Field == part.Field }) {
				parts = append(parts, part)
			}
		}
	}
	switch len(parts) {
	case 0:
		return nil
	case 1:
		return parts[0]
	}
	whole := *parts[0]
	whole.Parts = parts
	return &whole
}

// Renamed is err with the inputs that it blames, if it blames any, under the names
// that they have elsewhere; "" where there is no such input.
func Renamed(err error, name func(field string) string) error {
	var e *Error
	if !errors.As(err, &e) || e.Field == "" {
		return err
	}
	c := e.At(name(e.Field))
	c.Parts = make([]*Error, len(e.Parts))
	for i, part := range e.Parts {
		c.Parts[i] = part.At(name(part.Field))
	}
	return c
}

// RenamedTo is Renamed for an input that has one name elsewhere, whatever it is
// called here.
func RenamedTo(err error, field string) error {
	return Renamed(err, func(string) string { return field })
}

// Error is for logs; people get the catalogue's sentence.
func (e *Error) Error() string {
	s := string(e.Code)
	if len(e.Params) > 0 {
		s = fmt.Sprintf("%s %v", s, map[string]string(e.Params))
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is match on the code alone, so that a sentinel made by New
// matches an error with parameters.
func (e *Error) Is(target error) bool {
	var t *Error
	return errors.As(target, &t) && t.Code == e.Code
}

// From returns err as an *Error; what is not one becomes Internal. From(nil)
// is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: Internal, Kind: KindInternal, Err: err}
}

func params(pairs []any) Params {
	if len(pairs) == 0 {
		return nil
	}
	if len(pairs)%2 != 0 {
		panic("fault: odd number of parameters")
	}
	p := make(Params, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		p[pairs[i].(string)] = fmt.Sprint(pairs[i+1])
	}
	return p
}
