package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/connector"
	"github.com/stickpress/stickpress/api/webhook/outbound"
	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/web/locale"
)

// told is what a ticket system was told.
type told struct {
	method, path, auth string
	body               struct {
		Event, Ticket, Link, By, Reason string
		Verified, Failed                int
		Sticks                          []connector.DataStick
	}
}

// desk is a ticket system: answer says what it answers.
func desk(t *testing.T, answer func(told) int) (*httptest.Server, chan told) {
	t.Helper()
	heard := make(chan told, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			if r.FormValue("grant_type") != "password" || r.FormValue("username") != "glpi" || r.FormValue("password") != "their password" || r.FormValue("client_secret") != "their secret" || r.FormValue("scope") != "api" {
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = io.WriteString(w, `{"error":"invalid_client"}`)
				return
			}
			_, _ = io.WriteString(w, `{"token_type":"Bearer","expires_in":3600,"access_token":"fetched"}`)
			return
		}
		x := told{method: r.Method, path: r.URL.EscapedPath(), auth: r.Header.Get("Authorization")}
		if err := json.NewDecoder(r.Body).Decode(&x.body); err != nil {
			t.Error(err)
		}
		w.WriteHeader(answer(x))
		_, _ = io.WriteString(w, "answered, with their password")
		heard <- x
	}))
	t.Cleanup(s.Close)
	return s, heard
}

// local lets the console reach a ticket system on this machine.
func local(t *testing.T, f *apitest.Fixture) {
	t.Helper()
	must[api.Setting](t)(f.SaveSetting(t.Context(), f.Admin, api.SaveSettingInput{Name: api.SettingOutbound, Value: "127.0.0.1"}))
}

func hear(t *testing.T, heard chan told) told {
	t.Helper()
	select {
	case x := <-heard:
		return x
	case <-time.After(time.Minute):
		t.Fatal("the ticket is told nothing")
		return told{}
	}
}

const deskBody = `{"event": "{{.event}}", "ticket": "{{.ticket}}", "by": "{{.by}}", "reason": "{{.reason}}", "link": "{{.link}}", "verified": {{.verified}}, "failed": {{.failed}}, "sticks": {{json .sticks}}}`

// asked makes a connector that tells everything, and requests of two tickets.
func asked(t *testing.T, f *apitest.Fixture, s *httptest.Server, auth api.WriteBackAuth, secret, client string) (api.NewConnector, []*api.StickRequest) {
	t.Helper()
	c := must[api.NewConnector](t)(f.SaveConnector(t.Context(), f.Admin, api.SaveConnectorInput{Name: "desk", System: connector.Generic}))
	must[api.Connector](t)(f.SaveWriteBack(t.Context(), f.Admin, api.SaveWriteBackInput{
		ID: c.ID, Secret: secret, ClientSecret: client, Config: &api.WriteBackConfig{
			Template: connector.Reply{Method: "PATCH", URL: s.URL + "/t/{{.key}}", ContentType: "application/json", Body: deskBody},
			Events:   connector.Events, Auth: auth,
		},
	}))
	var all []*api.StickRequest
	for _, body := range []string{
		`{"ticket":"T-1","ticket_key":"a/b","holder":"Ada","image":"win11-ent"}`, `{"ticket":"T-2","holder":"Grace","image":"win11-ent"}`,
	} {
		r := must[api.HookResult](t)(f.ReceiveHook(t.Context(), nobody, api.HookDelivery{
			Connector: "desk", Header: http.Header{connector.DefaultHeader: {c.Secret}}, Body: []byte(body),
		}))
		all = append(all, r.Request)
	}
	return c, all
}

// From the ticket to the stick and back: two requests are answered by one job.
func TestTicketIsTold(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	local(t, f)
	f.Publish(t, "win11-ent", "1.0.0")
	must[api.Setting](t)(f.SaveSetting(t.Context(), f.Admin, api.SaveSettingInput{Name: api.SettingPublicURL, Value: "https://press.example.org"}))
	d, e := apitest.Stick("a.img"), apitest.Stick("b.img")
	_, host := f.Connect(t, "bench", d, e)
	s, heard := desk(t, func(told) int { return http.StatusOK })
	_, requests := asked(t, f, s, api.WriteBackAuth{
		Kind: api.AuthPassword, User: "glpi", TokenURL: s.URL + "/token", ClientID: "stickpress", Scope: "api",
	}, "their password", "their secret")

	in := apitest.Order("win11-ent", "bench", d, e)
	in.StickRequests = []string{requests[0].ID, requests[1].ID}
	in.Devices[0].ExternalRef = api.Ticket("T-1")
	_, err := f.QueueJob(t.Context(), f.Helpdesk, in)
	wantFault(t, err, api.CodeRequestUnmatched)
	in.Devices[1].ExternalRef = api.Ticket("T-2")
	_, err = f.QueueJob(t.Context(), f.Helpdesk, api.QueueJobInput{Kind: protocol.JobVerify, Host: "bench", Devices: in.Devices, StickRequests: in.StickRequests})
	wantFault(t, err, store.CodeValueInvalid)
	job := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, in))
	for _, want := range []string{"T-1", "T-2"} {
		_ = want
		x := hear(t, heard)
		if x.body.Event != "queued" || x.body.By != "helpdesk" || x.body.Link != "https://press.example.org/jobs/"+job.ID || x.auth != "Bearer fetched" || x.method != "PATCH" || len(x.body.Sticks) != 1 {
			t.Errorf("told %+v", x)
		}
		if x.body.Ticket == "T-1" && x.path != "/t/a%2Fb" {
			t.Errorf("told at %s", x.path)
		}
	}
	in.IdempotencyKey = "k"
	_, err = f.QueueJob(t.Context(), f.Helpdesk, in)
	wantFault(t, err, store.CodeStickBusy)

	// The first is written, the second fails and is tried again.
	fails(t, f, host)
	events := map[string][]string{}
	for !slices.Contains(events["T-1"], "failed") || !slices.Contains(events["T-2"], "failed") {
		x := hear(t, heard)
		events[x.body.Ticket] = append(events[x.body.Ticket], x.body.Event)
		if x.body.Event == "failed" && (x.body.Failed != 1 || x.body.Sticks[0].Reason != string(protocol.FaultWrite)) {
			t.Errorf("told %+v", x)
		}
	}
	if q := must[api.StickRequest](t)(f.GetStickRequest(t.Context(), f.Helpdesk, requests[0].ID)); q.State != "failed" || q.JobID != job.ID || !q.MayQueue() {
		t.Errorf("the request is %+v", q)
	}
}

// What is refused is said, kept, and tried again by hand.
func TestWriteBackRefused(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	local(t, f)
	status := make(chan int, 10)
	s, heard := desk(t, func(told) int { return <-status })
	c, requests := asked(t, f, s, api.WriteBackAuth{Kind: api.AuthBasic, User: "a"}, "their password", "")
	changes := f.Store.Watch(t.Context(), store.TopicRequests)
	status <- http.StatusNotFound
	must[api.StickRequest](t)(f.DeclineStickRequest(t.Context(), f.Helpdesk, api.MoveRequestInput{ID: requests[0].ID, Reason: `no "stick"`}))
	if x := hear(t, heard); x.body.Event != "declined" || x.body.Reason != `no "stick"` || x.auth != "Basic YTp0aGVpciBwYXNzd29yZA==" {
		t.Errorf("told %+v", x)
	}
	until := func(state string) api.WriteBack {
		t.Helper()
		for range changes {
			list := must[api.List[api.WriteBack]](t)(f.ListWriteBacks(t.Context(), f.Admin, c.ID, api.Page{}))
			if len(list.Items) == 1 && list.Items[0].State == state {
				return list.Items[0]
			}
		}
		t.Fatal("it never is " + state)
		return api.WriteBack{}
	}
	w := until(store.WriteBackFailed)
	if len(w.Attempts) != 1 || w.Attempts[0].Status != http.StatusNotFound || w.Attempts[0].Fault.Code != "answer_refused" || w.Attempts[0].Answer != "answered, with "+connector.Masked {
		t.Errorf("kept is %+v", w)
	}
	status <- http.StatusOK
	must[api.WriteBack](t)(f.ResendWriteBack(t.Context(), f.Admin, c.ID, w.ID))
	hear(t, heard)
	if w := until(store.WriteBackSent); len(w.Attempts) != 2 || w.Attempts[1].Number != 2 || w.Attempts[1].Fault != nil {
		t.Errorf("kept is %+v", w)
	}
	_, err := f.ResendWriteBack(t.Context(), f.Helpdesk, c.ID, w.ID)
	wantFault(t, err, api.CodeForbidden)
	list := must[[]api.WriteBack](t)(f.RequestWriteBacks(t.Context(), f.Helpdesk, requests[0].ID))
	if len(list) != 1 || list[0].Ticket != "T-1" {
		t.Errorf("the request's are %+v", list)
	}
}

// What is to be told and has no work in the queue any more, as after a restore,
// is told all the same.
func TestForgottenWriteBack(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	local(t, f)
	status := make(chan int, 1)
	s, heard := desk(t, func(told) int { return <-status })
	c, requests := asked(t, f, s, api.WriteBackAuth{Kind: api.AuthNone}, "", "")
	changes := f.Store.Watch(t.Context(), store.TopicRequests)
	must[api.StickRequest](t)(f.DeclineStickRequest(t.Context(), f.Helpdesk, api.MoveRequestInput{ID: requests[0].ID, Reason: "no stick"}))
	status <- http.StatusInternalServerError
	hear(t, heard)
	tried := func(times int) bool {
		list := must[api.List[api.WriteBack]](t)(f.ListWriteBacks(t.Context(), f.Admin, c.ID, api.Page{}))
		return len(list.Items) == 1 && len(list.Items[0].Attempts) == times
	}
	for !tried(1) {
		<-changes
	}
	sql(t, f, `DELETE FROM river.river_job`)
	status <- http.StatusOK
	f.Replica(t)
	if x := hear(t, heard); x.body.Event != "declined" {
		t.Errorf("told %+v", x)
	}
	for !tried(2) {
		<-changes
	}
}

// A secret that is not typed again stays, but not for another receiver.
func TestWriteBackSecrets(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	c := must[api.NewConnector](t)(f.SaveConnector(t.Context(), f.Admin, api.SaveConnectorInput{Name: "desk", System: connector.Generic}))
	save := func(change func(*api.SaveWriteBackInput)) error {
		in := api.SaveWriteBackInput{ID: c.ID, Config: &api.WriteBackConfig{
			Template: connector.Reply{Method: "POST", URL: "https://desk.example/{{.key}}", ContentType: "application/json", Body: "{}"},
			Events:   []string{connector.EventVerified, connector.EventQueued}, Auth: api.WriteBackAuth{Kind: api.AuthBearer},
		}}
		change(&in)
		_, err := f.SaveWriteBack(t.Context(), f.Admin, in)
		return err
	}
	wantFault(t, save(func(*api.SaveWriteBackInput) {}), api.CodeAuthMissing)
	if err := save(func(in *api.SaveWriteBackInput) { in.Secret = "theirs" }); err != nil {
		t.Fatal(err)
	}
	if err := save(func(in *api.SaveWriteBackInput) { in.Config.Template.Body = `{"a":1}` }); err != nil {
		t.Errorf("the secret did not stay: %v", err)
	}
	wantFault(t, save(func(in *api.SaveWriteBackInput) { in.Config.Template.URL = "https://evil.example/{{.key}}" }), api.CodeAuthMissing)
	wantFault(t, save(func(in *api.SaveWriteBackInput) { in.Config.Auth.Kind = api.AuthBasic }), api.CodeAuthMissing)
	for code, change := range map[fault.Code]func(*api.SaveWriteBackInput){
		connector.CodeTemplateInvalid: func(in *api.SaveWriteBackInput) { in.Config.Template.Body = "{" },
		api.CodeEventUnknown:          func(in *api.SaveWriteBackInput) { in.Config.Events = []string{"x"} },
		api.CodeAuthInvalid: func(in *api.SaveWriteBackInput) {
			in.Config.Auth = api.WriteBackAuth{Kind: api.AuthHeader, Header: "Host"}
		},
		outbound.CodeNotAllowed: func(in *api.SaveWriteBackInput) { in.Config.Template.URL = "https://127.0.0.1/{{.key}}" },
		outbound.CodeURLInvalid: func(in *api.SaveWriteBackInput) {
			in.Config.Auth = api.WriteBackAuth{Kind: api.AuthClient, ClientID: "c", TokenURL: "x"}
		},
	} {
		wantFault(t, save(change), code)
	}
	none := faultOf(t, save(func(in *api.SaveWriteBackInput) { in.Config.Events = nil }), api.CodeEventUnknown)
	if said := locale.English.Fault(string(none.Code), none.Params); !strings.Contains(said, "queued, running, verified, failed, declined") {
		t.Errorf("what may be chosen is not said: %s", said)
	}
	got := must[api.Connector](t)(f.GetConnector(t.Context(), f.Admin, "desk"))
	if !slices.Equal(got.WriteBack.Events, []string{"queued", "verified"}) {
		t.Errorf("the events are %v", got.WriteBack.Events)
	}
	previews := must[[]api.WriteBackPreview](t)(f.TestWriteBack(t.Context(), f.Admin, got.WriteBack.Template))
	if len(previews) != 5 || previews[0].URL != "https://desk.example/4711" {
		t.Errorf("the previews are %+v", previews)
	}
	must[api.Connector](t)(f.SaveWriteBack(t.Context(), f.Admin, api.SaveWriteBackInput{ID: c.ID}))
	wantFault(t, save(func(*api.SaveWriteBackInput) {}), api.CodeAuthMissing)
}

// A job for one request is for its holder and has its ticket, unless it says
// something else itself.
func TestJobOfRequest(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	d := apitest.Stick("a.img")
	f.Connect(t, "bench", d)
	c := must[api.NewConnector](t)(f.SaveConnector(t.Context(), f.Admin, api.SaveConnectorInput{Name: "desk", System: connector.Generic}))
	for _, x := range []struct {
		ticket, holder string
		says           api.QueueJobInput
		want           api.Job
	}{
		{"T-1", "Ada", api.QueueJobInput{}, api.Job{Holder: "Ada", ExternalRef: api.ExternalRef{System: "desk", ID: "T-1"}}},
		{"T-2", "Ada", api.QueueJobInput{Holder: "Grace", ExternalRef: api.Ticket("X-9")}, api.Job{Holder: "Grace", ExternalRef: api.Ticket("X-9")}},
	} {
		r := must[api.HookResult](t)(f.ReceiveHook(t.Context(), nobody, api.HookDelivery{
			Connector: "desk", Header: http.Header{connector.DefaultHeader: {c.Secret}},
			Body: []byte(`{"ticket":"` + x.ticket + `","holder":"` + x.holder + `","computer_name":"PC-{n}","image":"win11-ent"}`),
		}))
		in := apitest.Order("win11-ent", "bench", d)
		in.Variables, in.Holder, in.ExternalRef, in.StickRequests = nil, x.says.Holder, x.says.ExternalRef, []string{r.Request.ID}
		job := must[api.Job](t)(f.QueueJob(t.Context(), f.Helpdesk, in))
		if b := job.Builds[0]; job.Holder != x.want.Holder || job.ExternalRef != x.want.ExternalRef || b.Variables[api.VariableComputerName] != "PC-1" {
			t.Errorf("%s: for %q with %+v, its computer is %q", x.ticket, job.Holder, job.ExternalRef, b.Variables[api.VariableComputerName])
		}
		must[api.Job](t)(f.CancelJob(t.Context(), f.Helpdesk, job.ID))
	}
}

// What answers instead of a token is said, without what it says back of our
// secrets, and without what no error of OAuth may have.
func TestTokenAnswers(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	local(t, f)
	answers := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			_, _ = io.WriteString(w, strings.ReplaceAll(<-answers, "SECRET", r.FormValue("client_secret")))
			return
		}
		_, _ = io.WriteString(w, strings.Repeat("x", 990)+r.Header.Get("Authorization"))
	}))
	t.Cleanup(s.Close)
	c, requests := asked(t, f, s, api.WriteBackAuth{Kind: api.AuthClient, TokenURL: s.URL + "/token", ClientID: "stickpress"}, "", "their secret")
	changes := f.Store.Watch(t.Context(), store.TopicRequests)
	var id string
	for i, x := range []struct {
		answer string
		code   fault.Code
		why    string
	}{
		{`{"error":"invalid_client"}`, api.CodeTokenRefused, "invalid_client"},
		{`{"error":"no SECRET"}`, api.CodeTokenRefused, "no " + connector.Masked},
		{`{"error":"in\u0000valid"}`, api.CodeTokenMissing, ""},
		{`{"error":"` + strings.Repeat("x", 101) + `"}`, api.CodeTokenMissing, ""},
		{`<html>`, api.CodeTokenMissing, ""},
		{`{"access_token":"a\nb","token_type":"Bearer"}`, api.CodeTokenMissing, ""},
		{`{"access_token":"some","token_type":"mac"}`, api.CodeTokenMissing, ""},
		{`{"access_token":"the-token-0123","token_type":"Bearer"}`, "", ""},
	} {
		answers <- x.answer
		if id == "" {
			must[api.StickRequest](t)(f.DeclineStickRequest(t.Context(), f.Helpdesk, api.MoveRequestInput{ID: requests[0].ID, Reason: "no stick"}))
		} else {
			idle(t, f)
			must[api.WriteBack](t)(f.ResendWriteBack(t.Context(), f.Admin, c.ID, id))
		}
		var got api.WriteBackAttempt
		for range changes {
			list := must[api.List[api.WriteBack]](t)(f.ListWriteBacks(t.Context(), f.Admin, c.ID, api.Page{}))
			if len(list.Items) == 1 && len(list.Items[0].Attempts) == i+1 {
				id, got = list.Items[0].ID, list.Items[0].Attempts[i]
				break
			}
		}
		switch {
		case x.code != "" && (got.Fault == nil || got.Fault.Code != string(x.code) || got.Fault.Params["why"] != x.why):
			t.Errorf("%s: kept is %+v", x.answer, got.Fault)
		case x.code == "" && (got.Fault != nil || got.Answer != strings.Repeat("x", 990)+"Bearer "+connector.Masked[:3]):
			t.Errorf("kept is %+v", got)
		}
	}
}
