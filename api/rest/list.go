package rest

import (
	"cmp"
	"context"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
)

// list registers the GET of a list that is narrowed by the fields of its use
// case: each becomes a typed query parameter, so that no list has fewer here
// than it has in the console.
func list[F, T any](s *REST, op huma.Operation, fields []api.Field[F], find func(context.Context, api.Actor, F, api.Page) (api.List[T], error)) {
	type input struct {
		Paging
		Narrowed[F]
	}
	narrow(&op, fields)
	registerOn(s, loose{s.huma}, op, func(ctx context.Context, a api.Actor, in *input) (*listed[T], error) {
		l, err := find(ctx, a, in.filter, in.page())
		return pageOf(&in.Paging, l, err)
	})
}

// all is list for what has no pages.
func all[F, T any](s *REST, op huma.Operation, fields []api.Field[F], find func(context.Context, api.Actor, F) ([]T, error)) {
	type input struct{ Narrowed[F] }
	narrow(&op, fields)
	registerOn(s, loose{s.huma}, op, func(ctx context.Context, a api.Actor, in *input) (*whole[T], error) {
		return itemsOf(find(ctx, a, in.filter))
	})
}

// Narrowed is the part of a request that has a filter in its query. Its
// operation is registered by registerOn with loose, after narrow. It is
// exported for the same reason as Paging.
type Narrowed[F any] struct{ filter F }

// fieldsKey is where an operation's metadata has the fields of its filter.
const fieldsKey = "fields"

// narrow gives an operation the parameters of a filter.
func narrow[F any](op *huma.Operation, fields []api.Field[F]) {
	op.Metadata = map[string]any{fieldsKey: fields}
	for _, x := range fields {
		op.Parameters = append(op.Parameters, &huma.Param{Name: x.Name, In: "query", Description: x.Doc, Schema: fieldSchema(x.FieldInfo)})
	}
}

func fieldSchema(x api.FieldInfo) *huma.Schema {
	out := &huma.Schema{Type: huma.TypeString}
	switch x.Kind {
	case api.FieldChoice:
		for _, v := range x.Values {
			out.Enum = append(out.Enum, v)
		}
	case api.FieldDay:
		out.Format = "date"
	case api.FieldTime:
		out.AnyOf = []*huma.Schema{{Type: huma.TypeString, Format: "date"}, {Type: huma.TypeString, Format: "date-time"}}
	case api.FieldText, api.FieldThing:
		longest := api.MaxFilterText
		out.MaxLength = &longest
	}
	return out
}

// Resolve implements huma.Resolver: it refuses every value that its field does
// not have, and every parameter that the operation does not have.
func (n *Narrowed[F]) Resolve(ctx huma.Context) []error {
	op, at := ctx.Operation(), ctx.URL()
	query := at.Query()
	var wrong []error
	for name := range query {
		if !slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.In == "query" && p.Name == name }) {
			wrong = append(wrong, &huma.ErrorDetail{Location: "query." + name, Message: "unknown query parameter"})
		}
	}
	fields := op.Metadata[fieldsKey].([]api.Field[F])
	n.filter, _ = api.ReadFilter(fields, query)
	for _, x := range fields {
		if err := x.Check(x.Value(&n.filter)); err != nil {
			f := fault.From(err)
			wrong = append(wrong, &huma.ErrorDetail{
				Location: "query." + x.Name, Message: requestOf(ctx.Context()).locale.Fault(string(f.Code), f.Params),
			})
		}
	}
	slices.SortFunc(wrong, func(a, b error) int {
		return cmp.Compare(a.(*huma.ErrorDetail).Location, b.(*huma.ErrorDetail).Location) //nolint:errorlint // made above
	})
	return wrong
}

// loose is huma without its check of query parameters, which knows those of Go
// structs alone; Narrowed makes up for it.
type loose struct{ huma.API }

// Config is asked by huma.
func (l loose) Config() huma.Config {
	c := l.API.(interface{ Config() huma.Config }).Config()
	c.RejectUnknownQueryParameters = false
	return c
}
