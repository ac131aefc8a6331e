package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
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
	x.order.ExternalRef = api.Ticket("CHG-1")
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
		if e.Data.JobID != job.ID || e.Data.SiteID != x.site || e.Data.ExternalRef != "CHG-1" || e.Version != 1 || e.Timestamp.IsZero() {
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

// Of two replicas one tells of an event.
func TestWebhookOfReplicas(t *testing.T) {
	t.Parallel()
	x, r := newWebhooks(t), newReceiver(t)
	x.Replica(t, loopback)
	x.Replica(t, loopback)
	hook := x.create(r.URL, "job.cancelled")
	const jobs = 10
	for range jobs {
		x.happen()
	}
	ids := map[string]bool{}
	for range jobs {
		ids[next(t, r.came).event.ID] = true
	}
	if len(ids) != jobs || len(r.came) != 0 {
		t.Errorf("%d events came once, %d more messages", len(ids), len(r.came))
	}
	for _, d := range must[api.List[api.Delivery]](t)(x.ListDeliveries(t.Context(), x.Admin, hook.ID, api.DeliveryFilter{}, api.Page{})).Items {
		if d.Attempts != 1 {
			t.Errorf("attempted %d times: %+v", d.Attempts, d)
		}
	}
}

// A replica that dies in the middle of a delivery leaves it to the others. What
// it left behind is made here as it is in the database then.
func TestWebhookOfDeadReplica(t *testing.T) {
	t.Parallel()
	x, r := newWebhooks(t, until(nil)), newReceiver(t)
	begun, rest := make(chan struct{}), make(chan struct{})
	finish := sync.OnceFunc(func() { close(rest) })
	defer finish()
	r.answers(func(http.ResponseWriter, *http.Request) { close(begun); <-rest })
	hook := x.create(r.URL, "job.cancelled")
	x.happen()
	first := next(t, r.came)
	<-begun
	r.answers(nil)
	d := x.delivery(hook.ID, func(api.Delivery) bool { return true })
	if _, err := x.Redeliver(t.Context(), x.Admin, hook.ID, d.ID); err == nil {
		t.Error("what is under way is begun again by hand")
	}
	x.due(`UPDATE webhook_messages SET claimed_until = now()`, `UPDATE river.river_job SET attempted_at = now() - interval '91 seconds' WHERE queue = 'webhooks' AND state = 'running'`)
	x.Replica(t, loopback)
	again := next(t, r.came)
	if again.id != first.id {
		t.Errorf("%s came, want %s again", again.id, first.id)
	}
	d = x.delivery(hook.ID, func(d api.Delivery) bool { return attempted(2)(d) && d.State == api.DeliveryDelivered })
	if d.Log[0].Fault == nil || d.Log[0].Fault.Code != string(api.CodeDeliveryLost) {
		t.Errorf("the attempt that was cut off is %+v", d.Log[0])
	}
	// The one that was not dead after all has nothing more to say.
	finish()
	if d = x.delivery(hook.ID, attempted(2)); len(d.Log) != 2 || d.Log[0].Fault == nil {
		t.Errorf("the delivery is %+v", d)
	}
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
