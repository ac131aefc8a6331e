package view

import (
	"strings"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/webhook/connector"
)

// ConnectorPage is one connector.
type ConnectorPage struct {
	Connector     api.Connector
	URL           string // where its deliveries are sent
	Secret        string // just made; shown once
	Typed         api.SaveConnectorInput
	Payloads      []api.Payload
	WriteBacks    api.List[api.WriteBack]
	History       []api.HistoryEntry
	Problem       Problem // of the form
	SecretProblem Problem
	Danger        Problem
}

// MappingPage is a connector's mapping, and what it makes of a document.
type MappingPage struct {
	Connector api.Connector
	Mapping   connector.Mapping // as it was typed
	Payloads  []api.Payload
	Chosen    string // the ID of the delivery that it is tried on
	Typed     string // a document in its place
	Document  string
	Names     map[string][]string // what there is, by object
	Test      *api.MappingTest
	Problem   Problem
}

// WriteBackPage is what a connector's tickets are told.
type WriteBackPage struct {
	Connector api.Connector
	Config    api.WriteBackConfig // as it was typed
	Previews  []api.WriteBackPreview
	Problem   Problem
}

// systems, methods and auths are what forms offer.
func systems(f Frame) []Option {
	var all []Option
	for _, s := range connector.Systems {
		all = append(all, Option{Value: string(s), Label: f.T("connector.system_" + string(s))})
	}
	return all
}

// methodsOf are those of one system, or with an empty one all.
func methodsOf(f Frame, s connector.System) []Option {
	var all []Option
	if s == "" {
		all = append(all, Option{Value: "", Label: f.T("connector.method_usual")})
	}
	for _, m := range []connector.Method{connector.MethodBasic, connector.MethodHeader, connector.MethodHubSHA256, connector.MethodHubSHA1, connector.MethodGLPI} {
		if s == "" || s.Has(m) {
			all = append(all, Option{Value: string(m), Label: f.T("connector.method_" + string(m))})
		}
	}
	return all
}

func auths(f Frame) []Option {
	var all []Option
	for _, k := range api.AuthKinds {
		all = append(all, Option{Value: string(k), Label: f.T("write_back.auth_" + string(k))})
	}
	return all
}

// ReadPairs reads a table of replacements, one "from = to" a line. A line
// without "=" replaces by nothing.
func ReadPairs(text string) []connector.Pair {
	var all []connector.Pair
	for line := range strings.Lines(text) {
		from, to, _ := strings.Cut(strings.TrimSpace(line), "=")
		if from = strings.TrimSpace(from); from != "" {
			all = append(all, connector.Pair{From: from, To: strings.TrimSpace(to)})
		}
	}
	return all
}

func writePairs(pairs []connector.Pair) string {
	lines := make([]string, 0, len(pairs))
	for _, p := range pairs {
		lines = append(lines, p.From+" = "+p.To)
	}
	return strings.Join(lines, "\n")
}

// value is what a test made of a field.
func (p MappingPage) value(field string) (api.MappedValue, bool) {
	if p.Test == nil {
		return api.MappedValue{}, false
	}
	for _, v := range p.Test.Values {
		if v.Field == field {
			return v, true
		}
	}
	return api.MappedValue{}, false
}

// names is the list of suggestions for what is usual in a field, or empty.
func (p MappingPage) names(field string) string {
	switch field {
	case connector.FieldImage, connector.FieldSite, connector.FieldHost:
		return "names-" + field
	}
	return ""
}

// refused is why a delivery or a write-back was not accepted, in words.
func refused(f Frame, w *api.WhyNot) string {
	if w == nil {
		return ""
	}
	return f.L.Fault(w.Code, w.Params)
}
