package connector

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/stickpress/stickpress/api/fault"
)

// CodeMappingInvalid is the fault of a mapping that cannot be kept.
const CodeMappingInvalid fault.Code = "mapping_invalid" // field, why: "unknown", "path_too_long", "path", "path_open", "value_too_long", "table", "sticks", "ticket"

// The fields of a request that a mapping fills.
const (
	FieldTicket    = "ticket"     // what people call the ticket, and what makes a request one: needed
	FieldTicketKey = "ticket_key" // what the system's API calls it; the same if empty
	FieldTicketURL = "ticket_url" // where people see it
	FieldWanted    = "wanted"     // if it is mapped: whether the delivery is about a stick at all
	FieldCancelled = "cancelled"  // whether the ticket wants it no more
	FieldHolder    = "holder"
	FieldComputer  = "computer_name"
	FieldImage     = "image"
	FieldChannel   = "channel"
	FieldSequence  = "task_sequence"
	FieldLayout    = "layout"
	FieldSite      = "site"
	FieldHost      = "host"
	FieldSticks    = "sticks"
	FieldNote      = "note"
)

// Fields lists the fields in the order in which people see them.
var Fields = []string{
	FieldTicket, FieldTicketKey, FieldTicketURL, FieldWanted, FieldCancelled,
	FieldHolder, FieldComputer, FieldSticks, FieldNote,
	FieldImage, FieldChannel, FieldSequence, FieldLayout, FieldSite, FieldHost,
}

// Mapping says for each field where its value comes from.
type Mapping map[string]Source

// Source is where the value of one field comes from.
type Source struct {
	// Path finds it in the document, in the syntax of
	// https://github.com/tidwall/gjson/blob/master/SYNTAX.md: "issue.key",
	// "variables.#(name==\"image\").value". Empty takes Otherwise.
	Path string `json:"path,omitempty"`
	// Otherwise is the value where Path finds nothing: what is usual.
	Otherwise string `json:"otherwise,omitempty"`
	// Table replaces values that were found, whatever their case; a pair of "*"
	// replaces all that no pair before it did. What is not in it stays.
	Table []Pair `json:"table,omitempty"`
}

// Pair replaces From by To.
type Pair struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Bounds of a mapping.
const (
	maxPath   = 300 // bytes
	maxText   = 200 // characters of a value
	maxNote   = 2000
	maxPairs  = 100
	MaxSticks = 32 // of one request, as of one job
)

// Check refuses a mapping that could never work. Faults: mapping_invalid at the
// field.
func (m Mapping) Check() error {
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(m)) {
		s := m[name]
		why := ""
		switch {
		case !slices.Contains(Fields, name):
			why = "unknown"
		case len(s.Path) > maxPath:
			why = "path_too_long"
		case strings.ContainsFunc(s.Path, func(r rune) bool { return r < ' ' || r == utf8.RuneError }):
			why = "path"
		case !closed(s.Path):
			why = "path_open"
		case utf8.RuneCountInString(s.Otherwise) > maxText || !utf8.ValidString(s.Otherwise):
			why = "value_too_long"
		case len(s.Table) > maxPairs || slices.ContainsFunc(s.Table, func(p Pair) bool {
			return utf8.RuneCountInString(p.From+p.To) > 2*maxText || !utf8.ValidString(p.From+p.To) || p.From == ""
		}):
			why = "table"
		case name == FieldSticks && s.Otherwise != "" && sticks(s.Otherwise) == 0:
			why = "sticks"
		}
		if why != "" {
			wrong = append(wrong, fault.New(fault.KindInvalid, CodeMappingInvalid, "field", name, "why", why).At(name))
		}
	}
	if m[FieldTicket].Path == "" {
		wrong = append(wrong, fault.New(fault.KindInvalid, CodeMappingInvalid, "field", FieldTicket, "why", "ticket").At(FieldTicket))
	}
	return fault.All(wrong...)
}

// Value is what came of one field.
type Value struct {
	Field string
	Found string // what Path found, before Table; empty is nothing
	Value string // what counts
	From  string // "path", "table", "otherwise", or empty
	Cut   bool   // it was longer than the field is
}

// Request is what a delivery asks for.
type Request struct {
	Ticket, TicketKey, TicketURL string
	Wanted, Cancelled            bool
	Holder, Computer, Note       string
	Image, Channel, Sequence     string
	Layout, Site, Host           string
	Sticks                       int
}

// Apply reads a document that Decode made. It returns what each field came to,
// in the order of Fields, and the request of it. What is too long to be a ticket's
// number is none.
func (m Mapping) Apply(document json.RawMessage) ([]Value, Request) {
	values := make([]Value, 0, len(Fields))
	text := map[string]string{}
	for _, name := range Fields {
		v := m[name].value(name, document)
		values = append(values, v)
		text[name] = v.Value
		if name == FieldTicket && v.Cut {
			text[name] = "" // two tickets could begin alike, and would be one
		}
	}
	r := Request{
		Ticket: text[FieldTicket], TicketKey: text[FieldTicketKey], TicketURL: webAddress(text[FieldTicketURL]),
		Wanted: true, Cancelled: truth(text[FieldCancelled]), Holder: text[FieldHolder], Computer: text[FieldComputer], Note: text[FieldNote],
		Image: text[FieldImage], Channel: text[FieldChannel], Sequence: text[FieldSequence], Layout: text[FieldLayout],
		Site: text[FieldSite], Host: text[FieldHost], Sticks: max(1, sticks(text[FieldSticks])),
	}
	if s := m[FieldWanted]; s.Path != "" || s.Otherwise != "" {
		r.Wanted = truth(text[FieldWanted])
	}
	if r.TicketKey == "" {
		r.TicketKey = r.Ticket
	}
	return values, r
}

func (s Source) value(name string, document json.RawMessage) Value {
	v := Value{Field: name, Value: s.Otherwise, From: "otherwise"}
	if s.Otherwise == "" {
		v.From = ""
	}
	most := maxText
	switch name {
	case FieldNote:
		most = maxNote
	case FieldTicketURL:
		most = 1000
	}
	if s.Path != "" {
		v.Found = plain(gjson.GetBytes(document, s.Path), name == FieldNote)
	}
	if v.Found == "" {
		return v
	}
	v.Value, v.From = v.Found, "path"
	for _, p := range s.Table {
		if from := strings.TrimSpace(p.From); from == "*" || strings.EqualFold(from, v.Found) {
			v.Value, v.From = p.To, "table"
			break
		}
	}
	if r := []rune(v.Value); len(r) > most {
		v.Value, v.Cut = string(r[:most]), true
	}
	if r := []rune(v.Found); len(r) > maxNote {
		v.Found = string(r[:maxNote])
	}
	return v
}

// plain is a value of the document as text: of a list its first one, of an
// object what systems call its word for people.
func plain(r gjson.Result, lines bool) string {
	for r.IsArray() {
		r = r.Get("0")
	}
	if r.IsObject() {
		for _, name := range []string{"display_value", "displayName", "value", "name"} {
			if x := r.Get(name); x.Exists() && !x.IsObject() && !x.IsArray() {
				r = x
				break
			}
		}
		if r.IsObject() {
			return ""
		}
	}
	text := strings.ReplaceAll(strings.ToValidUTF8(r.String(), "\uFFFD"), "\x00", "")
	if lines {
		return strings.TrimSpace(text)
	}
	return strings.Join(strings.Fields(text), " ")
}

// truth reads a value that says yes or no.
func truth(text string) bool {
	return !slices.Contains([]string{"", "0", "no", "false", "off", "none", "null", "nein", "non", "否"}, strings.ToLower(strings.TrimSpace(text)))
}

// sticks reads a number of sticks, 0 for none.
func sticks(text string) int {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 1 || n > MaxSticks {
		return 0
	}
	return n
}

// webAddress is an address that a page may link to, or empty.
func webAddress(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	return text
}
