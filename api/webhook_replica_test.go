package api_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/stickpress/stickpress/api"
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
