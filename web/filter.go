package web

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

// pageOf reads which part of a list is asked for.
func pageOf(r *http.Request) api.Page {
	q := r.URL.Query()
	return api.Page{After: q.Get("after"), Before: q.Get("before")}
}

// everyPage reads a list from its first page to its last.
func everyPage[T any](list func(api.Page) (api.List[T], error)) ([]T, error) {
	var all []T
	for page := (api.Page{Limit: api.MaxPage}); ; {
		l, err := list(page)
		if all = append(all, l.Items...); err != nil || l.Next == "" {
			return all, err
		}
		page.After = l.Next
	}
}

// notFields are the names in a list's address that are none of its fields.
var notFields = []string{"after", "before"}

// narrowed lists what the filter in the address lets through, for a page with a
// filter bar. What the list does not know, and a value that names nothing, is
// left out and said, since an address may be old or typed by hand.
func narrowed[F, T any](
	s *Web, r *http.Request, list string, fields []api.Field[F], find func(F, api.Page) (api.List[T], error),
) (view.Narrowing, api.List[T], error) {
	l, n := localeOf(r), view.Narrowing{List: list, Path: "/" + list}
	query := r.URL.Query()
	for _, name := range notFields {
		query.Del(name)
	}
	filter, unknown := api.ReadFilter(fields, query)
	for _, name := range unknown {
		n.Notes = append(n.Notes, l.T("filter.unknown", "name", name))
	}
	page := pageOf(r)
	var found api.List[T]
	for {
		var err error
		if found, err = find(filter, page); err == nil {
			break
		}
		f := fault.From(err)
		i := slices.IndexFunc(fields, func(x api.Field[F]) bool { return x.Name == f.Field })
		switch {
		case f.Code == api.CodeCursorInvalid && page != (api.Page{}):
			page = api.Page{}
			n.Notes = append(n.Notes, l.Fault(string(f.Code), f.Params))
		case i >= 0 && fields[i].Value(&filter) != "":
			n.Notes = append(n.Notes, l.T("filter.left_out", "field", view.FieldLabel(l, list, f.Field),
				"value", fields[i].Value(&filter), "why", l.Fault(string(f.Code), f.Params)))
			fields[i].Clear(&filter)
		default:
			return n, found, err
		}
	}
	n.Query = api.WriteFilter(fields, &filter)
	for _, x := range fields {
		field := view.NarrowField{FieldInfo: x.FieldInfo, Value: x.Value(&filter)}
		var err error
		if field.Names, err = s.console.Names(r.Context(), actorOf(r), x.Object); err != nil {
			return n, found, err
		}
		if x.Name == "version" && field.Value != "" {
			if v, err := s.console.GetVersion(r.Context(), actorOf(r), field.Value); err == nil { // else the ID says it
				field.Says = v.ImageName + " " + v.Version
			}
		}
		n.Fields = append(n.Fields, field)
	}
	var err error
	n.Views, err = s.console.ListViews(r.Context(), actorOf(r), list)
	return n, found, err
}

// tidy answers a form of a filter bar that was sent without JavaScript: empty
// fields are taken out of the address, so that it can be kept and shared.
func tidy(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		query, full := r.URL.Query(), url.Values{}
		for name, values := range query {
			if slices.ContainsFunc(values, func(v string) bool { return v != "" }) {
				full[name] = values
			}
		}
		if len(full) == len(query) {
			return h(w, r)
		}
		to := r.URL.Path
		if len(full) > 0 {
			to += "?" + full.Encode()
		}
		return see(w, r, to)
	}
}
