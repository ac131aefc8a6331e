package view

import (
	"maps"
	"net/url"
	"slices"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/locale"
)

// Narrowing is what a list is narrowed by, and by what it can be.
type Narrowing struct {
	List   string // as api.ListViews names it
	Path   string // of its page
	Fields []NarrowField
	Query  url.Values // what narrows it now
	Notes  []string   // what of the address was left out, and why
	Views  []api.View // of this list that are kept
}

// NarrowField is one field of the bar.
type NarrowField struct {
	api.FieldInfo
	Value string
	Names []string // what there is of an api.FieldThing
	Says  string   // the name of what the value is the ID of, where it is known
}

// Any reports whether the list is narrowed.
func (n *Narrowing) Any() bool { return len(n.Query) > 0 }

// Without is the list's address without one of the fields.
func (n *Narrowing) Without(name string) string {
	q := maps.Clone(n.Query)
	q.Del(name)
	return address(n.Path, q)
}

// At is the list's address at another page.
func (n *Narrowing) At(cursor, value string) string {
	q := maps.Clone(n.Query)
	if q == nil {
		q = url.Values{}
	}
	q.Set(cursor, value)
	return address(n.Path, q)
}

// Here is the list's address.
func (n *Narrowing) Here() string { return address(n.Path, n.Query) }

func address(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// quick are the fields that the bar shows at once; the others are behind a
// word, open while one of them narrows.
var quick = []string{"q", "state", "kind", "life", "role", "format", "action", "actor", "group", "origin", "changed"}

func (n *Narrowing) split() (first, more []NarrowField, open bool) {
	for _, x := range n.Fields {
		if slices.Contains(quick, x.Name) {
			first = append(first, x)
			continue
		}
		more = append(more, x)
		open = open || x.Value != ""
	}
	return first, more, open
}

// named is the view that the list is seen in, if it is one.
func (n *Narrowing) named() (api.View, bool) {
	here := n.Query.Encode()
	for _, v := range n.Views {
		if v.Query == here {
			return v, true
		}
	}
	return api.View{}, false
}

// FieldLabel is what a field of a list is called, there or everywhere.
func FieldLabel(l locale.Locale, list, name string) string {
	if key := "filter.field_" + list + "_" + name; l.Has(key) {
		return l.T(key)
	}
	return l.T("filter.field_" + name)
}

func fieldLabel(f Frame, n Narrowing, x NarrowField) string { return FieldLabel(f.L, n.List, x.Name) }

// choice is the word for a value of a field.
func choice(f Frame, x *NarrowField, value string) string {
	switch x.Name {
	case "state":
		if value == api.StateActive && slices.Contains(x.Values, "queued") {
			return f.T("job.active")
		}
		return f.T("state." + value)
	case "kind":
		return f.T("job_kind." + value)
	case "life":
		return f.T("life." + value)
	case "tasks":
		return f.T("stick.tasks_" + value)
	case "role":
		return f.T("role." + value)
	case "group":
		return f.T("setting.group_" + value)
	case "origin":
		return f.T("setting.origin_" + value)
	case "changed":
		return f.T("setting.changed_" + value)
	case "action":
		return actionName(f, value)
	case "object_kind":
		return kindName(f, value)
	case "os":
		return map[string]string{"linux": "Linux", "windows": "Windows"}[value]
	}
	return value
}

// chosen is how a chip shows a field's value.
func chosen(f Frame, x *NarrowField) string {
	switch {
	case x.Kind == api.FieldChoice:
		return choice(f, x, x.Value)
	case x.Says != "":
		return x.Says
	}
	return x.Value
}
