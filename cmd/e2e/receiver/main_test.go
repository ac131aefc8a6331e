package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/webhook"
	"github.com/stickpress/stickpress/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// deliver sends a message as Stickpress does, and returns the status.
func deliver(t *testing.T, r http.Handler, id string, at time.Time, body, signed string) int {
	t.Helper()
	h, err := webhook.Header(id, at, []byte(body), []string{signed})
	if err != nil {
		t.Fatal(err)
	}
	q := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	q.Header = h
	w := httptest.NewRecorder()
	r.ServeHTTP(w, q)
	return w.Code
}

// What is not genuine, too old or no event is refused; what comes twice is taken
// once; what could not be acted on is asked for again.
func TestReceiver(t *testing.T) {
	t.Parallel()
	var acted []Event
	var broken error
	r, err := newReceiver(secret, func(e Event) error {
		if broken == nil {
			acted = append(acted, e)
		}
		return broken
	})
	if err != nil {
		t.Fatal(err)
	}
	const body = `{"id":"evt_1j1","type":"job.succeeded","timestamp":"2026-11-27T20:00:00Z","data":{"job_id":"job_1","external_ref":{"system":"ticket","id":"CHG-1"}}}`
	now := time.Now()
	for name, c := range map[string]struct {
		id, body, signed string
		at               time.Time
		want             int
	}{
		"another's secret": {"msg_1", body, "whsec_c2VjcmV0IG9mIHNvbWVib2R5IGVsc2U=", now, http.StatusUnauthorized},
		"replayed":         {"msg_1", body, secret, now.Add(-time.Hour), http.StatusUnauthorized},
		"no event":         {"msg_1", "[]", secret, now, http.StatusBadRequest},
		"huge":             {"msg_1", strings.Repeat(" ", maxBody+1), secret, now, http.StatusBadRequest},
	} {
		if got := deliver(t, r, c.id, c.at, c.body, c.signed); got != c.want {
			t.Errorf("%s is answered %d, want %d", name, got, c.want)
		}
	}
	broken = errors.New("the ticket system is away")
	if got := deliver(t, r, "msg_1", now, body, secret); got != http.StatusServiceUnavailable {
		t.Errorf("what could not be acted on is answered %d", got)
	}
	broken = nil
	for range 2 {
		if got := deliver(t, r, "msg_1", now, body, secret); got != http.StatusNoContent {
			t.Errorf("a message is answered %d", got)
		}
	}
	if len(acted) != 1 || acted[0].Type != "job.succeeded" || acted[0].Data.ExternalRef.ID != "CHG-1" {
		t.Errorf("acted on %+v", acted)
	}
}

// It takes what a console sends.
func TestReceiverOfAConsole(t *testing.T) {
	t.Parallel()
	f := apitest.New(t, func(d *api.Deps) {
		d.Config = append(d.Config, api.Setting{Name: api.SettingOutbound, Value: "127.0.0.1", Origin: api.OriginFlag})
	})
	came := make(chan Event, 10)
	var handler http.Handler
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { handler.ServeHTTP(w, q) }))
	defer s.Close()
	hook, err := f.CreateWebhook(t.Context(), f.Admin, api.SaveWebhookInput{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	if handler, err = newReceiver(hook.Secret, func(e Event) error { came <- e; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := f.PingWebhook(t.Context(), f.Admin, hook.ID); err != nil {
		t.Fatal(err)
	}
	select {
	case e := <-came:
		if e.Type != api.EventPing {
			t.Errorf("a test came as %+v", e)
		}
	case <-time.After(time.Minute):
		l, _ := f.ListDeliveries(t.Context(), f.Admin, hook.ID, api.DeliveryFilter{}, api.Page{})
		raw, _ := json.Marshal(l)
		t.Errorf("nothing came: %s", raw)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args   []string
		secret string
	}{{nil, secret}, {[]string{"127.0.0.1:0"}, ""}, {[]string{"127.0.0.1:0"}, "whsec_***"}} {
		if err := run(c.args, c.secret, nil); err == nil {
			t.Errorf("%v with %q runs", c.args, c.secret)
		}
	}
}
