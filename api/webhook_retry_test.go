package api_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/outbound"
)

// Whatever a receiver does wrong, it is written down and tried again.
func TestWebhookFailures(t *testing.T) {
	t.Parallel()
	late := make(chan struct{})
	x := newWebhooks(t, until(late))
	failed := func(hook string, want fault.Code) api.DeliveryResult {
		t.Helper()
		d := x.delivery(hook, attempted(1))
		if d.State != api.DeliveryPending || d.NextAt == nil || d.Fault == nil || d.Fault.Code != string(want) || d.Log[0].Fault == nil || d.Log[0].Fault.Code != string(want) {
			t.Errorf("want %s: the delivery is %+v of %+v", want, d.Log[0].Fault, d)
			return api.DeliveryResult{Fault: &api.DeliveryFault{}}
		}
		if h := must[api.Webhook](t)(x.GetWebhook(t.Context(), x.Admin, hook)); h.FailingSince == nil || h.State != api.WebhookActive {
			t.Errorf("%s: the webhook is %+v", want, h)
		}
		return d.Log[0]
	}
	hook := func(url string) string { return x.create(url, "job.cancelled").ID }
	answering := func(h http.HandlerFunc) string {
		r := newReceiver(t)
		r.answers(h)
		return hook(r.URL)
	}
	refusing := answering(status(500))
	redirecting := answering(func(w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, "http://169.254.169.254/latest/meta-data/", http.StatusTemporaryRedirect)
	})
	closing := answering(func(w http.ResponseWriter, _ *http.Request) {
		c, _, _ := http.NewResponseController(w).Hijack()
		c.Close()
	})
	tls := httptest.NewUnstartedServer(http.NotFoundHandler())
	tls.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	tls.StartTLS()
	defer tls.Close()
	unknown, nobody, inside := hook(tls.URL), hook("http://127.0.0.1:1"), hook("https://[2001:500:2::c]/")
	// It was public when it was typed.
	x.due(`UPDATE webhooks SET url = 'https://169.254.169.254/' WHERE url LIKE '%2001%'`)
	x.happen()
	if log := failed(refusing, api.CodeDeliveryRefused); log.Status != 500 || log.Answer != "answer 500" || log.Fault.Params["status"] != "500" {
		t.Errorf("the answer is %+v", log)
	}
	if log := failed(redirecting, outbound.CodeRedirect); log.Status != 307 || log.Fault.Params["to"] != "169.254.169.254" {
		t.Errorf("the answer is %+v", log)
	}
	failed(closing, outbound.CodeBroken)
	failed(unknown, outbound.CodeCertificate)
	failed(nobody, outbound.CodeUnreached)
	failed(inside, outbound.CodeNotAllowed)

	begun := make(chan struct{}, 2)
	hanging := answering(func(_ http.ResponseWriter, q *http.Request) { begun <- struct{}{}; <-q.Context().Done() })
	slow := answering(func(w http.ResponseWriter, q *http.Request) {
		for i := 0; q.Context().Err() == nil; i++ {
			fmt.Fprint(w, ".")
			_ = http.NewResponseController(w).Flush()
			if i == 3 {
				begun <- struct{}{}
				<-q.Context().Done()
			}
		}
	})
	x.happen()
	next(t, begun)
	next(t, begun)
	close(late)
	failed(hanging, outbound.CodeLate)
	failed(slow, outbound.CodeLate)
}

// A huge answer is success, of which the beginning is kept.
func TestWebhookHugeAnswer(t *testing.T) {
	t.Parallel()
	x, r := newWebhooks(t), newReceiver(t)
	r.answers(func(w http.ResponseWriter, _ *http.Request) {
		for range 1 << 10 {
			if _, err := io.WriteString(w, strings.Repeat("\x00é", 1<<10)); err != nil {
				return
			}
		}
	})
	hook := x.create(r.URL, "job.cancelled")
	x.happen()
	if d := x.delivery(hook.ID, attempted(1)); d.State != api.DeliveryDelivered || !strings.HasPrefix(d.Log[0].Answer, "\uFFFDé\uFFFDé") || len(d.Log[0].Answer) > 3<<10 {
		t.Errorf("the delivery is %s with %d bytes of answer", d.State, len(d.Log[0].Answer))
	}
}

// The same message comes again until it is taken, eleven times at most, and
// then by hand.
func TestWebhookRetries(t *testing.T) {
	t.Parallel()
	x, r := newWebhooks(t), newReceiver(t)
	r.answers(status(503))
	hook := x.create(r.URL, "job.cancelled")
	x.happen()
	first := next(t, r.came)
	x.delivery(hook.ID, attempted(1))
	x.due()
	if again := next(t, r.came); again.id != first.id || string(again.body) != string(first.body) {
		t.Errorf("the second attempt is %s %s, the first was %s %s", again.id, again.body, first.id, first.body)
	}
	x.delivery(hook.ID, attempted(2))
	x.due(`UPDATE webhook_messages SET tries = 10`)
	next(t, r.came)
	d := x.delivery(hook.ID, attempted(3))
	if d.State != api.DeliveryFailed || d.NextAt != nil || d.EndedAt == nil {
		t.Errorf("after the last attempt the delivery is %+v", d)
	}
	r.answers(nil)
	must[api.Delivery](t)(x.Redeliver(t.Context(), x.Admin, hook.ID, d.ID))
	if again := next(t, r.came); again.id != first.id {
		t.Errorf("by hand came %s", again.id)
	}
	d = x.delivery(hook.ID, attempted(4))
	if d.State != api.DeliveryDelivered || d.Log[3].ActorName != "admin" || d.Fault != nil {
		t.Errorf("after it was sent by hand the delivery is %+v", d)
	}
	if h := must[api.Webhook](t)(x.GetWebhook(t.Context(), x.Admin, hook.ID)); h.FailingSince != nil || h.DeliveredAt == nil {
		t.Errorf("the webhook is %+v", h)
	}
	if _, err := x.Store.DropMessages(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if l := must[api.List[api.Delivery]](t)(x.ListDeliveries(t.Context(), x.Admin, hook.ID, api.DeliveryFilter{}, api.Page{})); len(l.Items) != 0 {
		t.Errorf("old deliveries are kept: %+v", l.Items)
	}
}

// A receiver that fails for days, or is gone, is left in peace until somebody
// looks after it.
func TestWebhookPauses(t *testing.T) {
	t.Parallel()
	x, failing, gone := newWebhooks(t), newReceiver(t), newReceiver(t)
	failing.answers(status(500))
	gone.answers(status(http.StatusGone))
	hook, over := x.create(failing.URL, "job.cancelled"), x.create(gone.URL, "job.cancelled")
	x.happen()
	x.delivery(hook.ID, attempted(1))
	if d := x.delivery(over.ID, attempted(1)); d.State != api.DeliveryFailed {
		t.Errorf("the delivery to who is gone is %+v", d)
	}
	x.due(`UPDATE webhooks SET failing_since = failing_since - interval '3 days 1 minute'`)
	x.delivery(hook.ID, attempted(2))
	for id, cause := range map[string]string{hook.ID: api.PausedFailing, over.ID: api.PausedGone} {
		if h := must[api.Webhook](t)(x.GetWebhook(t.Context(), x.Admin, id)); h.State != api.WebhookPaused || h.PauseCause != cause || h.PausedAt == nil {
			t.Errorf("the webhook is %+v, want paused since it is %s", h, cause)
		}
		log := must[api.List[api.HistoryEntry]](t)(x.ListHistory(t.Context(), x.Admin, "webhook", id, api.Page{Limit: 1})).Items
		if len(log) != 1 || log[0].Action != string(api.UsePauseWebhook) || log[0].ActorKind != api.ActorSystem {
			t.Errorf("its history is %+v", log)
		}
	}
	if n, err := x.StoppedWebhooks(t.Context(), x.Admin); n != 2 || err != nil {
		t.Errorf("%d webhooks are stopped, %v", n, err)
	}
	// What was to be tried again is not, and what happens now is not told.
	x.due()
	d := x.delivery(hook.ID, attempted(3))
	if d.State != api.DeliveryFailed || d.Fault.Code != string(api.CodeWebhookPaused) {
		t.Errorf("the delivery to a paused webhook is %+v", d)
	}
	x.happen()
	// A test comes all the same.
	failing.answers(nil)
	ping := must[api.Delivery](t)(x.PingWebhook(t.Context(), x.Admin, hook.ID))
	if p := x.delivery(hook.ID, attempted(1)); p.ID != ping.ID || p.State != api.DeliveryDelivered || p.Type != api.EventPing || p.EventID != "" {
		t.Errorf("the test is %+v", p)
	}
	lines := must[api.List[api.HistoryEntry]](t)(x.ListHistory(t.Context(), x.Admin, "webhook", hook.ID, api.Page{Limit: 1}))
	if e := lines.Items[0]; e.Action != string(api.UsePingWebhook) || len(e.Changes) != 1 || !strings.Contains(e.Changes[0].After, ping.ID) {
		t.Errorf("the audit log says %+v", e)
	}
	h := must[api.Webhook](t)(x.ResumeWebhook(t.Context(), x.Admin, hook.ID, 0))
	if h.State != api.WebhookActive || h.FailingSince != nil {
		t.Errorf("the webhook is %+v", h)
	}
	job := x.happen()
	for {
		m := next(t, failing.came)
		if m.event.Type != "job.cancelled" || m.id == d.ID {
			continue // from before
		}
		if m.event.Data.JobID != job.ID {
			t.Errorf("told is %+v, which happened in the pause", m.event)
		}
		return
	}
}
