package view

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/stickpress/stickpress/api"
)

// AuditPage is a part of the audit log.
type AuditPage struct {
	Filter  url.Values // as asked for
	Actions []string
	List    api.List[api.AuditEntry]
	Problem Problem
}

// filtered reports whether the filter leaves anything out.
func (p AuditPage) filtered() bool {
	for _, name := range []string{"actor", "action", "kind", "object", "from", "until"} {
		if p.Filter.Get(name) != "" {
			return true
		}
	}
	return false
}

// exportURL is the file of what the filter leaves.
func (p AuditPage) exportURL(format string) string {
	q := url.Values{"format": {format}}
	for _, name := range []string{"actor", "action", "kind", "object", "from", "until"} {
		if v := p.Filter.Get(name); v != "" {
			q.Set(name, v)
		}
	}
	return "/audit/export?" + q.Encode()
}

// actionName is what was done, in words; what has none is shown as it is.
func actionName(f Frame, action string) string {
	if f.L.Has("action." + action) {
		return f.T("action." + action)
	}
	return action
}

func kindName(f Frame, kind string) string {
	if f.L.Has("kind." + kind) {
		return f.T("kind." + kind)
	}
	return kind
}

// objectPath is the page of what an entry is about, "" if it has none.
func objectPath(e api.AuditEntry) string {
	if e.ObjectID == "" {
		return ""
	}
	switch e.ObjectKind {
	case "job":
		return "/jobs/" + e.ObjectID
	case "host":
		return "/hosts/" + e.ObjectID
	case "stick":
		return "/sticks/" + e.ObjectID
	case "user":
		return "/users/" + e.ObjectID
	case "image_version":
		return "/versions/" + e.ObjectID
	case "template":
		return "/templates/" + e.ObjectID
	case "task_sequence":
		return "/task-sequences/" + e.ObjectID
	}
	return ""
}

// actorText is the actor as the filter spells it.
func actorText(e api.AuditEntry) string {
	if e.ActorID != "" {
		return e.ActorID
	}
	return string(e.ActorKind)
}

// auditChange is one value that is not as it was.
type auditChange struct {
	Name          string // its path: "fields.layout"
	Before, After string
	Had, Has      bool
}

// auditChanges compares before and after, value by value. An entry that says
// only one of them shows all of it.
func auditChanges(e api.AuditEntry) []auditChange {
	before, after := flat(e.Before), flat(e.After)
	names := slices.Sorted(maps.Keys(before))
	for name := range after {
		if _, ok := before[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out []auditChange
	for _, name := range names {
		b, had := before[name]
		a, has := after[name]
		if had && has && a == b || name == "revision" {
			continue
		}
		out = append(out, auditChange{Name: name, Before: b, After: a, Had: had, Has: has})
	}
	return out
}

// flat is a JSON value as one text for each path.
func flat(raw json.RawMessage) map[string]string {
	out := map[string]string{}
	if len(raw) == 0 {
		return out
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return map[string]string{"": string(raw)}
	}
	flatten(out, nil, v)
	return out
}

func flatten(out map[string]string, path []string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			flatten(out, append(slices.Clone(path), k), x)
		}
	case []any:
		plain := make([]string, 0, len(v))
		for i, x := range v {
			if s, ok := x.(string); ok {
				plain = append(plain, s)
				continue
			}
			flatten(out, append(slices.Clone(path), strconv.Itoa(i+1)), x)
		}
		if len(plain) > 0 {
			out[strings.Join(path, ".")] = strings.Join(plain, ", ")
		}
	case string:
		out[strings.Join(path, ".")] = v
	case json.Number:
		out[strings.Join(path, ".")] = v.String()
	case bool:
		out[strings.Join(path, ".")] = strconv.FormatBool(v)
	case nil:
	}
}
