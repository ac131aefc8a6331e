package api

import (
	"encoding"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// Page asks for a part of a list. Lists go from newest to oldest unless their
// use case says otherwise.
type Page struct {
	After  string // List.Next of the page before; empty for the first
	Before string // List.Prev of the page after, in place of After: the way back
	Limit  int    // 1 to MaxPage; 0 means DefaultPage
}

// Sizes of pages.
const (
	DefaultPage = 50
	MaxPage     = 200
)

// List is one page of a list.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next_cursor,omitempty"` // Page.After of the next page; empty on the last
	Prev  string `json:"-"`                     // Page.Before of the page before; empty on the first
}

// limit returns the size of the page within its bounds.
func (p Page) limit() int {
	switch {
	case p.Limit <= 0:
		return DefaultPage
	case p.Limit > MaxPage:
		return MaxPage
	default:
		return p.Limit
	}
}

// byName is the page of a list by name, with one row more: it tells whether
// there is another page.
func (p Page) byName() store.ByName {
	return store.ByName{After: p.After, Before: p.Before, Limit: p.limit() + 1}
}

// listOf makes a page of rows, of which there may be one too many at the end
// that the page goes to. It ends with the first view that fails.
func listOf[R, T any](p Page, rows []R, view func(*R) (T, error), key func(R) string) (List[T], error) {
	rows, l := cut[R, T](p, rows, key)
	for i := range rows {
		v, err := view(&rows[i])
		if err != nil {
			return List[T]{}, err
		}
		l.Items = append(l.Items, v)
	}
	return l, nil
}

// pieceOf is listOf for rows that are all there are. Faults: cursor_invalid.
func pieceOf[R, T any](p Page, rows []R, view func(*R) (T, error), key func(R) string) (List[T], error) {
	at := func(cursor string) int { return slices.IndexFunc(rows, func(r R) bool { return key(r) == cursor }) }
	unknown := fault.New(fault.KindInvalid, CodeCursorInvalid)
	switch {
	case p.After != "":
		i := at(p.After)
		if i < 0 {
			return List[T]{}, unknown.At("cursor")
		}
		rows = rows[i+1:]
	case p.Before != "":
		i := at(p.Before)
		if i < 0 {
			return List[T]{}, unknown.At("before")
		}
		rows = rows[:i]
	}
	return listOf(p, rows, view, key)
}

// cut takes the row too many away and says what lies on either side of a page.
func cut[R, T any](p Page, rows []R, key func(R) string) ([]R, List[T]) {
	more, back := len(rows) > p.limit(), p.Before != ""
	switch {
	case more && back:
		rows = rows[len(rows)-p.limit():]
	case more:
		rows = rows[:p.limit()]
	}
	l := List[T]{Items: make([]T, 0, len(rows))}
	if len(rows) == 0 {
		return rows, l
	}
	if back || more {
		l.Next = key(rows[len(rows)-1])
	}
	if back && more || !back && p.After != "" {
		l.Prev = key(rows[0])
	}
	return rows, l
}

// byID is the page of a list by ID, with one row more: it tells whether there
// is another page. Faults: cursor_invalid.
func byID[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](p Page) (before, after T, limit int, err error) {
	for _, c := range []struct {
		text, field string
		id          *T
	}{{p.After, "cursor", &before}, {p.Before, "before", &after}} {
		if c.text == "" {
			continue
		}
		if *c.id, err = store.ParseID[T, P](c.text); err != nil {
			return before, after, 0, fault.Wrap(err, fault.KindInvalid, CodeCursorInvalid).At(c.field)
		}
	}
	return before, after, p.limit() + 1, nil
}

// after reads the cursor of a list by ID that is read forward alone.
func after[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](p Page) (T, error) {
	before, _, _, err := byID[T, P](p)
	return before, err
}

// parse reads an ID that names the thing itself: what is none names nothing,
// so it is <kind>_not_found.
func parse[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](kind, text string) (T, error) {
	id, err := store.ParseID[T, P](text)
	if err != nil {
		return id, store.NotFound(kind, text)
	}
	return id, nil
}

// parseAll is parse of several.
func parseAll[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](kind string, texts []string) ([]T, error) {
	ids := make([]T, 0, len(texts))
	for _, text := range texts {
		id, err := parse[T, P](kind, text)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// optional is parse for a field that may be empty.
func optional[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](kind, text string) (T, error) {
	if text == "" {
		var zero T
		return zero, nil
	}
	return parse[T, P](kind, text)
}

// oneOf are names that one may choose from, in a sentence.
func oneOf[S ~string](names []S) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = string(name)
	}
	return strings.Join(texts, ", ")
}

// isNotFound reports whether err says that a record of this kind is absent.
func isNotFound(err error, kind string) bool {
	return errors.Is(err, store.NotFound(kind, ""))
}

// unused refuses a name that another record of the kind has, by the error that
// looking it up came to; own is that it was found and is the one that is changed.
// The database refuses it, too, but only once nothing else is wrong.
func unused(kind string, lookup error, own bool) error {
	switch {
	case lookup == nil && !own:
		return store.NameTaken(kind)
	case isNotFound(lookup, kind):
		return nil
	}
	return lookup
}

// tooLong refuses a text of more than so many characters.
func tooLong(field, text string, most int) error {
	if utf8.RuneCountInString(text) <= most {
		return nil
	}
	name := field[strings.LastIndexByte(field, '.')+1:]
	return fault.New(fault.KindInvalid, CodeTextTooLong, "field", name, "max", most).At(field)
}

// maxName is the length of names that people give, in characters.
const maxName = 100

// cleanName checks a name that people give to a thing: it shows something, and
// turns nothing round that is printed beside it.
func cleanName(kind, name string) (string, error) {
	name = norm.NFC.String(strings.TrimSpace(name)) // or two that look alike would be two
	if !strings.ContainsFunc(name, unicode.IsGraphic) || utf8.RuneCountInString(name) > maxName || !utf8.ValidString(name) ||
		strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || turning(r) }) {
		return "", fault.New(fault.KindInvalid, store.CodeNameInvalid, "kind", kind).At("name")
	}
	return name, nil
}

// turning reports whether a character opens or ends a change of the direction in
// which what follows is written (Unicode, UAX #9, section 2). The marks for one
// place, which Arabic and Hebrew names may need, do not.
func turning(r rune) bool {
	return '\u202A' <= r && r <= '\u202E' || '\u2066' <= r && r <= '\u2069'
}
