package hub_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/hub"
)

func TestHandshakeRefusals(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, url := serve(t, f.Console)
	host, other := f.Enroll(t, "bench"), f.Enroll(t, "other")
	revoked := f.Enroll(t, "revoked")
	if _, err := f.RevokeHost(t.Context(), f.Admin, api.ChangeHostInput{ID: revoked.ID}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		host   apitest.Host
		change func(*protocol.Challenge, *protocol.Hello)
		code   string
	}{
		{"wrong key", apitest.Host{ID: host.ID, Key: other.Key}, nil, "proof_invalid"},
		{"bad proof", host, func(_ *protocol.Challenge, h *protocol.Hello) { h.Signature[0] ^= 1 }, "proof_invalid"},
		{"proof of another challenge", host, func(c *protocol.Challenge, h *protocol.Hello) {
			old := &protocol.Challenge{Nonce: make([]byte, protocol.NonceSize), ServerKey: c.ServerKey}
			h.Signature = protocol.SignAgent(host.Key, old, h)
		}, "proof_invalid"},
		{"unknown", apitest.Host{ID: "host_01jd6y9k3te0mv8b0g2z5q4w7x", Key: host.Key}, nil, "host_unknown"},
		{"revoked", revoked, nil, "host_revoked"},
		{"too new", host, func(_ *protocol.Challenge, h *protocol.Hello) {
			h.ProtocolMin, h.ProtocolMax = protocol.Version+1, protocol.Version+2
		}, "update_needed"},
	} {
		ws, ch := dial(t, url)
		hello := tt.host.Hello()
		sign(t, tt.host.Key, ch, hello)
		if tt.change != nil {
			tt.change(ch, hello)
		}
		write(t, ws, hello)
		r, ok := read(t, ws).(*protocol.Reject)
		if !ok || r.Fault.Code != tt.code {
			t.Errorf("%s: got %+v, want %s", tt.name, r, tt.code)
		}
		if ok && !protocol.VerifyReject(ch.ServerKey, ch, hello, r) {
			t.Errorf("%s: the server does not prove that it is its word", tt.name)
		}
		if _, _, err := ws.ReadMessage(); err == nil {
			t.Errorf("%s: the socket stays open", tt.name)
		}
	}
	h, err := f.GetHost(t.Context(), f.Viewer, "bench")
	if err != nil || !h.UpdateNeeded || h.Online {
		t.Errorf("host is %+v (%v), want it shown as in need of an update", h, err)
	}
}

func TestOriginAndFirstMessage(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, url := serve(t, f.Console)
	header := http.Header{"Origin": {url}}
	ws, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(url, "http")+protocol.PathSocket, header)
	if err == nil {
		_ = ws.Close()
		t.Fatal("a browser's socket was accepted")
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("status %d, want 403", resp.StatusCode)
	}
	raw, _ := dial(t, url)
	write(t, raw, &protocol.Resume{})
	if _, _, err := raw.ReadMessage(); err == nil {
		t.Error("a socket that began with a resume stays open")
	}
}

// TestLimits: a message that is too long, and a host that says nothing.
func TestLimits(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	_, url := serve(t, f.Console)
	host := f.Enroll(t, "bench")
	a := connect(t, url, host)
	if err := a.ws.WriteMessage(websocket.TextMessage, make([]byte, protocol.MaxMessage+1)); err != nil {
		t.Fatal(err)
	}
	a.wantEnd()

	_, quick := serve(t, f.Console, func(d *hub.Deps) { d.Heartbeat = 20 * time.Millisecond })
	ws, ch := dial(t, quick)
	hello := host.Hello()
	sign(t, host.Key, ch, hello)
	write(t, ws, hello)
	if w, ok := read(t, ws).(*protocol.Welcome); !ok || w.HeartbeatSeconds < 1 {
		t.Fatalf("welcome is %+v", w)
	}
	// Nobody reads this socket any more, so no ping is answered.
	waitHost(t, f, "bench", func(h *api.Host) bool { return !h.Online })
}
