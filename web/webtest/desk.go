package webtest

import (
	"net/http"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/webhook/connector"
)

// desk is a ticket system that has sent three tickets: one of them is declined,
// and one names an image that is not there.
func (x *Scene) desk(t testing.TB) {
	t.Helper()
	k, err := x.SaveConnector(t.Context(), x.Admin, api.SaveConnectorInput{Name: "servicenow", Title: "Service desk", System: connector.ServiceNow, User: "stickpress"})
	if err != nil {
		t.Fatal(err)
	}
	x.Connector, err = x.SaveWriteBack(t.Context(), x.Admin, api.SaveWriteBackInput{ID: k.ID, Secret: "their password", Config: &api.WriteBackConfig{
		Template: connector.ServiceNow.DefaultReply(), Events: []string{connector.EventQueued, connector.EventVerified}, Auth: api.WriteBackAuth{Kind: api.AuthBasic, User: "stickpress"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		`{"number":"RITM0010040","sys_id":"a1","requested_for":"Mary Jackson","short_description":"Second stick","variables":{"image":"win11-ent"}}`,
		`{"number":"RITM0010041","sys_id":"a2","requested_for":"Katherine Johnson","variables":{"image":"win12-ent","sticks":"2"}}`,
		`{"number":"RITM0010042","sys_id":"a3","requested_for":"Ada Lovelace","short_description":"New starter on Monday","url":"https://example.service-now.com/RITM0010042","variables":{"image":"win11-ent","computer_name":"WTG-ADA"}}`,
	} {
		x.Request = x.Ask(t, k.Secret, body)
		if x.Request.Ticket == "RITM0010040" {
			if _, err := x.DeclineStickRequest(t.Context(), x.Helpdesk, api.MoveRequestInput{ID: x.Request.ID, Reason: "She has one already"}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Ask sends a ticket to the scene's connector.
func (x *Scene) Ask(t testing.TB, secret, body string) api.StickRequest {
	t.Helper()
	h := http.Header{}
	r := http.Request{Header: h}
	r.SetBasicAuth("stickpress", secret)
	got, err := x.ReceiveHook(t.Context(), api.Anonymous("en", "req_ticket", "192.0.2.44"), api.HookDelivery{Connector: "servicenow", Header: h, Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	return *got.Request
}
