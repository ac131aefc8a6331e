package rest

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// Limits of a request's body.
const (
	maxBody      = 1 << 20 // bytes
	maxTemplate  = 4 << 20 // bytes, of a request with an answer file
	bodyPatience = 30 * time.Second
)

// securityScheme is the name of bearer tokens in the document.
const securityScheme = "token"

// config is huma's, with an empty document.
func config() huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:   "Stickpress",
				Version: "1",
				Description: "Builds portable Windows sticks. Times are RFC 3339 in UTC; sizes are bytes. " +
					"Every refusal is a Problem with a stable code.",
				License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Servers: []*huma.Server{{URL: Prefix}},
			Components: &huma.Components{
				Schemas: registry(),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					securityScheme: {Type: "http", Scheme: "bearer", Description: "A token of the account page or POST /tokens."},
					"basic":        {Type: "http", Scheme: "basic", Description: "The token as the password; the user's name means nothing."},
					"key":          {Type: "apiKey", In: "header", Name: wire.HeaderAPIKey, Description: "The token."},
				},
			},
		},
		Formats:                      huma.DefaultFormats,
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{ownProblem},
	}
}

// registry is an empty one that knows what types of package api say of themselves.
func registry() huma.Registry {
	r := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	r.RegisterTypeAlias(reflect.TypeFor[api.TokenScope](), reflect.TypeFor[tokenScope]())
	return r
}

// tokenScope stands for api.TokenScope in the document.
type tokenScope string

// Schema implements huma.SchemaProvider.
func (tokenScope) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, scope := range api.TokenScopes {
		s.Enum = append(s.Enum, string(scope))
	}
	return s
}

// register adds an operation. Its ID is the use case's name where it has one.
func register[I, O any](s *REST, op huma.Operation, h func(ctx context.Context, a api.Actor, in *I) (*O, error)) {
	registerOn(s, s.huma, op, h)
}

// registerOn is register for an operation that is to be served by another huma
// than the door's own.
func registerOn[I, O any](s *REST, door huma.API, op huma.Operation, h func(ctx context.Context, a api.Actor, in *I) (*O, error)) {
	s.complete(&op)
	huma.Register(door, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, requestOf(ctx).actor, in)
		if err != nil {
			f := s.refusal(ctx, err)
			return nil, huma.ErrorWithHeaders(problemOf(ctx, f.Kind.Status(), f), headersOf(f))
		}
		return out, nil
	})
}

// complete adds what every operation has.
func (s *REST) complete(op *huma.Operation) {
	s.describeAccess(op)
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = maxBody
	}
	op.BodyReadTimeout = bodyPatience
	if keyed(op) {
		op.Parameters = append(op.Parameters, header(wire.HeaderIdempotencyKey,
			"Makes the request repeatable for 24 hours: with the same key and the same content it is carried out once, and answered as before "+
				"with Idempotent-Replayed. The same key with another content is refused (422); while the first is under way, it is 409.", false))
	}
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	op.Responses["default"] = &huma.Response{
		Description: "A refusal or failure",
		Content:     map[string]*huma.MediaType{wire.ProblemType: {Schema: schemaOf[wire.Problem](s)}},
	}
}

// schemaOf refers to a type's schema.
func schemaOf[T any](s *REST) *huma.Schema {
	return s.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
}

// streamOf is the answer of Server-Sent Events, each with a T as its data.
func streamOf[T any](s *REST) map[string]*huma.Response {
	return map[string]*huma.Response{"200": {
		Description: "The stream",
		Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{
			Type: huma.TypeString, Description: "Server-Sent Events.",
			Extensions: map[string]any{"x-event-data": schemaOf[T](s)},
		}}},
	}}
}

// What an operation is, in one line: register(s, work("/jobs", …), h). The
// status of its success, and what its answer has, follow from the kind.

// get reads: 200, with the ETag of a changeable thing (found).
func get(path, id, tag, summary string) huma.Operation {
	return operation(http.MethodGet, path, id, tag, summary, http.StatusOK)
}

// create makes a thing: 201 with its Location (made, placed). What is shown this
// once, as a link that signs somebody in, has none.
func create(path, id, tag, summary string) huma.Operation {
	return operation(http.MethodPost, path, id, tag, summary, http.StatusCreated)
}

// action does something to a thing that is done when the answer comes: 200.
// Its path ends with a noun: /hosts/{host}/revocations.
func action(path, id, tag, summary string) huma.Operation {
	return operation(http.MethodPost, path, id, tag, summary, http.StatusOK)
}

// work begins what goes on after the answer: 202 with the Location that tells
// how it goes and when to look again (started).
func work(path, id, tag, summary string) huma.Operation {
	return operation(http.MethodPost, path, id, tag, summary, http.StatusAccepted)
}

// put replaces a thing: 200. Its input has a Match.
func put(path, id, tag, summary string) huma.Operation {
	return operation(http.MethodPut, path, id, tag, summary, http.StatusOK)
}

// patch changes what its body names of a thing: 200. Its input has a Match.
func patch(path, id, tag, summary string) huma.Operation {
	return operation(http.MethodPatch, path, id, tag, summary, http.StatusOK)
}

// remove takes a thing away: 204. Its input has a Match.
func remove(path, id, tag, summary string) huma.Operation {
	return operation(http.MethodDelete, path, id, tag, summary, http.StatusNoContent)
}

func operation(method, path, id, tag, summary string, status int) huma.Operation {
	return huma.Operation{Method: method, Path: path, OperationID: id, Tags: []string{tag}, Summary: summary, DefaultStatus: status}
}
