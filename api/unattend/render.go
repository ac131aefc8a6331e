package unattend

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/stickpress/stickpress/api/fault"
)

// defaults are the values of variables that always exist; those given to Render go
// before them. computer_name: "*" makes Windows choose a name.
var defaults = map[string]string{"computer_name": "*"}

// Defaults returns the variables that need not be given, with their values.
func Defaults() map[string]string { return maps.Clone(defaults) }

// placeholder matches at "{{": a literal pair, or a name.
var placeholder = regexp.MustCompile(`^(?:\{\{\{\{|\{\{[ \t]*([a-z][a-z0-9_]*)[ \t]*\}\})`)

// Render replaces the template's placeholders by values and returns the answer
// file. A name in neither vars nor Defaults is refused:
// template_unknown_variable{name, line, column, known}; so is a value with bytes
// that XML cannot hold: template_value_invalid{name}; and a result longer than
// MaxBytes: template_too_large.
func (t *Template) Render(vars map[string]string) ([]byte, error) {
	known := Defaults()
	maps.Copy(known, vars)
	var out bytes.Buffer
	for _, s := range t.segments {
		if s.kind == verbatim {
			out.Write(t.raw[s.start:s.end])
			continue
		}
		b, err := t.expand(s, func(name string) (string, bool) {
			v, ok := known[name]
			return v, ok
		})
		if u, ok := errors.AsType[*unknownError](err); ok {
			line, column := t.position(u.offset)
			return nil, fault.New(fault.KindInvalid, "template_unknown_variable", "name", u.name,
				"line", line, "column", column, "known", strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		if err != nil {
			return nil, err
		}
		out.Write(b)
	}
	if out.Len() > MaxBytes {
		return nil, fault.New(fault.KindInvalid, "template_too_large", "limit_bytes", MaxBytes, "got_bytes", out.Len())
	}
	// The values are escaped, so this holds; a stick is too dear to find out.
	check := &Template{raw: out.Bytes()}
	if err := check.read(); err != nil {
		return nil, fmt.Errorf("check the rendered answer file: %w", err)
	}
	return out.Bytes(), nil
}

// Variables lists the names of the placeholders, sorted, each once.
func (t *Template) Variables() []string {
	names := map[string]bool{}
	for _, s := range t.segments {
		if s.kind != verbatim {
			_, _ = t.expand(s, func(name string) (string, bool) { // Parse has seen its errors
				names[name] = true
				return "", true
			})
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// unknownError is a placeholder whose name the lookup does not know.
type unknownError struct {
	name   string
	offset int
}

func (e *unknownError) Error() string { return "unknown variable " + e.name }

// expand returns a segment with its placeholders replaced.
func (t *Template) expand(s segment, lookup func(name string) (string, bool)) ([]byte, error) {
	rest := t.raw[s.start:s.end]
	var out []byte
	for {
		i := bytes.Index(rest, []byte("{{"))
		if i < 0 {
			return append(out, rest...), nil
		}
		at := s.end - len(rest) + i
		out, rest = append(out, rest[:i]...), rest[i:]
		m := placeholder.FindSubmatch(rest)
		if m == nil {
			line, column := t.position(at)
			return nil, fault.New(fault.KindInvalid, "template_bad_placeholder", "line", line, "column", column,
				"text", excerpt(rest))
		}
		rest = rest[len(m[0]):]
		name := string(m[1])
		if name == "" {
			out = append(out, "{{"...)
			continue
		}
		value, ok := lookup(name)
		if !ok {
			return nil, &unknownError{name, at}
		}
		if !valid(value) {
			return nil, fault.New(fault.KindInvalid, "template_value_invalid", "name", name)
		}
		out = append(out, escape(value, s.kind)...)
	}
}

// excerpt is the beginning of a broken placeholder, for the message.
func excerpt(b []byte) string {
	if i := bytes.IndexAny(b, "\r\n<"); i >= 0 {
		b = b[:i]
	}
	if len(b) > 40 {
		b = b[:40]
	}
	return strings.ToValidUTF8(string(b), "")
}

func escape(value string, k kind) string {
	if k == cdata {
		// "]]>" ends a section: end it in the middle and begin another.
		return strings.ReplaceAll(value, "]]>", "]]]]><![CDATA[>")
	}
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(value)) // a Builder does not fail
	return b.String()
}

// valid reports whether XML 1.0 can hold the value (production 2, Char).
func valid(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return true
}
