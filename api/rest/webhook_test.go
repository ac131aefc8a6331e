package rest_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/rest"
	"github.com/stickpress/stickpress/api/rest/resttest"
	"github.com/stickpress/stickpress/api/rest/wire"
)

func (w *world) events() {
	s := w.s
	first := decode[api.List[api.Event]](w.t, w.ok(200, get(s, viewer, "/history?limit=1")), 200)
	if len(first.Items) != 1 || first.Next != first.Items[0].ID {
		w.t.Fatalf("the first event is %+v", first)
	}
	rest := decode[api.List[api.Event]](w.t, w.ok(200, get(s, viewer, "/history?types=job.queued,job.cancelled&cursor="+first.Next)), 200)
	for _, e := range rest.Items {
		if e.ID == first.Next || e.Type != "job.queued" && e.Type != "job.cancelled" {
			w.t.Errorf("after the first event comes %+v", e)
		}
	}
	w.no(422, "event_type_unknown", get(s, viewer, "/history?types=job.flown"))
	w.no(422, "id_invalid", get(s, viewer, "/history?cursor=x"))
	w.no(422, "cursor_ahead", get(s, viewer, "/history?cursor=evt_fffffffffffj1"))
	w.no(404, "site_not_found", get(s, viewer, "/events?site=nope"))
	w.roles.before(get(s, viewer, "/events"))
	if e := streamed(w.t, s, "?after="+first.Next, "", 1); e[0] == first.Next {
		w.t.Errorf("after %s comes %v", first.Next, e)
	}
	ctx, enough := context.WithTimeout(w.t.Context(), time.Minute)
	defer enough()
	if err := s.Contract.Await(ctx, "watch_events", http.StatusOK); err != nil {
		w.t.Error(err)
	}
}

// streamed reads the IDs of the next events of a stream, and leaves.
func streamed(t *testing.T, s *resttest.Server, query, last string, n int) (ids []string) {
	t.Helper()
	ctx, leave := context.WithTimeout(t.Context(), time.Minute)
	defer leave()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+rest.Prefix+"/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Token(viewer))
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for len(ids) < n {
		if !lines.Scan() {
			t.Fatalf("the stream ended after %v: %v", ids, lines.Err())
		}
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// A reader of events that comes back, with the last one that it saw, gets each
// of the others once.
func TestWatchEventsResumes(t *testing.T) {
	t.Parallel()
	s := resttest.Start(t)
	s.Publish(t, "win11-ent", "1.0.0")
	stick := apitest.Stick("a.img")
	s.Connect(t, "bench", stick)
	for range 3 {
		j, err := s.QueueJob(t.Context(), s.Helpdesk, apitest.Order("win11-ent", "bench", stick))
		if err == nil {
			_, err = s.CancelJob(t.Context(), s.Helpdesk, j.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	const all = 1 + 3*4 // the stick was met once
	begin := "evt_0j1"
	whole := streamed(t, s, "?after="+begin, "", all)
	var pieces []string
	for last := begin; len(pieces) < all; last = pieces[len(pieces)-1] {
		pieces = append(pieces, streamed(t, s, "", last, min(2, all-len(pieces)))...)
	}
	if strings.Join(whole, " ") != strings.Join(pieces, " ") {
		t.Errorf("in one piece  %v\nin several    %v", whole, pieces)
	}
}

func (w *world) webhooks() {
	s := w.s
	body := wire.CreateWebhook{URL: "https://[2001:500:2::c]/in", Types: []string{"job.succeeded"}}
	w.no(403, "forbidden", post(s, helpdesk, "/webhooks", body))
	w.no(422, "address_not_allowed", post(s, admin, "/webhooks", wire.CreateWebhook{URL: "https://10.0.0.1/"}))
	a := w.ok(201, post(s, admin, "/webhooks", body))
	made := decode[api.NewWebhook](w.t, a, 201)
	path := "/webhooks/" + made.ID
	if l := a.header.Get("Location"); l != rest.Prefix+path || !strings.HasPrefix(made.Secret, "whsec_") {
		w.t.Errorf("Location is %q, the secret %q", l, made.Secret)
	}
	w.ok(200, get(s, admin, "/webhooks?state=active&type=job.succeeded"))
	w.no(403, "forbidden", get(s, viewer, "/webhooks"))
	if a := w.ok(200, get(s, admin, path)); strings.Contains(string(a.body), made.Secret) {
		w.t.Error("the secret is shown again")
	}
	w.no(404, "webhook_not_found", get(s, admin, "/webhooks/nope"))
	w.ok(200, get(s, admin, path+"/history"))
	w.no(404, "webhook_not_found", get(s, admin, "/webhooks/nope/history"))

	none := []string{}
	change := patch(s, admin, path, wire.ChangeWebhook{Types: &none})
	changed := decode[api.Webhook](w.t, w.ok(200, change), 200)
	if changed.URL != body.URL || len(changed.Types) != 0 {
		w.t.Errorf("the webhook is %+v", changed)
	}
	change.header = map[string]string{"If-Match": `"1"`}
	w.no(412, "stale", change)

	w.ok(200, post(s, admin, path+"/pauses", nil))
	w.no(404, "webhook_not_found", post(s, admin, "/webhooks/nope/pauses", nil))
	w.ok(200, post(s, admin, path+"/resumptions", nil))
	w.no(403, "forbidden", post(s, helpdesk, path+"/resumptions", nil))
	turned := decode[api.NewWebhook](w.t, w.ok(200, post(s, admin, path+"/secrets", wire.RotateSecret{OverlapSeconds: 60})), 200)
	if turned.Secret == made.Secret || turned.OldSecretUntil == nil {
		w.t.Errorf("the new secret is %+v", turned)
	}
	w.no(422, "request_invalid", post(s, admin, path+"/secrets", wire.RotateSecret{OverlapSeconds: 1 << 30}))

	changes, err := s.Store.Pool().Acquire(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	defer changes.Release()
	if _, err := changes.Exec(w.t.Context(), `LISTEN message_changed;
		CREATE FUNCTION message_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NOTIFY message_changed; RETURN NULL; END $$;
		CREATE TRIGGER message_changed AFTER UPDATE ON webhook_messages FOR EACH STATEMENT EXECUTE FUNCTION message_changed()`); err != nil {
		w.t.Fatal(err)
	}
	a = w.ok(202, post(s, admin, path+"/pings", nil))
	sent := decode[api.Delivery](w.t, a, 202)
	if l := a.header.Get("Location"); l != rest.Prefix+path+"/deliveries/"+sent.ID || a.header.Get("Retry-After") != "1" {
		w.t.Errorf("Location is %q", l)
	}
	w.no(404, "webhook_not_found", post(s, admin, "/webhooks/nope/pings", nil))
	w.ok(200, get(s, admin, path+"/deliveries?type=ping"))
	w.no(422, "request_invalid", get(s, admin, path+"/deliveries?state=lost"))
	for path := path + "/deliveries/" + sent.ID; ; {
		d := decode[api.Delivery](w.t, w.ok(200, get(s, admin, path)), 200)
		if d.State == api.DeliveryFailed {
			w.ok(202, post(s, admin, path+"/attempts", nil))
			break
		}
		if _, err := changes.Conn().WaitForNotification(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
	w.no(404, "message_not_found", get(s, admin, path+"/deliveries/nope"))
	w.no(404, "message_not_found", post(s, admin, path+"/deliveries/nope/attempts", nil))

	w.no(403, "forbidden", remove(s, helpdesk, path))
	w.ok(204, remove(s, admin, path))
}
