package rest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api/rest/wire"
)

// operationOf finds what the document says of the operation that a request was
// routed to; nil if it was routed to none.
func (s *REST) operationOf(r *http.Request) *huma.Operation {
	route := chi.RouteContext(r.Context())
	if route == nil {
		return nil
	}
	item := s.huma.OpenAPI().Paths[strings.TrimPrefix(route.RoutePattern(), Prefix)]
	if item == nil {
		return nil
	}
	switch r.Method {
	case http.MethodGet:
		return item.Get
	case http.MethodPost:
		return item.Post
	case http.MethodPut:
		return item.Put
	case http.MethodPatch:
		return item.Patch
	case http.MethodDelete:
		return item.Delete
	}
	return nil
}

// locate says where in a request the input is that a fault blames, such as
// "devices[0].identity": "body.devices[0].identity". It is empty if the operation
// has no such input.
func (s *REST) locate(r *http.Request, field string) string {
	if field == wire.HeaderIdempotencyKey {
		return "header." + field // of every POST
	}
	op := s.operationOf(r)
	if op == nil {
		return ""
	}
	first := field
	if i := strings.IndexAny(field, ".["); i >= 0 {
		first = field[:i]
	}
	if s.inBody(op, first) {
		return "body." + field
	}
	for _, in := range []string{"query", "header", "path"} {
		if slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.In == in && p.Name == first }) {
			return in + "." + field
		}
	}
	return ""
}

// inBody reports whether an operation's body is an object with a property.
func (s *REST) inBody(op *huma.Operation, name string) bool {
	if op.RequestBody == nil {
		return false
	}
	for _, media := range op.RequestBody.Content {
		schema := media.Schema
		if schema != nil && schema.Ref != "" {
			schema = s.huma.OpenAPI().Components.Schemas.SchemaFromRef(schema.Ref)
		}
		if schema != nil && schema.Properties[name] != nil {
			return true
		}
	}
	return false
}
