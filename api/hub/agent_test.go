package hub_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/gorilla/websocket"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/hub"
	"github.com/stickpress/stickpress/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// patience bounds each wait; only a broken test takes that long.
const patience = 2 * time.Minute

// serve starts a hub on a console.
func serve(t *testing.T, c *api.Console, change ...func(*hub.Deps)) (*hub.Hub, string) {
	t.Helper()
	deps := hub.Deps{
		Console: c, Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})),
		Poll: time.Second, DrainWithin: time.Millisecond,
	}
	for _, f := range change {
		f(&deps)
	}
	h := hub.New(deps)
	r := chi.NewRouter()
	h.Routes(r)
	srv := httptest.NewServer(r)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // nobody need be waited for
		h.Drain(ctx)
		srv.Close()
	})
	return h, srv.URL
}

// agent is a host's end of a connection, as far as the tests need one.
type agent struct {
	t       *testing.T
	ws      *websocket.Conn
	welcome *protocol.Welcome
	got     chan protocol.Message // closed when the socket ends
	pending []protocol.Message    // read, and not asked for yet
}

func dial(t *testing.T, url string) (*websocket.Conn, *protocol.Challenge) {
	t.Helper()
	ws, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(url, "http")+protocol.PathSocket, nil)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = ws.Close() })
	ch, ok := read(t, ws).(*protocol.Challenge)
	if !ok {
		t.Fatal("the first message is no challenge")
	}
	return ws, ch
}

func read(t *testing.T, ws *websocket.Conn) protocol.Message {
	t.Helper()
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	_, raw, err := ws.ReadMessage()
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	m, err := protocol.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func write(t *testing.T, ws *websocket.Conn, m protocol.Message) {
	t.Helper()
	raw, err := protocol.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := ws.WriteMessage(websocket.TextMessage, raw); err != nil {
		t.Fatalf("send %s: %v", m.MessageType(), err)
	}
}

// sign completes a hello with the host's proof.
func sign(t *testing.T, key ed25519.PrivateKey, ch *protocol.Challenge, hello *protocol.Hello) {
	t.Helper()
	hello.Nonce = make([]byte, protocol.NonceSize)
	if _, err := rand.Read(hello.Nonce); err != nil {
		t.Fatal(err)
	}
	hello.Signature = protocol.SignAgent(key, ch, hello)
}

// connect runs a whole handshake and checks the server's proof.
func connect(t *testing.T, url string, h apitest.Host) *agent {
	t.Helper()
	ws, ch := dial(t, url)
	hello := h.Hello()
	sign(t, h.Key, ch, hello)
	write(t, ws, hello)
	welcome, ok := read(t, ws).(*protocol.Welcome)
	if !ok {
		t.Fatal("the host was not welcome")
	}
	if !protocol.VerifyServer(h.ServerKey, ch, hello, welcome) {
		t.Fatal("the server did not prove the key that enrolment pinned")
	}
	a := &agent{t: t, ws: ws, welcome: welcome, got: make(chan protocol.Message, protocol.SendQueue)}
	_ = ws.SetReadDeadline(time.Time{})
	go func() {
		defer close(a.got)
		for {
			_, raw, err := ws.ReadMessage()
			if err != nil {
				return
			}
			if m, err := protocol.Decode(raw); err == nil {
				a.got <- m
			}
		}
	}()
	return a
}

func (a *agent) send(m protocol.Message) {
	a.t.Helper()
	write(a.t, a.ws, m)
}

// want returns the next message of type M, keeping others for later.
func want[M protocol.Message](a *agent) M {
	a.t.Helper()
	for i, m := range a.pending {
		if found, ok := m.(M); ok {
			a.pending = append(a.pending[:i:i], a.pending[i+1:]...)
			return found
		}
	}
	late := time.After(patience)
	for {
		select {
		case m, ok := <-a.got:
			if !ok {
				a.t.Fatalf("the socket ended before the %T came", *new(M))
			}
			if found, ok := m.(M); ok {
				return found
			}
			a.pending = append(a.pending, m)
		case <-late:
			a.t.Fatalf("no %T came", *new(M))
		}
	}
}

// wantEnd waits for the socket to end.
func (a *agent) wantEnd() {
	a.t.Helper()
	late := time.After(patience)
	for {
		select {
		case m, ok := <-a.got:
			if !ok {
				return
			}
			a.pending = append(a.pending, m)
		case <-late:
			a.t.Fatal("the socket did not end")
		}
	}
}

// resume says what the host holds.
func (a *agent) resume(attempts ...protocol.AttemptState) {
	a.t.Helper()
	a.send(&protocol.Resume{Attempts: attempts})
}

// event is the n-th event of an attempt.
func event(b protocol.Build, n int64, typ protocol.EventType) protocol.Event {
	e := protocol.Event{
		AttemptRef: protocol.AttemptRef{BuildID: b.BuildID, Attempt: b.Attempt}, HostSeq: n, Type: typ, At: time.Now(),
	}
	switch typ {
	case protocol.EventVerified:
		e.Result = &protocol.Result{BytesWritten: 10, BytesVerified: 10, DiskID: "0x1"}
	case protocol.EventFailed, protocol.EventCancelled:
		e.Fault = protocol.NewFault(protocol.FaultCancelled)
	default:
	}
	return e
}

// post sends JSON and returns the status, decoding the answer into out.
func post(t *testing.T, url string, body, out any) int {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// waitJob follows a job until it is as wanted.
func waitJob(t *testing.T, c *api.Console, a api.Actor, id string, ok func(*api.Job) bool) api.Job {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	updates, err := c.WatchJob(ctx, a, id, 0)
	if err != nil {
		t.Fatal(err)
	}
	var last api.Job
	for u := range updates {
		if last = u.Job; ok(&last) {
			return last
		}
	}
	t.Fatalf("the job never got there: it is %s, builds %+v (%v)", last.State, last.Builds, ctx.Err())
	return last
}
