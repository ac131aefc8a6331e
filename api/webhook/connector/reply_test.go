package connector_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/connector"
)

// What a ticket holds stays a text where it is put, however it looks.
func TestTemplateEscapes(t *testing.T) {
	t.Parallel()
	tpl := connector.Reply{
		Method: "POST", ContentType: "application/json",
		URL:  "https://x.example/t/{{.key}}/notes?who={{query .holder}}&by={{.by}}",
		Body: `{"a": "{{.holder}}", "b": {{json .holder}}, "c": "{{printf "%s!" .holder}}", "n": {{.count}}, "all": {{json .sticks}}, "s": [{{range $i, $s := .sticks}}{{if $i}},{{end}}"{{.serial}}"{{end}}]}`,
	}
	if err := tpl.Check(); err != nil {
		t.Fatal(err)
	}
	d := connector.Sample(connector.EventVerified)
	d.Key, d.Holder = "a/../b?x#y", "\"}{\n\\\u2028</script>&x=1"
	d.By = "a&who=b;c=d+e %2f"
	d.Sticks = append(d.Sticks, connector.DataStick{Serial: `","x":"`})
	r, err := tpl.Render(d)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(r.URL)
	if err != nil || u.EscapedPath() != "/t/a%2F..%2Fb%3Fx%23y/notes" || u.Query().Get("who") != d.Holder || u.Query().Get("by") != d.By {
		t.Errorf("the URL is %s, %v", r.URL, err)
	}
	var got struct {
		A, B, C string
		N       int
		All     []connector.DataStick
		S       []string
	}
	if err := json.Unmarshal(r.Body, &got); err != nil {
		t.Fatal(err)
	}
	if got.A != d.Holder || got.B != d.Holder || got.C != d.Holder+"!" || got.N != 1 || len(got.All) != 2 || len(got.S) != 2 || got.S[1] != `","x":"` {
		t.Errorf("got %+v", got)
	}
}

// An event for which the URL is empty sends nothing.
func TestTemplateByEvent(t *testing.T) {
	t.Parallel()
	tpl := connector.Reply{
		Method: "POST", ContentType: "application/json", Body: `{"transition": {"id": "31"}}`,
		URL: `{{if eq .event "verified"}}https://x.example/issue/{{.ticket}}/transitions{{end}}`,
	}
	if err := tpl.Check(); err != nil {
		t.Fatal(err)
	}
	for _, event := range connector.Events {
		r, err := tpl.Render(connector.Sample(event))
		if err != nil || (r.URL != "") != (event == connector.EventVerified) {
			t.Errorf("%s: %q, %v", event, r.URL, err)
		}
	}
	if tpl.Host() != "https://x.example" {
		t.Errorf("the host is %s", tpl.Host())
	}
}

func TestTemplateRefused(t *testing.T) {
	t.Parallel()
	good := connector.Reply{Method: "POST", URL: "https://x.example/{{.key}}", ContentType: "application/json", Body: `{}`}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change     func(*connector.Reply)
		field, why string
	}{
		"a method":              {func(x *connector.Reply) { x.Method = "DELETE" }, "method", "method"},
		"no type":               {func(x *connector.Reply) { x.ContentType = "" }, "content_type", "content_type"},
		"a type with a line":    {func(x *connector.Reply) { x.ContentType = "a\r\nX: y" }, "content_type", "content_type"},
		"no URL":                {func(x *connector.Reply) { x.URL = " " }, "url", "empty"},
		"another scheme":        {func(x *connector.Reply) { x.URL = "file:///etc/passwd" }, "url", "url"},
		"a password in it":      {func(x *connector.Reply) { x.URL = "https://a:b@x.example/" }, "url", "url"},
		"the ticket's host":     {func(x *connector.Reply) { x.URL = "https://{{.key}}/x" }, "url", ""},
		"the ticket's domain":   {func(x *connector.Reply) { x.URL = "https://x.{{.site}}.example/x" }, "url", ""},
		"the event's host":      {func(x *connector.Reply) { x.URL = `https://{{.event}}.example/x` }, "url", "host"},
		"syntax":                {func(x *connector.Reply) { x.Body = "{{" }, "body", "syntax"},
		"a field of nobody":     {func(x *connector.Reply) { x.Body = `{"a": "{{.nobody}}"}` }, "body", "execute"},
		"no JSON":               {func(x *connector.Reply) { x.Body = `{"a": {{.holder}}}` }, "body", "json"},
		"JSON with good luck":   {func(x *connector.Reply) { x.Body = `{"a": {{.key}}}` }, "body", "json"},
		"a loop over a number":  {func(x *connector.Reply) { x.Body = `{{range 1000000000}}{{end}}{}` }, "body", "forbidden"},
		"a loop in a variable":  {func(x *connector.Reply) { x.Body = `{{$n := 1000000000}}{{range $n}}{{end}}{}` }, "body", "forbidden"},
		"a template in itself":  {func(x *connector.Reply) { x.Body = `{{define "a"}}{{template "a"}}{{end}}{{template "a"}}` }, "body", "forbidden"},
		"a template in a block": {func(x *connector.Reply) { x.Body = `{{if .key}}{{block "a" .}}{{end}}{{end}}{}` }, "body", "forbidden"},
		"too long":              {func(x *connector.Reply) { x.Body = `"` + strings.Repeat(" ", 17<<10) + `"` }, "body", "too_long"},
		"too long once it is":   {func(x *connector.Reply) { x.Body = `"{{printf "%70000d" 1}}"` }, "body", "too_long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := good
			c.change(&x)
			var f *fault.Error
			if err := x.Check(); !errors.As(err, &f) || f.Code != connector.CodeTemplateInvalid || f.Field != c.field || c.why != "" && f.Params["why"] != c.why {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := good.Render(connector.Data{Key: ".."}); err == nil {
		t.Error("a key leads to another path")
	}
}

// Templates are typed by admins: none of them may run for ever or bring the
// program down.
func FuzzTemplate(f *testing.F) {
	for _, s := range connector.Systems {
		t := s.DefaultReply()
		f.Add(t.URL, t.Body)
	}
	f.Add("https://x/{{.key | printf \"%q\"}}", "{{with .sticks}}{{range .}}{{end}}{{end}}")
	f.Fuzz(func(t *testing.T, address, body string) {
		x := connector.Reply{Method: "POST", ContentType: "application/json", URL: address, Body: body}
		if err := x.Check(); err != nil {
			if fault.From(err).Kind == fault.KindInternal {
				t.Fatal(err)
			}
			return
		}
		r, err := x.Render(connector.Sample(connector.EventVerified))
		if err == nil && r.URL != "" && !json.Valid(r.Body) {
			t.Fatalf("%q gives %q", body, r.Body)
		}
	})
}
