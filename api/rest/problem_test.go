package rest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/rest/resttest"
	"github.com/stickpress/stickpress/api/rest/wire"
	"github.com/stickpress/stickpress/store"
)

// What the door itself refuses, before any use case.
func TestProblems(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	big := `{"name":"x","source":"` + strings.Repeat("x", 4<<20) + `"}`
	for _, tt := range []struct {
		name   string
		ask    ask
		status int
		code   string
	}{
		{"no token", ask{method: "GET", path: "/jobs"}, 401, "token_missing"},
		{"another scheme", ask{method: "GET", path: "/jobs", header: map[string]string{"Authorization": "Digest YTpi"}}, 401, "token_missing"},
		{"a password that is no token", ask{method: "GET", path: "/jobs", header: map[string]string{"Authorization": "Basic YTpi"}}, 401, "token_invalid"},
		{"a key that is no token", ask{method: "GET", path: "/jobs", header: map[string]string{wire.HeaderAPIKey: "b"}}, 401, "token_invalid"},
		{"unknown token", ask{method: "GET", path: "/jobs", token: "stp_nobody"}, 401, "token_invalid"},
		{"no token for an upload", ask{method: "POST", path: "/uploads/"}, 401, "token_missing"},
		{"unknown path", get(s, api.RoleViewer, "/nothing"), 404, "path_not_found"},
		{"path of the root", ask{method: "GET", path: "/"}, 404, "path_not_found"},
		{"method", ask{method: "PATCH", path: "/jobs"}, 405, "method_not_allowed"},
		{"role", post(s, api.RoleViewer, "/images", wire.CreateImage{Name: "a"}), 403, "forbidden"},
		{"not there", get(s, api.RoleViewer, "/jobs/job_nope"), 404, "job_not_found"},
		{"no JSON", post(s, api.RoleAdmin, "/images", "{"), 400, "request_malformed"},
		{"another media type", ask{
			method: "POST", path: "/images", token: s.Token(api.RoleAdmin), body: "a=b",
			header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		}, 415, "media_type_unsupported"},
		{"no body", post(s, api.RoleAdmin, "/images", nil), 400, "request_malformed"},
		{"field missing", post(s, api.RoleAdmin, "/images", "{}"), 422, "request_invalid"},
		{"field unknown", post(s, api.RoleAdmin, "/images", `{"name":"a","colour":"red"}`), 422, "request_invalid"},
		{"parameter unknown", get(s, api.RoleViewer, "/jobs?stat=failed"), 422, "request_invalid"},
		{"parameter out of range", get(s, api.RoleViewer, "/jobs?limit=201"), 422, "request_invalid"},
		{"cursor", get(s, api.RoleViewer, "/jobs?cursor=7"), 422, "cursor_invalid"},
		{"text with U+0000", get(s, api.RoleViewer, "/images/%00"), 422, "text_invalid"},
		{"text that is no UTF-8", get(s, api.RoleViewer, "/jobs?reference=%ff"), 422, "request_invalid"},
		{"U+0000 in a body", post(s, api.RoleAdmin, "/users", `{"login":"a","role":"viewer","name":"\u0000"}`), 422, "name_invalid"},
		{"cursor of a history", get(s, api.RoleViewer, "/jobs/x/history?cursor=-1"), 422, "cursor_invalid"},
		{"no If-Match", ask{method: "PUT", path: "/capture-exclusions", token: s.Token(api.RoleAdmin), body: `{"list":""}`}, 428, "match_missing"},
		{"ETag", ask{
			method: "POST", path: "/hosts/host_x/revocations", token: s.Token(api.RoleAdmin), header: map[string]string{"If-Match": `"x"`},
		}, 422, "request_invalid"},
		{"body too large", post(s, api.RoleAdmin, "/templates", big), 413, "request_too_large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantProblem(t, send(t, s, tt.ask), tt.status, tt.code)
		})
	}
}

func TestProblemHeaders(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	a := send(t, s, ask{method: "PATCH", path: "/jobs"})
	if allow := a.header.Get("Allow"); allow != "GET, HEAD, POST" {
		t.Errorf("Allow is %q", allow)
	}
	a = send(t, s, ask{method: "GET", path: "/jobs", token: "stp_nobody"})
	if h := a.header.Get("WWW-Authenticate"); !strings.Contains(h, "invalid_token") {
		t.Errorf("WWW-Authenticate is %q", h)
	}
	for _, token := range []string{"", "stp_nobody"} {
		asked := strings.Join(send(t, s, ask{method: "GET", path: "/jobs", token: token}).header.Values("WWW-Authenticate"), ", ")
		if !strings.Contains(asked, "Bearer realm=") || !strings.Contains(asked, "Basic realm=") {
			t.Errorf("token %q: asked for %q, want Bearer and Basic", token, asked)
		}
	}
	a = send(t, s, ask{method: "GET", path: "/jobs", header: map[string]string{wire.HeaderRequestID: "proxy-1"}})
	if p := wantProblem(t, a, 401, "token_missing"); p.RequestID != "proxy-1" {
		t.Errorf("request ID is %q, want the proxy's", p.RequestID)
	}
	a = send(t, s, ask{method: "GET", path: "/jobs", header: map[string]string{wire.HeaderRequestID: "<script>"}})
	if p := wantProblem(t, a, 401, "token_missing"); !strings.HasPrefix(p.RequestID, "req_") {
		t.Errorf("request ID is %q, want one of our own", p.RequestID)
	}
}

// The sentence follows Accept-Language, the code does not.
func TestProblemLanguage(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	q := post(s, api.RoleViewer, "/images", wire.CreateImage{Name: "a"})
	en := wantProblem(t, send(t, s, q), http.StatusForbidden, "forbidden")
	q.header = map[string]string{"Accept-Language": "zh-CN, en;q=0.5"}
	zh := wantProblem(t, send(t, s, q), http.StatusForbidden, "forbidden")
	if en.Detail == zh.Detail {
		t.Errorf("the sentence is %q in both languages", en.Detail)
	}
	if en.Detail == "forbidden" || strings.Contains(en.Detail, "map[") {
		t.Errorf("the sentence is %q: the catalogue has none", en.Detail)
	}
}

// A refused field is named; its value is not sent back.
func TestProblemFields(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	a := send(t, s, post(s, api.RoleAdmin, "/users", `{"login":7,"role":"admin","password":"hunter2 hunter2","x":1}`))
	p := wantProblem(t, a, http.StatusUnprocessableEntity, "request_invalid")
	var locations []string
	for _, e := range p.Errors {
		locations = append(locations, e.Location)
	}
	if got := strings.Join(locations, " "); !strings.Contains(got, "body.login") || !strings.Contains(got, "body.x") {
		t.Errorf("locations are %q", got)
	}
	if strings.Contains(string(a.body), "hunter2") {
		t.Errorf("the password came back: %s", a.body)
	}
	a = send(t, s, post(s, api.RoleAdmin, "/users", wire.CreateUser{Login: "ann", Role: "king"}))
	if p := wantProblem(t, a, http.StatusUnprocessableEntity, "role_unknown"); p.Params["role"] != "king" {
		t.Errorf("problem is %+v", p)
	}
}

// What is wrong with one input is said at that input, whatever part of the
// request has it, and under the name that it has there.
func TestProblemLocations(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	admin := s.Token(api.RoleAdmin)
	s.Publish(t, "win11-ent", "1.0.0")
	stick := apitest.Stick("a.img")
	host, _ := s.Connect(t, "bench", stick)
	order := wire.QueueJobOf(apitest.Order("win11-ent", "bench", stick))
	decode[api.Job](t, send(t, s, post(s, api.RoleHelpdesk, "/jobs", order)), http.StatusAccepted)
	capture := order
	capture.Kind = "capture"
	none, any := map[string]string{"If-None-Match": "*"}, map[string]string{"If-Match": "*"}
	long, nowhere := strings.Repeat("x", 400), []string{store.SiteID{1}.String()}
	person := decode[api.User](t, send(t, s, post(s, api.RoleAdmin, "/users", wire.CreateUser{Login: "ada", Role: "viewer"})), http.StatusCreated)
	hook := decode[api.Webhook](t, send(t, s, post(s, api.RoleAdmin, "/webhooks", wire.CreateWebhook{URL: "https://example.org/"})), http.StatusCreated)
	decode[api.Connector](t, send(t, s, post(s, api.RoleAdmin, "/connectors", wire.CreateConnector{Name: "tickets", System: "servicenow"})), http.StatusCreated)
	for _, tt := range []struct {
		name      string
		ask       ask
		code      string
		locations string
	}{
		{"body", post(s, api.RoleAdmin, "/users", wire.CreateUser{Login: "ann", Role: "king"}), "role_unknown", "body.role"},
		{"within the body", post(s, api.RoleAdmin, "/task-sequences", wire.SaveTaskSequence{Name: "a", Spec: api.TaskSequenceSpec{Layout: "no"}}), "layout_unknown", "body.spec.layout body.spec.edition body.spec.boot_signature"},
		{"one of a list", post(s, api.RoleHelpdesk, "/jobs", order), "stick_busy", "body.devices[0]"},
		{"options", post(s, api.RoleAdmin, "/jobs", capture), "name_invalid", "body.options.capture.image body.options.capture.version body.devices[0]"},
		{
			"a person", post(s, api.RoleAdmin, "/users", wire.CreateUser{Login: "a b", Name: long, Role: "king", Sites: nowhere, Locale: "tlh", Password: "short"}),
			"login_invalid", "body.login body.name body.password body.locale body.role body.sites",
		},
		{
			"a person that is there",
			ask{method: "PUT", path: "/users/" + person.ID, token: admin, header: any, body: wire.UpdateUser{Name: long, Role: "king", Sites: nowhere}},
			"name_invalid", "body.name body.role body.sites",
		},
		{
			"a token", post(s, api.RoleAdmin, "/tokens", wire.CreateToken{Name: long, Role: "king", Sites: nowhere, Login: "nobody"}),
			"name_invalid", "body.name body.role body.login body.sites",
		},
		{
			"a webhook", post(s, api.RoleAdmin, "/webhooks", wire.CreateWebhook{URL: "ftp://x", Description: long, Types: []string{"moon.rise"}, Sites: nowhere}),
			"url_invalid", "body.url body.description body.types body.sites",
		},
		{
			"a webhook that is there",
			ask{method: "PATCH", path: "/webhooks/" + hook.ID, token: admin, header: any, body: wire.ChangeWebhook{URL: new(string), Sites: &nowhere}},
			"url_invalid", "body.url body.sites",
		},
		{
			"a connector", post(s, api.RoleAdmin, "/connectors", wire.CreateConnector{Name: "a b", Title: long, System: "generic", Method: "header", Header: "a b", User: long, Secret: "short"}),
			"name_invalid", "body.name body.title body.header body.user body.secret",
		},
		{
			"a connector that is there",
			ask{method: "PUT", path: "/connectors/tickets", token: admin, header: any, body: wire.SaveConnector{Name: "a b", Title: long, Method: "glpi"}},
			"connector_method_refused", "body.method body.name body.title",
		},
		{"setting", ask{method: "PUT", path: "/settings/public-url", token: admin, header: none, body: wire.SaveSetting{Value: "nowhere"}}, "setting_invalid", "body.value"},
		{"query", get(s, api.RoleViewer, "/history?cursor=x"), "id_invalid", "query.cursor"},
		{"query of a stream", get(s, api.RoleViewer, "/events?after=x"), "id_invalid", "query.after"},
		{
			"header of a stream",
			ask{method: "GET", path: "/events", token: admin, header: map[string]string{"Last-Event-ID": "x"}},
			"id_invalid", "header.Last-Event-ID",
		},
		{
			"header",
			ask{method: "POST", path: "/jobs", token: admin, body: order, header: map[string]string{wire.HeaderIdempotencyKey: strings.Repeat("x", 201)}},
			"idempotency_key_invalid", "header.Idempotency-Key",
		},
		{"path", ask{
			method: "PUT", path: "/images/win11-ent/channels/Ä", token: admin, header: none, body: wire.SetChannel{Version: "1.0.0"},
		}, "name_invalid", "path.channel"},
		{"none", get(s, api.RoleViewer, "/jobs/job_nope"), "job_not_found", ""},
		{"first number", post(s, api.RoleAdmin, "/hosts/"+host.ID+"/calibrations", wire.Calibrate{First: 1000}), "port_invalid", "body.first"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := send(t, s, tt.ask)
			p := wantProblem(t, a, a.status, tt.code)
			var locations []string
			for i, e := range p.Errors {
				locations = append(locations, e.Location)
				if e.Code == "" || e.Detail == "" || i == 0 && (e.Code != tt.code || e.Detail != p.Detail || !strings.HasSuffix(e.Location, "."+p.Field)) {
					t.Errorf("%+v is not what the refusal says: %+v", e, p)
				}
			}
			if got := strings.Join(locations, " "); got != tt.locations {
				t.Errorf("it is at %q, want %q", got, tt.locations)
			}
		})
	}
}
