package rest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/api/rest"
	"github.com/stickpress/stickpress/api/rest/resttest"
	"github.com/stickpress/stickpress/api/rest/wire"
	"github.com/stickpress/stickpress/api/webhook/connector"
)

func (w *world) tickets() {
	s := w.s
	begin := wire.CreateConnector{Name: "desk", System: connector.Generic}
	a := w.ok(201, post(s, admin, "/connectors", begin))
	k := decode[api.NewConnector](w.t, a, 201)
	if k.Secret == "" || a.header.Get("Location") != rest.Prefix+"/connectors/"+k.ID {
		w.t.Errorf("made is %+v at %s", k, a.header.Get("Location"))
	}
	w.no(409, "name_taken", post(s, admin, "/connectors", begin))
	w.ok(200, get(s, admin, "/connectors"))
	w.no(403, "forbidden", get(s, helpdesk, "/connectors"))
	w.ok(200, get(s, admin, "/connectors/desk"))
	w.no(404, "connector_not_found", get(s, admin, "/connectors/nope"))
	w.ok(200, get(s, admin, "/connectors/desk/history"))
	w.no(404, "connector_not_found", get(s, admin, "/connectors/nope/history"))
	w.ok(200, put(s, admin, "/connectors/desk", wire.SaveConnector{Name: "desk", Title: "Service desk", Method: connector.MethodHeader}))
	w.no(422, "connector_method_refused", put(s, admin, "/connectors/desk", wire.SaveConnector{Name: "desk", Method: connector.MethodGLPI}))
	k = decode[api.NewConnector](w.t, w.ok(200, post(s, admin, "/connectors/desk/secrets", nil)), 200)
	w.no(422, "secret_invalid", post(s, admin, "/connectors/desk/secrets", wire.ConnectorSecret{Secret: "short"}))

	hook := func(secret string, body any) ask {
		return ask{method: http.MethodPost, path: "/hooks/desk", body: body, header: map[string]string{connector.DefaultHeader: secret}}
	}
	q := decode[api.HookResult](w.t, w.ok(202, hook(k.Secret, `{"ticket":"T-1","holder":"Ada"}`)), 202).Request
	a = w.ok(200, hook(k.Secret, `ticket=T-1&holder=Ada`))
	if r := decode[api.HookResult](w.t, a, 200); r.Outcome != api.HookKnown || r.Request.ID != q.ID || a.header.Get("Location") != rest.Prefix+"/stick-requests/"+q.ID {
		w.t.Errorf("again: %+v", r)
	}
	w.no(401, "hook_refused", hook("wrong", `{}`))
	w.no(422, "hook_ticket_missing", hook(k.Secret, `{}`))
	w.no(422, "hook_body_unreadable", hook(k.Secret, `{`))
	w.no(413, "hook_body_too_large", hook("wrong", strings.Repeat(" ", connector.MaxBody+1)))
	w.ok(200, get(s, admin, "/connectors/desk/payloads"))
	w.ok(200, get(s, helpdesk, "/stick-requests/"+q.ID+"/history"))
	w.no(404, "stick_request_not_found", get(s, helpdesk, "/stick-requests/nope/history"))
	w.no(404, "connector_not_found", get(s, admin, "/connectors/nope/payloads"))

	mapping := wire.ConnectorMapping{Mapping: connector.Mapping{connector.FieldTicket: {Path: "ticket"}, connector.FieldHolder: {Path: "holder"}}}
	w.ok(200, put(s, admin, "/connectors/desk/mapping", mapping))
	w.no(422, "mapping_invalid", put(s, admin, "/connectors/desk/mapping", wire.ConnectorMapping{Mapping: connector.Mapping{}}))
	w.ok(200, post(s, admin, "/connectors/desk/mapping-tests", wire.TestMapping{Document: `{"ticket":1}`}))
	w.no(422, "hook_body_unreadable", post(s, admin, "/connectors/desk/mapping-tests", wire.TestMapping{Document: `{`}))

	config := &api.WriteBackConfig{
		Template: connector.Generic.DefaultReply(), Events: []string{connector.EventDeclined}, Auth: api.WriteBackAuth{Kind: api.AuthBearer},
	}
	w.ok(200, put(s, admin, "/connectors/desk/write-back", wire.ConnectorWriteBack{Config: config, Secret: "theirs"}))
	w.no(422, "write_back_auth_missing", put(s, admin, "/connectors/desk/write-back", wire.ConnectorWriteBack{Config: &api.WriteBackConfig{
		Template: config.Template, Events: config.Events, Auth: api.WriteBackAuth{Kind: api.AuthBasic},
	}}))

	w.ok(200, get(s, helpdesk, "/stick-requests?state=open&connector=desk"))
	w.no(403, "forbidden", get(s, viewer, "/stick-requests"))
	w.ok(200, get(s, helpdesk, "/stick-requests/"+q.ID))
	w.no(404, "stick_request_not_found", get(s, helpdesk, "/stick-requests/nope"))
	w.ok(200, post(s, helpdesk, "/stick-requests/"+q.ID+"/refusals", wire.Why{Reason: "no contract"}))
	w.no(422, "reason_missing", post(s, helpdesk, "/stick-requests/"+q.ID+"/refusals", nil))
	told := decode[wire.Items[api.WriteBack]](w.t, w.ok(200, get(s, helpdesk, "/stick-requests/"+q.ID+"/write-backs")), 200)
	if len(told.Items) != 1 || told.Items[0].Event != connector.EventDeclined {
		w.t.Errorf("told are %+v", told)
	}
	w.no(404, "stick_request_not_found", get(s, helpdesk, "/stick-requests/nope/write-backs"))
	w.ok(200, get(s, admin, "/connectors/desk/write-backs"))
	w.no(422, "request_invalid", get(s, admin, "/connectors/desk/write-backs?limit=0"))
	again := w.ok(202, post(s, admin, "/connectors/desk/write-backs/"+told.Items[0].ID+"/redeliveries", nil))
	if at := again.header.Get("Location"); at != rest.Prefix+"/connectors/desk/write-backs" || again.header.Get("Retry-After") == "" {
		w.t.Errorf("it is told how it goes at %q", at)
	}
	w.no(404, "write_back_not_found", post(s, admin, "/connectors/desk/write-backs/nope/redeliveries", nil))
	w.ok(200, post(s, helpdesk, "/stick-requests/"+q.ID+"/reopenings", nil))
	w.no(409, "stick_request_over", post(s, helpdesk, "/stick-requests/"+q.ID+"/reopenings", nil))
	w.ok(200, post(s, admin, "/connectors/desk/retirements", wire.Why{Reason: "moved"}))
	w.no(404, "connector_not_found", post(s, admin, "/connectors/nope/retirements", nil))
	w.no(401, "hook_refused", hook(k.Secret, `{"ticket":"T-2"}`))
	w.ok(200, post(s, admin, "/connectors/desk/restorations", nil))
	w.no(404, "connector_not_found", post(s, admin, "/connectors/nope/restorations", nil))
}

// A ticket's request is answered by a program that chooses the stick.
func TestClientAnswersTicket(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	s.Publish(t, "win11-ent", "1.0.0")
	d := apitest.Stick("a.img")
	s.Connect(t, "bench", d)
	c, err := client.New(s.URL, s.Token(api.RoleAdmin), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	k, err := c.SaveConnector(t.Context(), api.SaveConnectorInput{Name: "desk", System: connector.Generic})
	if err != nil {
		t.Fatal(err)
	}
	h := map[string]string{connector.DefaultHeader: k.Secret}
	a := send(t, s, ask{method: http.MethodPost, path: "/hooks/desk", body: `{"ticket":"T-1","holder":"Ada"}`, header: h})
	q := decode[api.HookResult](t, a, 202).Request
	in := apitest.Order("win11-ent", "bench", d)
	in.ExternalRef, in.StickRequests = api.Ticket(q.Ticket), []string{q.ID}
	job, err := c.QueueJob(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	// A repeated delivery answers with the job that there is.
	a = send(t, s, ask{method: http.MethodPost, path: "/hooks/desk", body: `{"ticket":"T-1","holder":"Grace"}`, header: h})
	if r := decode[api.HookResult](t, a, 200); r.Outcome != api.HookKnown || r.Request.JobID != job.ID || r.Request.State != "queued" {
		t.Errorf("again: %+v", r.Request)
	}
	list, err := c.ListStickRequests(t.Context(), api.StickRequestFilter{State: "queued"}, api.Page{})
	if err != nil || len(list.Items) != 1 || list.Items[0].JobID != job.ID {
		t.Errorf("queued are %+v, %v", list, err)
	}
	in.Kind = protocol.JobVerify
	if _, err := c.QueueJob(t.Context(), in); err == nil {
		t.Error("a verification answers a request")
	}
}
