package connector_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/connector"
)

// Each system's sample, as docs/tickets says to set it up, is read by the
// mapping that its connectors begin with.
func TestDefaultMappings(t *testing.T) {
	t.Parallel()
	plain := connector.Request{Wanted: true, Sticks: 1, Channel: "stable", Note: "Windows stick for a new starter", Holder: "Ada Lovelace"}
	with := func(change func(*connector.Request)) connector.Request {
		r := plain
		change(&r)
		return r
	}
	cases := map[connector.System]connector.Request{
		connector.ServiceNow: with(func(r *connector.Request) {
			r.Ticket, r.TicketKey, r.Site, r.Image, r.Sticks, r.Computer = "RITM0010042", "9d385017c611228701d22104cc95c371", "Berlin", "win11-ent", 2, "WTG-{n:02}"
			r.TicketURL = "https://example.service-now.com/nav_to.do?uri=sc_req_item.do?sys_id=9d385017c611228701d22104cc95c371"
		}),
		connector.Jira: with(func(r *connector.Request) { r.Ticket, r.TicketKey = "ITSM-42", "99291" }),
		connector.Zammad: with(func(r *connector.Request) {
			r.Ticket, r.TicketKey, r.Holder = "10081", "81", "ada@example.org"
		}),
		connector.GLPI: with(func(r *connector.Request) {
			r.Ticket, r.TicketKey, r.Holder, r.Site = "4711", "4711", "ada", "Berlin"
		}),
		connector.Freshservice: with(func(r *connector.Request) {
			r.Ticket, r.TicketKey, r.Image, r.Computer, r.TicketURL = "SR-42", "42", "win11-ent", "WTG-ADA", "https://example.freshservice.com/a/tickets/42"
		}),
	}
	for system, want := range cases {
		t.Run(string(system), func(t *testing.T) {
			t.Parallel()
			document, err := connector.Decode("application/json", sample(t, string(system)+".json"))
			if err != nil {
				t.Fatal(err)
			}
			if _, got := system.DefaultMapping().Apply(document); got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// A ticket that is closed says so in each system's own word.
func TestDefaultCancelled(t *testing.T) {
	t.Parallel()
	for system, body := range map[connector.System]string{
		connector.ServiceNow:   `{"number":"R","state":"closed skipped"}`,
		connector.Jira:         `{"issue":{"key":"K","fields":{"status":{"name":"Canceled"}}}}`,
		connector.Zammad:       `{"ticket":{"number":"1","state":"closed"}}`,
		connector.GLPI:         `{"item":{"id":1,"status":{"id":6,"name":"Closed"}}}`,
		connector.Freshservice: `{"ticket_id":"1","status":"Closed"}`,
		connector.Generic:      `{"ticket":"1","cancelled":true}`,
	} {
		if _, r := system.DefaultMapping().Apply([]byte(body)); !r.Cancelled || r.Ticket == "" {
			t.Errorf("%s: %+v", system, r)
		}
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	m := connector.Mapping{
		connector.FieldTicket:    {Path: "id"},
		connector.FieldWanted:    {Path: `fields.#(name=="stick").value`, Table: []connector.Pair{{From: "Windows stick", To: "yes"}, {From: "*", To: "no"}}},
		connector.FieldImage:     {Path: "os", Otherwise: "win11-ent", Table: []connector.Pair{{From: "windows 10", To: "win10-ltsc"}}},
		connector.FieldSticks:    {Path: "count", Otherwise: "2"},
		connector.FieldHolder:    {Path: "who"},
		connector.FieldNote:      {Path: "text"},
		connector.FieldTicketURL: {Path: "link"},
		connector.FieldSite:      {Otherwise: "Berlin"},
	}
	for _, c := range []struct {
		body string
		want connector.Request
	}{
		{
			`{"id":42,"fields":[{"name":"a","value":1},{"name":"stick","value":"windows STICK"}],"os":"Windows 10","count":"3","who":{"display_value":"Ada"},"text":" a\nb ","link":"javascript:x"}`,
			connector.Request{Ticket: "42", TicketKey: "42", Wanted: true, Image: "win10-ltsc", Sticks: 3, Holder: "Ada", Note: "a\nb", Site: "Berlin"},
		},
		{
			`{"id":["A-1","A-2"],"fields":[{"name":"stick","value":"printer"}],"count":"many","who":{"x":1},"link":"https://x.example/1"}`,
			connector.Request{Ticket: "A-1", TicketKey: "A-1", Image: "win11-ent", Sticks: 1, TicketURL: "https://x.example/1", Site: "Berlin"},
		},
		{`{"id":"","os":null}`, connector.Request{Image: "win11-ent", Sticks: 2, Site: "Berlin"}},
		{`{"id":"` + strings.Repeat("x", 201) + `"}`, connector.Request{Image: "win11-ent", Sticks: 2, Site: "Berlin"}},
		{`{"id":"x\u0000y\u2028z","who":"` + strings.Repeat("é", 300) + `"}`, connector.Request{
			Ticket: "xy z", TicketKey: "xy z", Holder: strings.Repeat("é", 200), Image: "win11-ent", Sticks: 2, Site: "Berlin",
		}},
	} {
		values, got := m.Apply([]byte(c.body))
		if got != c.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", c.body, got, c.want)
		}
		if len(values) != len(connector.Fields) {
			t.Errorf("%d values", len(values))
		}
	}
	values, _ := m.Apply([]byte(`{"id":1,"os":"windows 10"}`))
	for _, v := range values {
		if v.Field == connector.FieldImage && (v.Found != "windows 10" || v.Value != "win10-ltsc" || v.From != "table") {
			t.Errorf("the image came of %+v", v)
		}
		if v.Field == connector.FieldSite && v.From != "otherwise" {
			t.Errorf("the site came of %+v", v)
		}
	}
}

func TestMappingCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		m     connector.Mapping
		field string
	}{
		"no ticket":       {connector.Mapping{connector.FieldTicket: {Otherwise: "1"}}, connector.FieldTicket},
		"unknown":         {connector.Mapping{connector.FieldTicket: {Path: "a"}, "x": {Path: "a"}}, "x"},
		"a long path":     {connector.Mapping{connector.FieldTicket: {Path: strings.Repeat("a", 301)}}, connector.FieldTicket},
		"an open query":   {connector.Mapping{connector.FieldTicket: {Path: "#("}}, connector.FieldTicket},
		"open quotes":     {connector.Mapping{connector.FieldTicket: {Path: `a.#(b=="c).d`}}, connector.FieldTicket},
		"a broken path":   {connector.Mapping{connector.FieldTicket: {Path: "a\n"}}, connector.FieldTicket},
		"no number":       {connector.Mapping{connector.FieldTicket: {Path: "a"}, connector.FieldSticks: {Otherwise: "99"}}, connector.FieldSticks},
		"an empty pair":   {connector.Mapping{connector.FieldTicket: {Path: "a", Table: []connector.Pair{{To: "x"}}}}, connector.FieldTicket},
		"too many pairs":  {connector.Mapping{connector.FieldTicket: {Path: "a", Table: make([]connector.Pair, 101)}}, connector.FieldTicket},
		"a long constant": {connector.Mapping{connector.FieldTicket: {Path: "a"}, connector.FieldHolder: {Otherwise: strings.Repeat("é", 201)}}, connector.FieldHolder},
	} {
		var f *fault.Error
		if err := c.m.Check(); !errors.As(err, &f) || f.Code != connector.CodeMappingInvalid || f.Field != c.field {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 65) + strings.Repeat("]", 65)
	for name, c := range map[string]struct{ kind, body, want, code string }{
		"JSON":                    {kind: "application/json", body: ` {"a":1} `, want: `{"a":1}`},
		"JSON without a type":     {body: `{"a":1}`, want: `{"a":1}`},
		"JSON that is called so":  {kind: "application/x-www-form-urlencoded", body: `{"a":1}`, want: `{"a":1}`},
		"a byte order mark":       {kind: "application/json", body: "\xef\xbb\xbf[1]", want: `[1]`},
		"nothing":                 {kind: "application/json", body: "  ", want: `{}`},
		"a form":                  {kind: "application/x-www-form-urlencoded", body: "a=1&b=x+y&b=z", want: `{"a":"1","b":["x y","z"]}`},
		"a form without a type":   {body: "a=1", want: `{"a":"1"}`},
		"JSON in a form":          {kind: "application/x-www-form-urlencoded", body: "payload=%7B%22a%22%3A1%7D", want: `{"a":1}`},
		"Latin 1":                 {kind: "application/json; charset=ISO-8859-1", body: "{\"a\":\"\xe9\"}", want: `{"a":"é"}`},
		"UTF-16":                  {kind: "application/json; charset=utf-16le", body: "{\x00}\x00", want: `{}`},
		"a charset of nobody":     {kind: "application/json; charset=x-nobody", body: `{}`, code: "hook_body_unreadable"},
		"bytes that are no text":  {kind: "application/json", body: "{\"a\":\"\xe9\"}", code: "hook_body_unreadable"},
		"XML":                     {kind: "application/xml", body: "<a/>", code: "hook_body_unreadable"},
		"XML with an attribute":   {kind: "application/xml", body: `<a b="%"/>`, code: "hook_body_unreadable"},
		"two documents":           {kind: "application/json", body: `{}{}`, code: "hook_body_unreadable"},
		"half a document":         {kind: "application/json", body: `{"a":`, code: "hook_body_unreadable"},
		"deep":                    {kind: "application/json", body: deep, code: "hook_body_too_deep"},
		"deep in a form":          {body: "x=" + deep, code: "hook_body_too_deep"},
		"as deep as it may":       {kind: "application/json", body: deep[1:129], want: deep[1:129]},
		"a megabyte and one byte": {kind: "application/json", body: strings.Repeat(" ", connector.MaxBody+1), code: "hook_body_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := connector.Decode(c.kind, []byte(c.body))
			code := ""
			if err != nil {
				code = string(fault.From(err).Code)
			}
			if code != c.code || err == nil && string(got) != c.want {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
}

// Whatever is sent is refused or becomes a request; nothing else.
func FuzzDelivery(f *testing.F) {
	for _, s := range connector.Systems[:5] {
		f.Add("application/json", sample(f, string(s)+".json"), `item.team.#(role=="requester").name`)
	}
	f.Add("application/x-www-form-urlencoded", []byte("a=1&b=2"), "a|@reverse")
	f.Add("application/json; charset=utf-16", []byte("{\x00}\x00"), "..#.a")
	f.Add("text/plain", []byte(`{"a":{"b":[1,"2",{"c":null}]}}`), "a.b.#(c!=3)#|0.@this.{a,b}")
	f.Fuzz(func(t *testing.T, kind string, body []byte, path string) {
		document, err := connector.Decode(kind, body)
		if err != nil {
			if fault.From(err).Kind == fault.KindInternal {
				t.Fatal(err)
			}
			return
		}
		m := connector.Mapping{connector.FieldTicket: {Path: path}, connector.FieldNote: {Path: path}, connector.FieldSticks: {Path: path}}
		if m.Check() != nil {
			return
		}
		if _, r := m.Apply(document); r.Sticks < 1 || r.Sticks > connector.MaxSticks || len([]rune(r.Ticket)) > 200 || strings.ContainsAny(r.Ticket, "\x00\n") {
			t.Fatalf("%+v", r)
		}
		c := connector.Credentials{Method: connector.MethodGLPI, Secret: "secret"}
		if c.Verify(http.Header{"X-Glpi-Signature": {path}, "X-Glpi-Timestamp": {kind}}, body, signedAt) == nil {
			t.Fatal("believed")
		}
	})
}
