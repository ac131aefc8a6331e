package api_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
)

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

// What is to be sent and has no work in the queue any more, as after a restore,
// is sent all the same; what has some is not sent twice.
func TestForgottenDeliveries(t *testing.T) {
	t.Parallel()
	x, r := newWebhooks(t), newReceiver(t)
	r.answers(status(http.StatusInternalServerError))
	hook := x.create(r.URL, "job.cancelled")
	x.happen()
	first := next(t, r.came)
	x.delivery(hook.ID, attempted(1))
	sql(t, x.Fixture, `UPDATE river.river_job SET state = 'scheduled', scheduled_at = now() + interval '1 day' WHERE queue = 'webhooks'`)
	x.happen()
	second := next(t, r.came)
	d := x.delivery(hook.ID, attempted(1))
	r.answers(nil)
	sql(t, x.Fixture, `DELETE FROM river.river_job WHERE args->>'message_id' = '`+d.ID+`'`)
	sql(t, x.Fixture, `UPDATE webhook_messages SET next_at = now() - interval '2 minutes'`)
	x.Replica(t, loopback)
	if again := next(t, r.came); again.id != second.id {
		t.Errorf("%s comes, want %s and not %s", again.id, second.id, first.id)
	}
	x.delivery(hook.ID, func(d api.Delivery) bool { return d.State == api.DeliveryDelivered })
	if len(r.came) != 0 {
		t.Errorf("%d more messages come", len(r.came))
	}
}

func sql(t *testing.T, f *apitest.Fixture, statement string) {
	t.Helper()
	if _, err := f.Store.Pool().Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
