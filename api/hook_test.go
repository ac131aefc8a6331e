package api_test

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what Zammad signs with
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/connector"
	"github.com/stickpress/stickpress/store"
)

// sign signs a body as a system does; key makes one delivery differ from
// another of the same body.
func sign(t *testing.T, c api.NewConnector, body []byte, key string, at time.Time) http.Header {
	t.Helper()
	h := http.Header{"Content-Type": {"application/json"}}
	switch c.Method {
	case connector.MethodBasic:
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.User+":"+c.Secret)))
	case connector.MethodHeader:
		h.Set(c.Header, c.Secret)
	case connector.MethodHubSHA256:
		mac := hmac.New(sha256.New, []byte(c.Secret))
		mac.Write(body)
		h.Set("X-Hub-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		h.Set("X-Atlassian-Webhook-Identifier", key)
	case connector.MethodHubSHA1:
		mac := hmac.New(sha1.New, []byte(c.Secret))
		mac.Write(body)
		h.Set("X-Hub-Signature", "sha1="+hex.EncodeToString(mac.Sum(nil)))
		h.Set("X-Zammad-Delivery", key)
	case connector.MethodGLPI:
		mac := hmac.New(sha256.New, []byte(c.Secret))
		mac.Write(body)
		mac.Write([]byte(strconv.FormatInt(at.Unix(), 10)))
		h.Set("X-GLPI-timestamp", strconv.FormatInt(at.Unix(), 10))
		h.Set("X-GLPI-signature", hex.EncodeToString(mac.Sum(nil)))
	}
	return h
}

var nobody = api.Anonymous("en", "req_1", "192.0.2.7")

// Every system's delivery becomes a request once; what is not signed, or not
// as it should be, is told nothing.
func TestHooks(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	must[api.Site](t)(f.SaveSite(t.Context(), f.Admin, api.SaveSiteInput{Name: "Berlin"}))
	for _, system := range connector.Systems[:5] {
		for _, method := range system.Methods() {
			c := must[api.NewConnector](t)(f.SaveConnector(t.Context(), f.Admin, api.SaveConnectorInput{
				Name: string(system) + "-" + strings.ReplaceAll(string(method), "_", "-"), System: system, Method: method, User: "tickets",
			}))
			body, err := os.ReadFile(filepath.Join("webhook", "connector", "testdata", string(system)+".json"))
			if err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			deliver := func(h http.Header, body []byte) (api.HookResult, error) {
				return f.ReceiveHook(t.Context(), nobody, api.HookDelivery{Connector: c.Name, Header: h, Body: body})
			}
			good := sign(t, c, body, "one", now)
			r := must[api.HookResult](t)(deliver(good, body))
			if r.Outcome != api.HookRequested || r.Request.State != "open" || r.Request.Ticket == "" || r.Request.Note != "Windows stick for a new starter" {
				t.Errorf("%s: %+v", c.Name, r)
			}
			// The same again is one request, whether the system marks it or not.
			again := must[api.HookResult](t)(deliver(good, body))
			want := api.HookKnown
			if system.DeliveryKey(good) != nil {
				want = api.HookRepeated
			}
			if again.Outcome != want || again.Request.ID != r.Request.ID {
				t.Errorf("%s again: %+v", c.Name, again)
			}
			wrong := c
			wrong.Secret += "x"
			for name, bad := range map[string]struct {
				h    http.Header
				body []byte
			}{
				"another secret": {sign(t, wrong, body, "two", now), body},
				"no proof":       {http.Header{}, body},
				"too old":        {sign(t, c, body, "three", now.Add(-25*time.Hour)), body},
				"another body":   {good, append([]byte(" "), body...)},
			} {
				_, err := deliver(bad.h, bad.body)
				if name == "too old" && method != connector.MethodGLPI || name == "another body" && !method.Signed() {
					continue // it has no time, or signs no body
				}
				wantFault(t, err, api.CodeHookRefused)
				why := map[string]string{"no proof": "missing", "too old": "too_old"}[name]
				if r := must[api.Connector](t)(f.GetConnector(t.Context(), f.Admin, c.ID)).Refused; r == nil || r.Why != cmp.Or(why, "wrong") {
					t.Errorf("%s, %s: refused are %+v", c.Name, name, r)
				}
				// Of a connector that is not there nothing else is said.
				_, missing := f.ReceiveHook(t.Context(), nobody, api.HookDelivery{Connector: "nobody", Header: bad.h, Body: bad.body})
				if wantFault(t, missing, api.CodeHookRefused); missing != nil && err != nil && missing.Error()[:12] != err.Error()[:12] {
					t.Errorf("%s: %v, of nobody %v", name, err, missing)
				}
			}
			payloads := must[[]api.Payload](t)(f.ListConnectorPayloads(t.Context(), f.Admin, c.ID))
			if len(payloads) == 0 || payloads[len(payloads)-1].Outcome != api.HookRequested {
				t.Errorf("%s keeps %+v", c.Name, payloads)
			}
			for _, p := range payloads {
				if raw, err := json.Marshal(p); err != nil || strings.Contains(string(raw), c.Secret) || strings.Contains(string(raw), good.Get("Authorization")+"x"[1:]) && good.Get("Authorization") != "" {
					t.Errorf("%s shows its secret: %s", c.Name, raw)
				}
			}
		}
	}
	list := must[api.List[api.StickRequest]](t)(f.ListStickRequests(t.Context(), f.Helpdesk, api.StickRequestFilter{State: "open", Site: "Berlin"}, api.Page{}))
	for _, q := range list.Items {
		if q.Site != "Berlin" {
			t.Errorf("%s is of Berlin", q.Ticket)
		}
	}
	if len(list.Items) != 3 {
		t.Errorf("%d requests of Berlin", len(list.Items))
	}
}

// A password may be a token of the console: its role and its sites decide.
func TestHookToken(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	lab := must[api.Site](t)(f.SaveSite(t.Context(), f.Admin, api.SaveSiteInput{Name: "Lab"}))
	must[api.NewConnector](t)(f.SaveConnector(t.Context(), f.Admin, api.SaveConnectorInput{Name: "snow", System: connector.ServiceNow}))
	token := func(role api.Role, sites ...string) string {
		return must[api.NewToken](t)(f.CreateToken(t.Context(), f.Admin, api.CreateTokenInput{Name: "snow", Role: role, Sites: sites})).Secret
	}
	deliver := func(secret, ticket, site string) (api.HookResult, error) {
		h := http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("anybody:"+secret))}}
		return f.ReceiveHook(t.Context(), nobody, api.HookDelivery{
			Connector: "snow", Header: h, Body: []byte(`{"number":"` + ticket + `","location":"` + site + `"}`),
		})
	}
	must[api.HookResult](t)(deliver(token(api.RoleHelpdesk), "A", ""))
	_, err := deliver(token(api.RoleViewer), "B", "")
	wantFault(t, err, api.CodeHookRefused)
	must[api.HookResult](t)(deliver(token(api.RoleHelpdesk, lab.ID), "C", "Lab"))
	_, err = deliver(token(api.RoleHelpdesk, lab.ID), "D", "")
	wantFault(t, err, "site_not_found")
	for scope, want := range map[api.TokenScope]fault.Code{api.TokenRequests: "", api.TokenRead: api.CodeHookRefused, api.TokenJobs: api.CodeHookRefused} {
		made := must[api.NewToken](t)(f.CreateToken(t.Context(), f.Admin, api.CreateTokenInput{Name: "snow", Role: api.RoleHelpdesk, Scopes: []api.TokenScope{scope}}))
		_, err := deliver(made.Secret, "for "+string(scope), "")
		if got := fault.From(err); (got == nil) != (want == "") || got != nil && got.Code != want {
			t.Errorf("a token for %s: %v, want %q", scope, err, want)
		}
	}
	list := must[api.List[api.StickRequest]](t)(f.ListStickRequests(t.Context(), f.Helpdesk, api.StickRequestFilter{}, api.Page{}))
	if len(list.Items) != 3 {
		t.Errorf("%d requests", len(list.Items))
	}
}

// A ticket's request follows the ticket as long as nobody has decided about it.
func TestRequestFollowsTicket(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	c := must[api.NewConnector](t)(f.SaveConnector(t.Context(), f.Admin, api.SaveConnectorInput{Name: "desk", System: connector.Generic, Secret: "a secret of theirs"}))
	if c.Secret != "a secret of theirs" {
		t.Errorf("the secret is %s", c.Secret)
	}
	deliver := func(body string) api.HookResult {
		return must[api.HookResult](t)(f.ReceiveHook(t.Context(), nobody, api.HookDelivery{
			Connector: "DESK", Header: http.Header{connector.DefaultHeader: {"a secret of theirs"}}, Body: []byte(body),
		}))
	}
	for _, step := range []struct{ body, outcome, holder string }{
		{`{"ticket":"T-1","cancelled":true}`, api.HookIgnored, ""},
		{`{"ticket":"T-1","holder":"Ada","image":"nobody","sticks":3}`, api.HookRequested, "Ada"},
		{`{"ticket":"T-1","holder":"Ada","image":"nobody","sticks":3}`, api.HookKnown, "Ada"},
		{`ticket=T-1&holder=Grace`, api.HookChanged, "Grace"},
		{`{"ticket":"T-1","holder":"Grace","cancelled":"yes"}`, api.HookWithdrawn, "Grace"},
		{`{"ticket":"T-1","holder":"Grace","cancelled":"yes"}`, api.HookKnown, "Grace"},
		{`{"ticket":"T-1","holder":"Alan"}`, api.HookReopened, "Alan"},
	} {
		r := deliver(step.body)
		if r.Outcome != step.outcome || r.Request != nil && r.Request.Holder != step.holder {
			t.Errorf("%s: %+v", step.body, r)
		}
	}
	q := deliver(`{"ticket":"T-1","holder":"Alan"}`).Request
	_, err := f.DeclineStickRequest(t.Context(), f.Helpdesk, api.MoveRequestInput{ID: q.ID, Reason: " "})
	wantFault(t, err, api.CodeReasonMissing)
	_, err = f.DeclineStickRequest(t.Context(), f.Viewer, api.MoveRequestInput{ID: q.ID, Reason: "no"})
	wantFault(t, err, api.CodeForbidden)
	_, err = f.DeclineStickRequest(t.Context(), f.Helpdesk, api.MoveRequestInput{ID: q.ID, Reason: "no", Revision: 1})
	wantFault(t, err, store.CodeStale)
	declined := must[api.StickRequest](t)(f.DeclineStickRequest(t.Context(), f.Helpdesk, api.MoveRequestInput{ID: q.ID, Reason: "no contract", Revision: q.Revision}))
	if declined.State != "declined" || declined.Reason != "no contract" || declined.DecidedBy != "helpdesk" {
		t.Errorf("declined: %+v", declined)
	}
	if r := deliver(`{"ticket":"T-1","holder":"Alan","note":"please"}`); r.Outcome != api.HookKnown || r.Request.State != "declined" {
		t.Errorf("what was declined is %+v", r)
	}
	if r := must[api.StickRequest](t)(f.ReopenStickRequest(t.Context(), f.Helpdesk, api.MoveRequestInput{ID: q.ID})); r.State != "open" || r.Reason != "" {
		t.Errorf("opened again: %+v", r)
	}
	_, err = f.ReopenStickRequest(t.Context(), f.Helpdesk, api.MoveRequestInput{ID: q.ID})
	wantFault(t, err, api.CodeRequestOver)
	history := must[api.List[api.HistoryEntry]](t)(f.ListHistory(t.Context(), f.Helpdesk, "stick_request", q.ID, api.Page{})).Items
	if len(history) != 6 {
		t.Errorf("the history has %d entries: %+v", len(history), history)
	}

	// A retired connector takes nothing, and does not say that it is one.
	must[api.Connector](t)(f.RetireConnector(t.Context(), f.Admin, api.RetireInput{ID: c.ID}))
	_, err = f.ReceiveHook(t.Context(), nobody, api.HookDelivery{Connector: "desk", Header: http.Header{connector.DefaultHeader: {"a secret of theirs"}}})
	wantFault(t, err, api.CodeHookRefused)
}

// What proves nothing is counted, and slows nobody else down.
func TestHookLimit(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	c := must[api.NewConnector](t)(f.SaveConnector(t.Context(), f.Admin, api.SaveConnectorInput{Name: "desk", System: connector.Generic}))
	d := api.HookDelivery{Connector: "desk", Header: http.Header{connector.DefaultHeader: {"wrong"}}, Body: []byte(`{}`)}
	for range 30 {
		_, err := f.ReceiveHook(t.Context(), nobody, d)
		wantFault(t, err, api.CodeHookRefused)
	}
	_, err := f.ReceiveHook(t.Context(), nobody, d)
	wantFault(t, err, api.CodeTooManyAttempts)
	// An admin sees the last one, and how many there were: nothing that was sent.
	refused := func() *api.HookRefusal {
		t.Helper()
		return must[api.Connector](t)(f.GetConnector(t.Context(), f.Admin, c.ID)).Refused
	}
	if r := refused(); r == nil || r.Count != 30 || r.Why != "wrong" || r.Address != "192.0.2.7" || time.Since(r.At) > time.Hour {
		t.Errorf("refused are %+v", r)
	}
	if kept := must[[]api.Payload](t)(f.ListConnectorPayloads(t.Context(), f.Admin, c.ID)); len(kept) != 0 {
		t.Errorf("kept are %+v", kept)
	}
	d.Header = http.Header{connector.DefaultHeader: {c.Secret}}
	_, err = f.ReceiveHook(t.Context(), api.Anonymous("en", "req_2", "192.0.2.8"), d)
	wantFault(t, err, api.CodeHookTicket)
	if r := refused(); r == nil || r.Count != 0 { // one was believed
		t.Errorf("refused are %+v", r)
	}
	payloads := must[[]api.Payload](t)(f.ListConnectorPayloads(t.Context(), f.Admin, c.ID))
	if len(payloads) != 1 || payloads[0].Outcome != "refused" || payloads[0].Fault.Code != string(api.CodeHookTicket) {
		t.Errorf("kept are %+v", payloads)
	}
	// The last twenty are kept, whatever they are.
	for i := range 25 {
		_, err := f.ReceiveHook(t.Context(), api.Anonymous("en", "req_"+strconv.Itoa(i), "192.0.2.8"), api.HookDelivery{
			Connector: "desk", Header: d.Header, Body: []byte("<xml/>"),
		})
		wantFault(t, err, connector.CodeBodyUnreadable)
	}
	must[api.NewConnector](t)(f.RenewConnectorSecret(t.Context(), f.Admin, c.ID, "", 0))
	if r := refused(); r != nil {
		t.Errorf("with a new secret refused are %+v", r)
	}
	payloads = must[[]api.Payload](t)(f.ListConnectorPayloads(t.Context(), f.Admin, c.ID))
	if len(payloads) != store.PayloadsKept || payloads[0].RequestID != "req_24" || payloads[0].Document != `"\u003cxml/\u003e"` {
		t.Errorf("%d are kept, the first %+v", len(payloads), payloads[0])
	}
}

// A mapping is tried on what came last, and makes nothing.
func TestMappingTester(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	c := must[api.NewConnector](t)(f.SaveConnector(t.Context(), f.Admin, api.SaveConnectorInput{Name: "desk", System: connector.Generic}))
	m := connector.Mapping{
		connector.FieldTicket: {Path: "id"}, connector.FieldImage: {Path: "os", Otherwise: "win11-ent"}, connector.FieldChannel: {Otherwise: "nobody"},
		connector.FieldHost: {Path: "host"}, connector.FieldSite: {Path: "site"},
	}
	_, err := f.SaveConnectorMapping(t.Context(), f.Helpdesk, c.ID, m, 0)
	wantFault(t, err, api.CodeForbidden)
	try := func(document string) api.MappingTest {
		return must[api.MappingTest](t)(f.TestConnectorMapping(t.Context(), f.Admin, c.ID, m, document))
	}
	r := try(`{"id":7,"os":"win12","host":"nobody","site":"nowhere"}`)
	codes := map[string]string{}
	for _, v := range r.Values {
		codes[v.Field] = v.Code
	}
	if r.Outcome != api.HookRequested || r.Request.Ticket != "7" || codes["image"] != "image_not_found" || codes["host"] != "host_not_found" || codes["site"] != "site_not_found" {
		t.Errorf("got %+v, %v", r.Request, codes)
	}
	if r := try(`{"os":"win11-ent"}`); r.Outcome != "refused" || r.Code != string(api.CodeHookTicket) {
		t.Errorf("without a ticket: %+v", r)
	}
	_, err = f.TestConnectorMapping(t.Context(), f.Admin, c.ID, m, `{`)
	if got := faultOf(t, err, connector.CodeBodyUnreadable); got.Field != "document" {
		t.Errorf("field %q", got.Field)
	}
	m[connector.FieldImage] = connector.Source{Otherwise: "win12"}
	_, err = f.SaveConnectorMapping(t.Context(), f.Admin, c.ID, m, 0)
	if got := faultOf(t, err, "image_not_found"); got.Field != "mapping.image" {
		t.Errorf("field %q", got.Field)
	}
	m[connector.FieldImage] = connector.Source{Otherwise: "win11-ent"}
	_, err = f.SaveConnectorMapping(t.Context(), f.Admin, c.ID, m, 0)
	if got := faultOf(t, err, "channel_not_found"); got.Field != "mapping.channel" {
		t.Errorf("field %q", got.Field)
	}
	m[connector.FieldChannel] = connector.Source{}
	saved := must[api.Connector](t)(f.SaveConnectorMapping(t.Context(), f.Admin, c.ID, m, c.Revision))
	if _, there := saved.Mapping[connector.FieldChannel]; there || saved.Revision != c.Revision+1 {
		t.Errorf("saved is %+v", saved)
	}
	_, err = f.SaveConnectorMapping(t.Context(), f.Admin, c.ID, m, c.Revision)
	wantFault(t, err, store.CodeStale)
	list := must[api.List[api.StickRequest]](t)(f.ListStickRequests(t.Context(), f.Helpdesk, api.StickRequestFilter{}, api.Page{}))
	if len(list.Items) != 0 {
		t.Error("trying made a request")
	}
}

func TestSaveConnector(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	good := api.SaveConnectorInput{Name: "jira", System: connector.Jira}
	for code, change := range map[string]func(*api.SaveConnectorInput){
		"name_invalid":             func(in *api.SaveConnectorInput) { in.Name = "a b" },
		"connector_system_unknown": func(in *api.SaveConnectorInput) { in.System = "x" },
		"connector_method_refused": func(in *api.SaveConnectorInput) { in.Method = connector.MethodGLPI },
		"connector_header_invalid": func(in *api.SaveConnectorInput) { in.Method, in.Header = connector.MethodHeader, "a b" },
		"secret_invalid":           func(in *api.SaveConnectorInput) { in.Secret = "short" },
		"text_too_long":            func(in *api.SaveConnectorInput) { in.Title = strings.Repeat("é", 201) },
	} {
		in := good
		change(&in)
		_, err := f.SaveConnector(t.Context(), f.Admin, in)
		wantFault(t, err, fault.Code(code))
	}
	c := must[api.NewConnector](t)(f.SaveConnector(t.Context(), f.Admin, good))
	if len(c.Secret) != 26 || c.Method != connector.MethodHubSHA256 || c.Title != "jira" {
		t.Errorf("made is %+v", c)
	}
	_, err := f.SaveConnector(t.Context(), f.Admin, good)
	wantFault(t, err, store.CodeNameTaken)
	changed := must[api.NewConnector](t)(f.SaveConnector(t.Context(), f.Admin, api.SaveConnectorInput{
		ID: c.ID, Name: "jira-2", Title: "Jira", Method: connector.MethodHeader, Header: "x-key", Revision: c.Revision,
	}))
	if changed.Secret != "" || changed.Header != "X-Key" || changed.Title != "Jira" {
		t.Errorf("changed is %+v", changed)
	}
	_, err = f.SaveConnector(t.Context(), f.Admin, api.SaveConnectorInput{ID: c.ID, Name: "jira", Method: connector.MethodHubSHA1})
	wantFault(t, err, api.CodeMethodRefused)
	renewed := must[api.NewConnector](t)(f.RenewConnectorSecret(t.Context(), f.Admin, "jira-2", "", changed.Revision))
	if renewed.Secret == c.Secret || !renewed.SecretAt.After(c.SecretAt) {
		t.Errorf("renewed is %+v", renewed)
	}
	for _, h := range must[api.List[api.HistoryEntry]](t)(f.ListHistory(t.Context(), f.Admin, "connector", c.ID, api.Page{})).Items {
		if raw, err := json.Marshal(h); err != nil || strings.Contains(string(raw), c.Secret) || strings.Contains(string(raw), renewed.Secret) {
			t.Errorf("history tells the secret: %s", raw)
		}
	}
}
