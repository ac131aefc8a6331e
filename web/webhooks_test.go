package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/webtest"
)

// outward lets webhooks reach this machine.
func outward(_ string, d *api.Deps) {
	d.Config = append(d.Config, api.Setting{Name: api.SettingOutbound, Value: "127.0.0.1", Origin: api.OriginFlag})
}

// An admin makes a webhook, tests it, looks at what was sent, sends it again,
// replaces its secret, pauses, resumes and deletes it.
func TestWebhookPages(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t, outward)
	status := make(chan int, 1)
	came := make(chan *http.Request, 10)
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		came <- q
		w.WriteHeader(<-status)
		_, _ = w.Write([]byte("<b>no</b>"))
	}))
	defer r.Close()
	host := strings.TrimPrefix(r.URL, "http://")
	v := signedIn(t, s, "admin", "en")
	v.get("/webhooks").want(http.StatusOK).shows("Nobody is told of anything yet.", "standardwebhooks.NewWebhook")
	v.get("/webhooks/new").want(http.StatusOK).shows("job.succeeded", "A stick was declared lost.")
	form := url.Values{"url": {"https://10.0.0.1/"}, "description": {`<i>tickets</i>`}, "every": {"no"}, "type": {"job.failed"}, "everywhere": {"yes"}}
	p := v.post("/webhooks", form).want(http.StatusUnprocessableEntity).shows("not on the public network", "Reachable though not public")
	if p.value("url") != "https://10.0.0.1/" || p.value("description") != `<i>tickets</i>` {
		t.Error("what was typed is lost")
	}
	form.Set("url", r.URL+"/in")
	form.Del("type")
	v.post("/webhooks", form).want(http.StatusUnprocessableEntity).shows("Choose at least one type of events")
	form.Set("type", "job.failed")
	form.Set("every", "yes")
	v.post("/webhooks", form).want(http.StatusUnprocessableEntity).shows("Every one is chosen, and some are ticked.")
	form.Set("every", "no")
	p = v.post("/webhooks", form).want(http.StatusOK).shows(`<i>tickets</i>`, "whsec_", "it is not shown again", "job.failed")
	_, rest, _ := strings.Cut(p.text(), "whsec_")
	secret := "whsec_" + strings.Fields(rest)[0]
	hooks, err := s.ListWebhooks(t.Context(), s.Admin, api.WebhookFilter{}, api.Page{})
	if err != nil || len(hooks.Items) != 1 {
		t.Fatalf("%d webhooks, %v", len(hooks.Items), err)
	}
	path := "/webhooks/" + hooks.Items[0].ID
	v.get(path).want(http.StatusOK).shows(`<i>tickets</i>`, "Nothing was sent in the last two weeks.").lacks(secret)
	v.get("/webhooks?type=job.failed&state=active").shows(`<i>tickets</i>`, host)
	v.get("/webhooks?type=stick.lost").lacks(`<i>tickets</i>`)

	ended := func(state string) api.Delivery {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for ctx.Err() == nil {
			l, err := s.ListDeliveries(ctx, s.Admin, hooks.Items[0].ID, api.DeliveryFilter{State: state}, api.Page{})
			if err == nil && len(l.Items) > 0 {
				return l.Items[0]
			}
		}
		t.Fatalf("no delivery is %s", state)
		panic("not reached")
	}
	status <- http.StatusInternalServerError
	v.post(path+"/ping", nil).want(http.StatusOK).shows("ping", "webhook-id")
	q := <-came
	d := ended(api.DeliveryFailed)
	v.get(path+"?state=failed").want(http.StatusOK).shows("The receiver answered 500", "Deliveries fail since")
	v.get(path+"/deliveries/"+d.ID).want(http.StatusOK).shows("The receiver answered 500", "<b>no</b>", `"type": "ping"`, "admin")
	status <- http.StatusNoContent
	v.post(path+"/deliveries/"+d.ID+"/attempts", nil).want(http.StatusOK).shows("It is sent once more.")
	if again := <-came; again.Header.Get("Webhook-Id") != q.Header.Get("Webhook-Id") {
		t.Errorf("sent again is %s, want %s", again.Header.Get("Webhook-Id"), q.Header.Get("Webhook-Id"))
	}
	ended(api.DeliveryDelivered)

	p = v.post(path+"/secret", nil).want(http.StatusOK).shows("whsec_", "The secret before signs, too").lacks(secret)
	_, rest, _ = strings.Cut(p.text(), "whsec_")
	if _, err := standard.NewWebhook(strings.Fields(rest)[0]); err != nil {
		t.Errorf("the new secret is none: %v", err)
	}
	v.post(path+"/pause", nil).want(http.StatusOK).shows("An admin has paused this webhook.")
	v.post(path+"/pause", url.Values{"back": {"yes"}}).want(http.StatusOK).shows("gets what happens from now on")

	form.Set("revision", p.value("revision"))
	form.Set("description", "later")
	v.post(path, form).want(http.StatusPreconditionFailed).shows("as somebody else has saved it meanwhile")
	form.Set("revision", v.get(path).value("revision"))
	v.post(path, form).want(http.StatusOK).shows("The webhook is saved.", "later", "Webhook saved")

	revision := v.get(path).value("revision")
	v.post(path+"/delete", url.Values{"revision": {revision}, "name": {"x"}}).want(http.StatusUnprocessableEntity).shows(host)
	v.post(path+"/delete", url.Values{"revision": {revision}, "name": {host}}).want(http.StatusOK).shows("The webhook is deleted.", "Nobody is told of anything yet.")
	v.get(path).want(http.StatusNotFound)
}

// What the console stopped by itself is said where webhooks are listed.
func TestWebhookStopped(t *testing.T) {
	t.Parallel()
	s := webtest.Start(t, outward)
	if _, err := s.CreateWebhook(t.Context(), s.Admin, api.SaveWebhookInput{URL: "https://hooks.example.org/"}); err != nil {
		t.Fatal(err)
	}
	v := signedIn(t, s, "admin", "en")
	v.get("/webhooks").shows("hooks.example.org", "every event", "active").lacks("was paused")
	if _, err := s.Store.Pool().Exec(t.Context(), `UPDATE webhooks SET state = 'paused', pause_cause = 'failing', paused_at = now()`); err != nil {
		t.Fatal(err)
	}
	v.get("/webhooks").shows("A webhook was paused, since its receiver failed for days", "stopped")
	v.get("/webhooks?state=paused").shows("hooks.example.org")
}
