package api

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// FieldKind says what the values of a list's field are.
type FieldKind string

// The kinds of fields.
const (
	FieldChoice FieldKind = "choice" // one of Values
	FieldText   FieldKind = "text"   // how a text begins, or the whole of it
	FieldThing  FieldKind = "thing"  // the ID or the name of an Object
	FieldDay    FieldKind = "day"    // "2026-11-27", in UTC
	FieldTime   FieldKind = "time"   // RFC 3339, or a day as in FieldDay
)

// FieldInfo is one thing by which a list can be narrowed, as its address spells
// it.
type FieldInfo struct {
	Name   string
	Kind   FieldKind
	Values []string // of FieldChoice
	Object string   // of FieldThing: "host", "image", "site"
	Doc    string   // what it narrows the list to, for who reads the REST API
}

// Check refuses a value that the field does not have; an empty one is none.
// Faults, at the field's name: filter_choice_unknown (value),
// filter_day_invalid (value), filter_time_invalid (value),
// filter_text_invalid (max), text_invalid.
func (x FieldInfo) Check(value string) error {
	switch {
	case value == "":
		return nil
	case !utf8.ValidString(value):
		return fault.New(fault.KindInvalid, store.CodeTextInvalid).At(x.Name)
	case len(value) > MaxFilterText || slices.ContainsFunc([]rune(value), unicode.IsControl):
		return fault.New(fault.KindInvalid, CodeFilterText, "max", MaxFilterText).At(x.Name)
	}
	switch x.Kind {
	case FieldChoice:
		if !slices.Contains(x.Values, value) {
			return fault.New(fault.KindInvalid, CodeFilterChoice, "value", value, "values", strings.Join(x.Values, ", ")).At(x.Name)
		}
	case FieldDay:
		if !isDay(value) {
			return fault.New(fault.KindInvalid, CodeFilterDay, "value", value).At(x.Name)
		}
	case FieldTime:
		if _, err := time.Parse(time.RFC3339, value); err != nil && !isDay(value) {
			return fault.Wrap(err, fault.KindInvalid, CodeFilterTime, "value", value).At(x.Name)
		}
	case FieldText, FieldThing:
	}
	return nil
}

// Field is where a filter keeps what a FieldInfo describes. The fields of a list
// (JobFields, …) are what its page shows and its use case checks.
type Field[F any] struct {
	FieldInfo
	at func(*F) *string
}

// Value is what the filter is narrowed by in this field, or empty.
func (x Field[F]) Value(f *F) string { return *x.at(f) }

// Clear takes what the field says out of the filter.
func (x Field[F]) Clear(f *F) { *x.at(f) = "" }

// ReadFilter reads a filter from the query of an address; names that no field
// has are returned. Whether the values mean anything, the use case says.
func ReadFilter[F any](fields []Field[F], query url.Values) (f F, unknown []string) {
	for name, values := range query {
		i := slices.IndexFunc(fields, func(x Field[F]) bool { return x.Name == name })
		if i < 0 {
			unknown = append(unknown, name)
		} else if len(values) > 0 {
			*fields[i].at(&f) = values[0]
		}
	}
	slices.Sort(unknown)
	return f, unknown
}

// WriteFilter is the query of a filter; fields that do not narrow are not in it.
func WriteFilter[F any](fields []Field[F], f *F) url.Values {
	query := url.Values{}
	for _, x := range fields {
		if v := x.Value(f); v != "" {
			query.Set(x.Name, v)
		}
	}
	return query
}

// MaxFilterText is how long a value of a field may be, in bytes.
const MaxFilterText = 200

// checkFilter refuses a filter with a value that its field does not have.
// Faults: those of FieldInfo.Check.
func checkFilter[F any](fields []Field[F], f *F) error {
	wrong := make([]error, 0, len(fields))
	for _, x := range fields {
		wrong = append(wrong, x.Check(x.Value(f)))
	}
	return fault.All(wrong...)
}

// dayOf is the beginning of a day that checkFilter let pass, and the end of one
// that is the last; the zero time for none.
func dayOf(text string, end bool) time.Time {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}
	}
	if end {
		return day.AddDate(0, 0, 1)
	}
	return day
}

// isDay reports whether a text is a day as FieldDay spells it.
func isDay(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}

// timeOf is the moment that a FieldTime means which checkFilter let pass: of a
// day its beginning, or its end if it is the last; the zero time for none.
func timeOf(text string, end bool) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return dayOf(text, end)
	}
	return at
}

// thing looks up what a field names; an empty value is the zero ID.
func thing[T, I any](name, value string, find func(string) (T, error), id func(T) I) (I, error) {
	var none I
	if value == "" {
		return none, nil
	}
	found, err := find(value)
	if err != nil {
		var refused *fault.Error
		if errors.As(err, &refused) {
			err = refused.At(name)
		}
		return none, err
	}
	return id(found), nil
}

// hostField, imageField and siteField look up what a field of these names.
func (c *Console) hostField(ctx context.Context, a Actor, value string) (store.HostID, error) {
	return thing("host", value, func(ref string) (store.Host, error) { return findHost(ctx, c.store.Reader, a, ref) },
		func(h store.Host) store.HostID { return h.ID })
}

func (c *Console) imageField(ctx context.Context, value string) (store.ImageID, error) {
	return thing("image", value, func(ref string) (store.Image, error) { return findImage(ctx, c.store.Reader, ref) },
		func(i store.Image) store.ImageID { return i.ID })
}

func (c *Console) siteField(ctx context.Context, a Actor, value string) (store.SiteID, error) {
	return thing("site", value, func(ref string) (store.Site, error) { return findSite(ctx, c.store.Reader, a, ref) },
		func(s store.Site) store.SiteID { return s.ID })
}

// scope is the actor's sites, narrowed to the one that a filter names.
func (c *Console) scope(ctx context.Context, a Actor, site string) ([]store.SiteID, error) {
	id, err := c.siteField(ctx, a, site)
	if err != nil || id.IsZero() {
		sites, scopeErr := a.sites()
		return sites, errors.Join(err, scopeErr)
	}
	return []store.SiteID{id}, nil
}

// maxNames is how many names Names offers.
const maxNames = 200

// Names lists what there is of an object ("host", "image", "site", "connector";
// none of any other), for fields that name one: the first 200 by name that the
// actor may see.
func (c *Console) Names(ctx context.Context, a Actor, object string) ([]string, error) {
	page := store.ByName{Limit: maxNames}
	sites, err := a.sites()
	if err != nil {
		return nil, err
	}
	switch object {
	case "host":
		return namesOf(a, UseListHosts, func() ([]store.Host, error) {
			return c.store.Hosts(ctx, store.HostFilter{Sites: sites, Page: page})
		}, func(h store.Host) string { return h.Name })
	case "image":
		return namesOf(a, UseListImages, func() ([]store.Image, error) { return c.store.Images(ctx, "", page) },
			func(i store.Image) string { return i.Name })
	case "connector":
		return namesOf(a, UseListStickRequests, func() ([]store.Connector, error) {
			return c.store.Connectors(ctx, store.Shelf{Page: page})
		}, func(k store.Connector) string { return k.Name })
	case "site":
		return namesOf(a, UseListSites, func() ([]store.Site, error) {
			return c.store.Sites(ctx, sites, store.Shelf{Page: page})
		}, func(s store.Site) string { return s.Name })
	}
	return nil, nil
}

func namesOf[T any](a Actor, u UseCase, list func() ([]T, error), name func(T) string) ([]string, error) {
	if err := allow(a, u); err != nil {
		return nil, err
	}
	rows, err := list()
	names := make([]string, 0, len(rows))
	for _, r := range rows {
		names = append(names, name(r))
	}
	return names, err
}
