package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Change is one value that was another before; empty is none.
type Change struct {
	Field  string `json:"field"` // its path: "fields.layout", "editions.1.name"
	Before string `json:"before"`
	After  string `json:"after"`
}

const maxChange = 200 // characters of a value that are shown

// Changes compares what an audit entry has of before and after, value by value
// in the order of their names, down to what is nested.
func Changes(before, after json.RawMessage) []Change {
	b, a := flat(before), flat(after)
	var said map[string]json.RawMessage // what is noted of after; nothing, if it is no object
	_ = json.Unmarshal(after, &said)
	names := maps.Clone(b)
	maps.Copy(names, a)
	out := []Change{}
	for _, k := range slices.Sorted(maps.Keys(names)) {
		_, had := b[k]
		_, has := a[k]
		switch {
		case b[k] == a[k], k == "revision", k == "id": // the record's own book-keeping
		case had && !has && len(a) > 0 && !noted(said, k): // it did not change
		default:
			out = append(out, Change{Field: k, Before: b[k], After: a[k]})
		}
	}
	return out
}

func noted(object map[string]json.RawMessage, path string) bool {
	name, _, _ := strings.Cut(path, ".")
	_, ok := object[name]
	return ok
}

// flat is a JSON value as one text for each path; lists of texts are one text.
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
	flatten(out, "", v)
	return out
}

func flatten(out map[string]string, path string, v any) {
	text := ""
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			flatten(out, join(path, k), x)
		}
		return
	case []any:
		plain := make([]string, 0, len(v))
		for i, x := range v {
			if s, ok := x.(string); ok {
				plain = append(plain, s)
				continue
			}
			flatten(out, join(path, strconv.Itoa(i+1)), x)
		}
		text = listed(plain)
	case string:
		text = v
	case json.Number:
		text = v.String()
	case bool:
		text = strconv.FormatBool(v)
	}
	if r := []rune(text); len(r) > maxChange {
		text = string(r[:maxChange]) + "…"
	}
	if text != "" {
		out[path] = strings.ToValidUTF8(text, "")
	}
}

// listed is a list as one text: as many whole entries, which may be IDs, as are
// shown.
func listed(all []string) string {
	left := maxChange
	for i, s := range all {
		if left -= utf8.RuneCountInString(s) + len(", "); left < 0 && i > 0 {
			return strings.Join(all[:i], ", ") + ", …"
		}
	}
	return strings.Join(all, ", ")
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
