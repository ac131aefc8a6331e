package rest_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/rest/resttest"
)

func infos[F any](fields []api.Field[F]) []api.FieldInfo {
	out := make([]api.FieldInfo, 0, len(fields))
	for _, x := range fields {
		out = append(out, x.FieldInfo)
	}
	return out
}

// narrowed are the lists that are narrowed by fields.
var narrowed = map[string][]api.FieldInfo{
	"/jobs": infos(api.JobFields), "/builds": infos(api.BuildFields), "/sites": infos(api.ShelfFields), "/sticks": infos(api.StickFields), "/hosts": infos(api.HostFields),
	"/images": infos(api.ImageFields), "/versions": infos(api.VersionFields), "/templates": infos(api.ShelfFields),
	"/connectors": infos(api.ShelfFields), "/stick-requests": infos(api.StickRequestFields), "/webhooks": infos(api.WebhookFields),
	"/task-sequences": infos(api.ShelfFields), "/tokens": infos(api.TokenFields), "/users": infos(api.UserFields), "/audit": infos(api.AuditFields),
}

// Every field of a list is a parameter of the document with its type, and a
// value that it does not have is refused, each in its place.
func TestFieldsAreParameters(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	type parameter struct {
		Name, In, Description string
		Schema                struct {
			Type      any // an array where null is one of them
			Format    string
			Enum      []string
			MaxLength int
			AnyOf     []struct{ Format string }
		}
	}
	var doc struct {
		Paths map[string]map[string]struct{ Parameters []parameter }
	}
	if err := json.Unmarshal(send(t, s, ask{method: "GET", path: "/openapi.json"}).body, &doc); err != nil {
		t.Fatal(err)
	}
	for path, fields := range narrowed {
		parameters := doc.Paths[path]["get"].Parameters
		for _, x := range fields {
			i := slices.IndexFunc(parameters, func(p parameter) bool { return p.In == "query" && p.Name == x.Name })
			if i < 0 {
				t.Errorf("%s has no parameter %s", path, x.Name)
				continue
			}
			p := parameters[i]
			format := map[api.FieldKind]string{api.FieldDay: "date"}[x.Kind]
			var either []string
			for _, s := range p.Schema.AnyOf {
				either = append(either, s.Format)
			}
			if x.Kind == api.FieldTime != slices.Equal(either, []string{"date", "date-time"}) {
				t.Errorf("%s: %s is described as any of %q", path, x.Name, either)
			}
			if p.Description == "" || p.Schema.Type != "string" || p.Schema.Format != format || !slices.Equal(p.Schema.Enum, x.Values) ||
				x.Kind == api.FieldText && p.Schema.MaxLength != api.MaxFilterText {
				t.Errorf("%s is narrowed by %+v, described as %+v", path, x, p)
			}
		}
		wrong := url.Values{"no_such_field": {"1"}}
		for _, x := range fields {
			wrong.Set(x.Name, strings.Repeat("x", api.MaxFilterText+1))
		}
		p := wantProblem(t, send(t, s, get(s, admin, path+"?"+wrong.Encode())), http.StatusUnprocessableEntity, "request_invalid")
		var at []string
		for _, e := range p.Errors {
			at = append(at, strings.TrimPrefix(e.Location, "query."))
			if e.Detail == "" {
				t.Errorf("%s: no sentence at %s", path, e.Location)
			}
		}
		if want := slices.Sorted(maps.Keys(wrong)); !slices.Equal(at, want) {
			t.Errorf("%s: refused at %v, want %v", path, at, want)
		}
	}
}

// A list is narrowed as the console's is.
func TestNarrowedLists(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	s.Publish(t, "win11-ent", "1.0.0")
	v := s.Publish(t, "kiosk", "2.0.0")
	first, second := apitest.Stick("a.img"), apitest.Stick("b.img")
	host, _ := s.Connect(t, "bench", first, second)
	for i, d := range []protocol.Device{first, second} {
		order := apitest.Order([]string{"win11-ent", "kiosk"}[i], "bench", d)
		order.Holder, order.ExternalRef = []string{"Ann", "Bob"}[i], api.Ticket([]string{"INC-1", "INC-2"}[i])
		if _, err := s.QueueJob(t.Context(), s.Helpdesk, order); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]int{
		"/jobs": 2, "/jobs?state=active": 2, "/jobs?state=failed": 0, "/jobs?kind=press&host=bench": 2, "/jobs?host=" + host.ID + "&image=kiosk": 1,
		"/jobs?version=" + v.ID: 1, "/jobs?holder=ann": 1, "/jobs?reference=INC-2": 1, "/jobs?q=bo": 1, "/jobs?from=2026-01-01&site=Default": 2,
		"/sticks": 2, "/sticks?life=stock&host=bench": 2, "/sticks?serial=" + first.Serial: 1,
		"/hosts?os=linux&state=online": 1, "/hosts?state=revoked": 0, "/images?q=kio": 1, "/versions?image=kiosk&state=published": 1,
		"/users?role=viewer": 1, "/tokens?role=admin&state=active": 1, "/audit?action=queue_job&object_kind=job": 2,
		"/audit?until=2000-01-01T00:00:00Z": 0, "/task-sequences?state=retired": 0,
	} {
		l := decode[api.List[json.RawMessage]](t, send(t, s, get(s, admin, path)), http.StatusOK)
		if len(l.Items) != want {
			t.Errorf("%s lists %d, want %d", path, len(l.Items), want)
		}
	}
	wantProblem(t, send(t, s, get(s, viewer, "/jobs?host=nope")), http.StatusNotFound, "host_not_found")
	p := wantProblem(t, send(t, s, get(s, admin, "/audit?actor=nobody")), http.StatusUnprocessableEntity, "actor_unknown")
	if p.Field != "actor" {
		t.Errorf("the fault is at %q", p.Field)
	}
}
