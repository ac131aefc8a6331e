// Package view is what pages look like: the layout, a small set of components
// and one templ file per page. It renders values of package api and decides
// nothing; every sentence comes from the catalogue.
package view

import (
	"net/url"
	"slices"
	"strings"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/locale"
)

// Frame is what the layout around every page needs.
type Frame struct {
	L         locale.Locale
	Section   string // the entry of the navigation that is current
	Path      string
	Query     url.Values
	Back      string // where a change of language or theme returns to
	Theme     string // "light", "dark" or empty for the system's
	Nonce     string // of the Content-Security-Policy, for the editor's styles
	RequestID string
	Actor     api.Actor
	SignedIn  bool
	Banner    string // a sentence of the admins' on every page
	Flash     string // a sentence about the action before
	Refresh   bool   // without scripts the page loads itself again
	Requests  int    // of tickets that are open, where the palette shows it
	Keys      bool   // single letters are shortcuts
	Again     bool   // the page was only asked for: to ask again is harmless

	Posted url.Values // the form that the page answers, if it answers one
}

// Typed is what stood in a field of the form that the page answers, so that who
// was refused need not type it again.
func (f Frame) Typed(name string) string { return f.Posted.Get(name) }

// With is the page's own address with one parameter of its query changed, or
// without it if the value is empty.
func (f Frame) With(name, value string) string {
	q := url.Values{}
	for k, v := range f.Query {
		q[k] = v
	}
	q.Set(name, value)
	if value == "" {
		q.Del(name)
	}
	return address(f.Path, q)
}

// T is the message of a key in the reader's language.
func (f Frame) T(key string, pairs ...any) string { return f.L.T(key, pairs...) }

// Problem is what is wrong with a form: the fault's sentence, and which field
// it blames.
type Problem struct {
	Field    string
	Sentence string
	Code     string
	Stick    string    // ID of the stick that it is about, if it is about one
	Job      string    // that is in the way, if one is
	Parts    []Problem // each field that is wrong, where several are
}

// overridable reports whether an admin may let the fault pass.
func (p Problem) overridable() bool { return slices.Contains(api.Overridable, fault.Code(p.Code)) }

// NewProblem renders an error for a form; nil gives the empty Problem.
func NewProblem(l locale.Locale, err error) Problem {
	if err == nil {
		return Problem{}
	}
	return problemOf(l, fault.From(err))
}

func problemOf(l locale.Locale, f *fault.Error) Problem {
	p := Problem{
		Field: inputOf(f.Field), Sentence: l.Fault(string(f.Code), f.Params), Code: string(f.Code),
		Stick: f.Params["stick"], Job: f.Params["job"],
	}
	for _, part := range f.Parts {
		p.Parts = append(p.Parts, problemOf(l, part))
	}
	return p
}

// Renamed is the problem of a form that has another name for a field.
func (p Problem) Renamed(field, name string) Problem {
	p.Parts = slices.Clone(p.Parts)
	for i := range p.Parts {
		p.Parts[i] = p.Parts[i].Renamed(field, name)
	}
	if p.Field == field {
		p.Field = name
	}
	return p
}

// inputOf is what forms call the field that a fault blames: they have no parts
// within parts.
func inputOf(field string) string {
	for _, whole := range []string{"spec.", "mapping.", "options.capture.", "config.template.", "config.auth.", "config."} {
		if part, ok := strings.CutPrefix(field, whole); ok {
			return part
		}
	}
	return field
}

// each are the problems of single fields.
func (p Problem) each() []Problem {
	if len(p.Parts) > 0 {
		return p.Parts
	}
	return []Problem{p}
}

// At returns the sentence if the problem blames the field.
func (p Problem) At(field string) string {
	for _, part := range p.each() {
		if part.Field == field {
			return part.Sentence
		}
	}
	return ""
}

// Rest returns the sentences of what blames none of the fields.
func (p Problem) Rest(fields ...string) string {
	var rest []string
	for _, part := range p.each() {
		if !slices.Contains(fields, part.Field) && !slices.Contains(rest, part.Sentence) {
			rest = append(rest, part.Sentence)
		}
	}
	return sentences(rest...)
}

type navEntry struct {
	section, path string
	use           api.UseCase
}

var navigation = []navEntry{
	{"overview", "/", api.UseGetOverview},
	{"jobs", "/jobs", api.UseListJobs},
	{"images", "/images", api.UseListImages},
	{"templates", "/templates", api.UseListTemplates},
	{"sequences", "/task-sequences", api.UseListTaskSequences},
	{"hosts", "/hosts", api.UseListHosts},
	{"sites", "/sites", api.UseSaveSite},
	{"sticks", "/sticks", api.UseListSticks},
	{"requests", "/requests", api.UseListStickRequests},
	{"connectors", "/connectors", api.UseListConnectors},
	{"users", "/users", api.UseListUsers},
	{"tokens", "/tokens", api.UseListTokens},
	{"webhooks", "/webhooks", api.UseListWebhooks},
	{"audit", "/audit", api.UseListAudit},
	{"settings", "/settings", api.UseListSettings},
}

// tone is the look of a state: a colour class and a shape.
func tone(state string) string {
	switch state {
	case "verified", "succeeded", "published", "online", "ready", "wiped", "captured", "active", "on", "delivered":
		return "good"
	case "failed", "incomplete", "revoked", "lost", "withdrawn", "refused", "disabled", "stopped":
		return "bad"
	case "running", "assigned", "pressing", "erasing", "inspecting", "cancelling", "to_read":
		return "run"
	case "cancelled", "declined", "update_needed", "locked", "to_erase", "data_open", "failing":
		return "warn"
	}
	return "idle"
}

// saveWord is the name of a button that makes a thing of versions, or saves one more.
func saveWord(id, first, more string) string {
	if id == "" {
		return first
	}
	return more
}

// lead is a text with the space that parts it from what follows, which a
// full-width stop, comma or colon has in itself.
func lead(text string) string {
	if strings.HasSuffix(text, "。") || strings.HasSuffix(text, "：") || strings.HasSuffix(text, "，") || text == "" {
		return text
	}
	return text + " "
}

// sentences are one after the other.
func sentences(all ...string) string {
	text := ""
	for _, s := range all {
		text = lead(text) + s
	}
	return text
}
