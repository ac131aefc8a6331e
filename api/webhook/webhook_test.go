package webhook_test

import (
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/stickpress/stickpress/api/webhook"
)

// The specification's own example (spec/standard-webhooks.md, "Signature").
func TestSignature(t *testing.T) {
	t.Parallel()
	h, err := webhook.Header("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`), []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
	if err != nil || h.Get("webhook-signature") != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" ||
		h.Get("webhook-id") != "msg_p5jXN8AQM9LWM0D4loKWxJek" || h.Get("webhook-timestamp") != "1614265330" {
		t.Errorf("the header is %v, %v", h, err)
	}
}

// While a secret is replaced a receiver that knows either takes the message,
// and one that knows neither does not.
func TestRotation(t *testing.T) {
	t.Parallel()
	var secrets []string
	for range 3 {
		s, err := webhook.NewSecret(rand.Reader)
		if err != nil || !strings.HasPrefix(s, "whsec_") {
			t.Fatalf("the secret is %q, %v", s, err)
		}
		secrets = append(secrets, s)
	}
	body := []byte(`{"type":"ping"}`)
	h, err := webhook.Header("msg_1", time.Now(), body, secrets[:2])
	if err != nil {
		t.Fatal(err)
	}
	for i, secret := range secrets {
		key, err := standard.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := key.Verify(body, h); (err == nil) != (i < 2) {
			t.Errorf("secret %d: %v", i, err)
		}
		if err := key.Verify([]byte(`{"type":"pong"}`), h); err == nil {
			t.Errorf("secret %d takes another body", i)
		}
	}
	if _, err := webhook.Header("msg_1", time.Now(), body, []string{"whsec_***"}); err == nil {
		t.Error("a secret that is none signs")
	}
}

// All attempts lie within a day, whatever chance says; chance only brings them
// forward; Retry-After is waited for.
func TestDelay(t *testing.T) {
	t.Parallel()
	for _, chance := range []float64{0, 0.5, 1} {
		var all, before time.Duration
		n := 1
		for ; ; n++ {
			d, ok := webhook.Delay(n, chance, nil)
			if !ok {
				break
			}
			if d <= before {
				t.Errorf("attempt %d is due %s after the one before, no later than the last time", n+1, d)
			}
			all, before = all+d, d
		}
		if n != 11 || all > 24*time.Hour || all < 18*time.Hour {
			t.Errorf("with chance %v there are %d attempts within %s", chance, n, all)
		}
	}
	for header, want := range map[string]time.Duration{"60": time.Minute, "1": 5 * time.Second, "99999999999": time.Hour, "86400": time.Hour, "-5": 5 * time.Second, "Wed, 21 Oct 2026 07:28:00 GMT": 5 * time.Second} {
		if d, _ := webhook.Delay(1, 0, http.Header{"Retry-After": {header}}); d != want {
			t.Errorf("Retry-After %s: %s, want %s", header, d, want)
		}
	}
	for _, n := range []int{-1, 0, 11, 1 << 40} {
		if _, ok := webhook.Delay(n, 0, nil); ok {
			t.Errorf("attempt %d is followed by another", n)
		}
	}
}
