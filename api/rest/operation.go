package rest

import (
	"context"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
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
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					securityScheme: {Type: "http", Scheme: "bearer", Description: "A token of the account page or POST /tokens."},
				},
			},
		},
		Formats:                      huma.DefaultFormats,
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{ownProblem},
	}
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
			return nil, problemOf(ctx, f.Kind.Status(), f)
		}
		return out, nil
	})
}

// complete adds what every operation has.
func (s *REST) complete(op *huma.Operation) {
	op.Security = []map[string][]string{{securityScheme: {}}}
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = maxBody
	}
	op.BodyReadTimeout = bodyPatience
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

// get, post and put begin an operation.
func get(path, id, tag, summary string) huma.Operation {
	return huma.Operation{Method: http.MethodGet, Path: path, OperationID: id, Tags: []string{tag}, Summary: summary}
}

func post(path, id, tag, summary string, status int) huma.Operation {
	return huma.Operation{Method: http.MethodPost, Path: path, OperationID: id, Tags: []string{tag}, Summary: summary, DefaultStatus: status}
}

func put(path, id, tag, summary string) huma.Operation {
	return huma.Operation{Method: http.MethodPut, Path: path, OperationID: id, Tags: []string{tag}, Summary: summary}
}

// Paging is the part of a list request that every list has. It is exported
// because huma looks for parameters in exported embedded types only.
type Paging struct {
	After string `query:"after" doc:"'next' of the page before."`
	Limit int    `query:"limit" minimum:"1" maximum:"200" doc:"Items of a page; 50 if left out."`
	url   url.URL
}

// Resolve implements huma.Resolver.
func (p *Paging) Resolve(ctx huma.Context) []error {
	p.url = ctx.URL()
	return nil
}

func (p *Paging) page() api.Page { return api.Page{After: p.After, Limit: p.Limit} }

// listed is one page of a list.
type listed[T any] struct {
	Link string `header:"Link" doc:"The next page, rel=next, if there is one."`
	Body api.List[T]
}

// pageOf answers with a list.
func pageOf[T any](p *Paging, l api.List[T], err error) (*listed[T], error) {
	if err != nil {
		return nil, err
	}
	out := &listed[T]{Body: l}
	if out.Body.Items == nil {
		out.Body.Items = []T{}
	}
	if l.Next != "" {
		q := p.url.Query()
		q.Set("after", l.Next)
		out.Link = "<" + p.url.Path + "?" + q.Encode() + `>; rel="next"`
	}
	return out, nil
}

// whole is a list without pages.
type whole[T any] struct {
	Body wire.Items[T]
}

// itemsOf answers with a list without pages.
func itemsOf[T any](items []T, err error) (*whole[T], error) {
	if err != nil {
		return nil, err
	}
	return &whole[T]{Body: wire.Items[T]{Items: append([]T{}, items...)}}, nil
}

// Match is the part of a change request that guards against overwriting what
// somebody else changed. It is exported for the same reason as Paging.
type Match struct {
	IfMatch  string `header:"If-Match" doc:"ETag of the thing as seen. If it has changed since, nothing is done (412, stale)."`
	revision int64
}

// Resolve implements huma.Resolver.
func (m *Match) Resolve(huma.Context) []error {
	if m.IfMatch == "" || m.IfMatch == "*" {
		return nil
	}
	n, err := strconv.ParseInt(strings.Trim(m.IfMatch, `"`), 10, 64)
	if err != nil || n <= 0 {
		return []error{&huma.ErrorDetail{Location: "header.If-Match", Message: "expected an ETag of this API"}}
	}
	m.revision = n
	return nil
}

// etag is a revision as an ETag.
func etag(revision int64) string { return `"` + strconv.FormatInt(revision, 10) + `"` }

// found is a thing that has a revision.
type found[T any] struct {
	ETag string `header:"ETag" doc:"For If-Match."`
	Body T
}

// foundOf answers with a thing.
func foundOf[T any](v T, revision int64, err error) (*found[T], error) {
	if err != nil {
		return nil, err
	}
	return &found[T]{ETag: etag(revision), Body: v}, nil
}

// made is a thing that was made just now.
type made[T any] struct {
	Location string `header:"Location" doc:"Where it is from now on."`
	ETag     string `header:"ETag" doc:"For If-Match."`
	Body     T
}

// madeOf answers with a new thing that is at a path below Prefix.
func madeOf[T any](v T, path string, revision int64, err error) (*made[T], error) {
	if err != nil {
		return nil, err
	}
	return &made[T]{Location: Prefix + path, ETag: etag(revision), Body: v}, nil
}

// plain is an answer without headers of its own.
type plain[T any] struct {
	Body T
}

// plainOf answers with a value.
func plainOf[T any](v T, err error) (*plain[T], error) {
	if err != nil {
		return nil, err
	}
	return &plain[T]{Body: v}, nil
}
