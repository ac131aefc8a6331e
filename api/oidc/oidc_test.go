package oidc_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/oidc"
)

// A provider that is away is asked once in a while, not by everybody.
func TestFailureIsKept(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		http.Error(w, "away", http.StatusBadGateway)
	}))
	defer away.Close()
	now := time.Unix(1, 0)
	p := oidc.New(oidc.Config{Issuer: away.URL, ClientID: "console", Clock: func() time.Time { return now }})
	begin := func(want int64) {
		t.Helper()
		_, err := p.Begin(t.Context())
		if f := fault.From(err); f == nil || f.Code != oidc.CodeUnavailable || asked.Load() != want {
			t.Errorf("error %v, asked %d times, want %d", err, asked.Load(), want)
		}
	}
	begin(1)
	begin(1)
	now = now.Add(5 * time.Second)
	begin(2)
}
