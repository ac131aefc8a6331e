package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/outbound"
	"github.com/stickpress/stickpress/store"
)

// loopback lets webhooks reach receivers of tests.
func loopback(d *api.Deps) {
	d.Config = append(d.Config, api.Setting{Name: api.SettingOutbound, Value: "127.0.0.0/8", Origin: api.OriginFlag})
}

// received is one message as it came.
type received struct {
	id     string
	event  api.Event
	header http.Header
	body   []byte
}

// receiver takes messages and answers as it is told.
type receiver struct {
	*httptest.Server
	came   chan received
	mu     sync.Mutex
	answer http.HandlerFunc
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{came: make(chan received, 1000)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		m := received{id: q.Header.Get("webhook-id"), header: q.Header, body: body}
		_ = json.Unmarshal(body, &m.event)
		r.came <- m
		r.mu.Lock()
		answer := r.answer
		r.mu.Unlock()
		if answer != nil {
			answer(w, q)
		}
	}))
	t.Cleanup(func() { r.CloseClientConnections(); r.Close() })
	return r
}

func (r *receiver) answers(h http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = h
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code); fmt.Fprint(w, "answer ", code) }
}

// webhooks is a console with a host and something to happen there.
type webhooks struct {
	*apitest.Fixture
	t     *testing.T
	stick protocol.Device
	order api.QueueJobInput
	site  string
}

func newWebhooks(t *testing.T, change ...func(*api.Deps)) *webhooks {
	t.Helper()
	x := &webhooks{Fixture: apitest.New(t, append(change, loopback)...), t: t, stick: apitest.Stick("a")}
	x.Publish(t, "win11-ent", "1.0.0")
	x.Connect(t, "bench", x.stick)
	x.order = apitest.Order("win11-ent", "bench", x.stick)
	x.order.ExternalRef = api.ExternalRef{System: "servicenow", ID: "CHG-1"}
	x.site = must[api.Site](t)(x.GetSite(t.Context(), x.Admin, "")).ID
	return x
}

func (x *webhooks) create(url string, types ...string) api.NewWebhook {
	x.t.Helper()
	return must[api.NewWebhook](x.t)(x.CreateWebhook(x.t.Context(), x.Admin, api.SaveWebhookInput{URL: url, Types: types}))
}

// happen queues a job and cancels it, so that the next one can be queued.
func (x *webhooks) happen() api.Job {
	x.t.Helper()
	j := must[api.Job](x.t)(x.QueueJob(x.t.Context(), x.Helpdesk, x.order))
	must[api.Job](x.t)(x.CancelJob(x.t.Context(), x.Helpdesk, j.ID))
	return j
}

// delivery waits until the newest delivery of a webhook is what it should be.
func (x *webhooks) delivery(hook string, is func(api.Delivery) bool) api.Delivery {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.t.Context(), time.Minute)
	defer cancel()
	var last api.Delivery
	for ctx.Err() == nil {
		list, err := x.ListDeliveries(ctx, x.Admin, hook, api.DeliveryFilter{}, api.Page{Limit: 1})
		if err == nil && len(list.Items) > 0 {
			if last, err = x.GetDelivery(ctx, x.Admin, hook, list.Items[0].ID); err == nil && is(last) {
				return last
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond): // another process's work is waited for
		}
	}
	x.t.Fatalf("the newest delivery stays %+v", last)
	return last
}

func attempted(n int) func(api.Delivery) bool {
	return func(d api.Delivery) bool { return len(d.Log) >= n && d.Log[n-1].DurationMS != nil }
}

// due makes what is to be tried again due now.
func (x *webhooks) due(sql ...string) {
	x.t.Helper()
	for _, s := range append(sql, `UPDATE river.river_job SET state = 'available', scheduled_at = now() WHERE queue = 'webhooks' AND state IN ('scheduled', 'retryable')`) {
		if _, err := x.Store.Pool().Exec(x.t.Context(), s); err != nil {
			x.t.Fatal(err)
		}
	}
}

// What happens is told once, signed, to whoever wants it.
func TestWebhook(t *testing.T) {
	t.Parallel()
	x := newWebhooks(t)
	before := x.happen()
	all, some, elsewhere := newReceiver(t), newReceiver(t), newReceiver(t)
	hook := x.create(all.URL + "/in?token=secret")
	x.create(some.URL, "job.cancelled")
	other := newSite(t, x.Fixture, "Elsewhere")
	must[api.NewWebhook](t)(x.CreateWebhook(t.Context(), x.Admin, api.SaveWebhookInput{URL: elsewhere.URL, Sites: []string{other}}))
	job := x.happen()

	key, err := standard.NewWebhook(hook.Secret)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"build.cancelled", "job.cancel_requested", "job.cancelled", "job.queued"}
	var types []string
	ids := map[string]bool{}
	for len(types) < len(want) {
		m := next(t, all.came)
		if err := key.Verify(m.body, m.header); err != nil {
			t.Errorf("a message does not verify: %v", err)
		}
		if m.event.Data.JobID == before.ID {
			t.Errorf("what happened before is told: %+v", m.event)
		}
		if ids[m.id] || !strings.HasPrefix(m.id, "msg_") {
			t.Errorf("the message %q came twice", m.id)
		}
		ids[m.id] = true
		e := m.event
		if e.Data.JobID != job.ID || e.Data.SiteID != x.site || e.Data.ExternalRef != x.order.ExternalRef || e.Version != 1 || e.Timestamp.IsZero() {
			t.Errorf("the event is %+v", e)
		}
		if e.Type == "job.queued" && (e.Data.Builds != 1 || e.Data.Kind != protocol.JobPress || e.ActorID != x.Helpdesk.UserID || e.ActorKind != api.ActorUser) {
			t.Errorf("the event is %+v", e)
		}
		types = append(types, e.Type)
	}
	if slices.Sort(types); !slices.Equal(types, want) {
		t.Errorf("told were %v", types)
	}
	if m := next(t, some.came); m.event.Type != "job.cancelled" {
		t.Errorf("who wants one type gets %+v", m.event)
	}
	d := x.delivery(hook.ID, func(d api.Delivery) bool { return d.State == api.DeliveryDelivered })
	if !attempted(1)(d) || d.Status != http.StatusOK || d.Log[0].Fault != nil || d.Log[0].ActorKind != api.ActorSystem {
		t.Errorf("the log says %+v", d)
	}
	if len(elsewhere.came)+len(some.came)+len(all.came) != 0 {
		t.Error("somebody is told what is not for them")
	}
	// Neither secret nor URL is in the audit log.
	for _, e := range must[api.List[api.AuditEntry]](t)(x.ListAudit(t.Context(), x.Admin, api.AuditFilter{ObjectKind: "webhook"}, api.Page{})).Items {
		if text := string(e.After); strings.Contains(text, "token=secret") || strings.Contains(text, hook.Secret) || !strings.Contains(text, "127.0.0.1") {
			t.Errorf("the audit log says %s", text)
		}
	}
}

func next[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-from:
		if !ok {
			t.Fatal("the channel was closed")
		}
		return v
	case <-time.After(time.Minute):
		t.Fatal("nothing came")
	}
	panic("not reached")
}

// until ends the time of every request when late is closed, as the clock would.
func until(late <-chan struct{}) func(*api.Deps) {
	return func(d *api.Deps) {
		d.Outbound.Limit = func(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			go func() {
				select {
				case <-late:
					cancel()
				case <-ctx.Done():
				}
			}()
			return ctx, cancel
		}
	}
}

// While a secret is replaced the old one signs, too, and then no more.
func TestWebhookRotation(t *testing.T) {
	t.Parallel()
	x, r := newWebhooks(t), newReceiver(t)
	old := x.create(r.URL, "job.cancelled")
	fresh := must[api.NewWebhook](t)(x.RotateWebhookSecret(t.Context(), x.Admin, api.RotateSecretInput{ID: old.ID, Revision: old.Revision}))
	if fresh.Secret == old.Secret || fresh.OldSecretUntil == nil || time.Until(*fresh.OldSecretUntil) > 24*time.Hour {
		t.Errorf("the new secret is %+v", fresh)
	}
	verifies := func(secret string) bool {
		t.Helper()
		must[api.Delivery](t)(x.PingWebhook(t.Context(), x.Admin, old.ID))
		m := next(t, r.came)
		key, err := standard.NewWebhook(secret)
		return err == nil && key.Verify(m.body, m.header) == nil
	}
	if !verifies(fresh.Secret) || !verifies(old.Secret) {
		t.Error("not both secrets sign while one replaces the other")
	}
	if _, err := x.Store.Pool().Exec(t.Context(), `UPDATE webhooks SET old_secret_until = now()`); err != nil {
		t.Fatal(err)
	}
	if !verifies(fresh.Secret) || verifies(old.Secret) {
		t.Error("the old secret signs for ever")
	}
	_, err := x.RotateWebhookSecret(t.Context(), x.Admin, api.RotateSecretInput{ID: old.ID, Revision: old.Revision})
	wantFault(t, err, store.CodeStale)
}

// What cannot be a webhook is refused with what is wrong.
func TestWebhookRefusals(t *testing.T) {
	t.Parallel()
	x := newWebhooks(t)
	for name, c := range map[string]struct {
		in   api.SaveWebhookInput
		want fault.Code
	}{
		"no URL":        {api.SaveWebhookInput{URL: "x"}, outbound.CodeURLInvalid},
		"in the clear":  {api.SaveWebhookInput{URL: "http://example.org/"}, ""}, // its address decides
		"inside":        {api.SaveWebhookInput{URL: "https://10.0.0.1/"}, outbound.CodeNotAllowed},
		"metadata":      {api.SaveWebhookInput{URL: "https://169.254.169.254/"}, outbound.CodeNotAllowed},
		"type":          {api.SaveWebhookInput{URL: "https://example.org/", Types: []string{"job.flown"}}, api.CodeEventType},
		"log":           {api.SaveWebhookInput{URL: "https://example.org/", Types: []string{"build.log"}}, api.CodeEventType},
		"site":          {api.SaveWebhookInput{URL: "https://example.org/", Sites: []string{"site_01jd6y9k3te0mv8b0g2z5q4w7x"}}, "site_not_found"},
		"a long story":  {api.SaveWebhookInput{URL: "https://example.org/", Description: strings.Repeat("x", 301)}, api.CodeTextTooLong},
		"all is well":   {api.SaveWebhookInput{URL: " https://example.org/ ", Types: []string{"job.failed", "job.failed"}}, ""},
		"changed twice": {api.SaveWebhookInput{URL: "https://example.org/2"}, ""},
	} {
		made, err := x.CreateWebhook(t.Context(), x.Admin, c.in)
		if c.want != "" {
			wantFault(t, err, c.want)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name == "all is well" && (made.URL != "https://example.org/" || len(made.Types) != 1 || !strings.HasPrefix(made.Secret, "whsec_")) {
			t.Errorf("made was %+v", made)
		}
		in := api.SaveWebhookInput{ID: made.ID, URL: c.in.URL, Description: "x", Revision: made.Revision}
		must[api.Webhook](t)(x.UpdateWebhook(t.Context(), x.Admin, in))
		_, err = x.UpdateWebhook(t.Context(), x.Admin, in)
		wantFault(t, err, store.CodeStale)
		wantFault(t, x.DeleteWebhook(t.Context(), x.Admin, made.ID, made.Revision), store.CodeStale)
		if err := x.DeleteWebhook(t.Context(), x.Admin, made.ID, 0); err != nil {
			t.Error(err)
		}
		_, err = x.GetWebhook(t.Context(), x.Admin, made.ID)
		wantFault(t, err, "webhook_not_found")
	}
}

// Whoever reads a delivery while it is made sees one moment of it: what was
// delivered has no attempt under way.
func TestDeliveryIsOfOneMoment(t *testing.T) {
	x, r := newWebhooks(t), newReceiver(t)
	hook := x.create(r.URL, "job.cancelled")
	for range 10 {
		d := must[api.Delivery](t)(x.PingWebhook(t.Context(), x.Admin, hook.ID))
		for id := d.ID; d.State == api.DeliveryPending; {
			d = must[api.Delivery](t)(x.GetDelivery(t.Context(), x.Admin, hook.ID, id))
		}
		if len(d.Log) != 1 || d.Log[0].DurationMS == nil || d.Log[0].Status != d.Status {
			t.Fatalf("delivered, with the log %+v", d.Log)
		}
	}
}
