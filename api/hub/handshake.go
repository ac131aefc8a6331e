package hub

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
)

// socket upgrades a request, proves both sides to each other and starts to
// serve the connection. The request is over then, and what it needed is free.
func (h *Hub) socket(w http.ResponseWriter, r *http.Request) {
	if !h.enter() {
		w.Header().Set("Retry-After", "5")
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	select {
	case h.handshakes <- struct{}{}:
	default:
		h.leave()
		w.Header().Set("Retry-After", "1")
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	c, err := h.accept(w, r)
	<-h.handshakes
	if err != nil {
		h.leave()
		h.log.Info("host not accepted", "address", r.RemoteAddr, "error", err)
		return
	}
	go func() {
		defer h.leave()
		c.serve()
	}()
}

// accept runs the handshake. On an error the socket is closed.
func (h *Hub) accept(w http.ResponseWriter, r *http.Request) (_ *conn, err error) {
	key, err := h.deps.Console.ServerKey(r.Context())
	if err != nil {
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return nil, err
	}
	ws, err := h.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return nil, fmt.Errorf("upgrade: %w", err)
	}
	defer func() {
		if err != nil {
			_ = ws.Close()
		}
	}()
	ws.SetReadLimit(protocol.MaxMessage)
	_ = ws.SetReadDeadline(time.Now().Add(handshakeTime))

	challenge := &protocol.Challenge{Nonce: make([]byte, protocol.NonceSize), ServerKey: key.Public().(ed25519.PublicKey)}
	if _, err := io.ReadFull(h.deps.Rand, challenge.Nonce); err != nil {
		return nil, fmt.Errorf("make a nonce: %w", err)
	}
	if err := send(ws, challenge); err != nil {
		return nil, err
	}
	hello, err := readHello(ws)
	if err != nil {
		return nil, err
	}
	session, version, err := h.admit(r.Context(), challenge, hello)
	if err != nil {
		reject(ws, err, func(code string) []byte { return protocol.SignReject(key, challenge, hello, code) })
		return nil, err
	}
	welcome := &protocol.Welcome{
		Protocol:         version,
		Session:          session.Session,
		Signature:        protocol.SignServer(key, challenge, hello),
		HeartbeatSeconds: max(1, int(h.deps.Heartbeat/time.Second)),
	}
	if err := send(ws, welcome); err != nil {
		return nil, err
	}
	return newConn(h, ws, session), nil
}

// admit decides whether a host may connect, and as which session.
func (h *Hub) admit(ctx context.Context, ch *protocol.Challenge, hello *protocol.Hello) (api.HostSession, int, error) {
	key, err := h.deps.Console.HostKey(ctx, hello.HostID)
	if err != nil {
		return api.HostSession{}, 0, err
	}
	if !protocol.VerifyAgent(key, ch, hello) {
		return api.HostSession{}, 0, protocol.NewFault("proof_invalid")
	}
	if hello.ProtocolMax < protocol.MinVersion || hello.ProtocolMin > protocol.Version {
		if err := h.deps.Console.HostOutdated(ctx, hello); err != nil {
			return api.HostSession{}, 0, err
		}
		return api.HostSession{}, 0, protocol.NewFault("update_needed",
			"have_min", hello.ProtocolMin, "have_max", hello.ProtocolMax,
			"want_min", protocol.MinVersion, "want_max", protocol.Version)
	}
	session, err := h.deps.Console.HostConnected(ctx, hello)
	return session, min(hello.ProtocolMax, protocol.Version), err
}

func readHello(ws *websocket.Conn) (*protocol.Hello, error) {
	_, raw, err := ws.ReadMessage()
	if err != nil {
		return nil, fmt.Errorf("read hello: %w", err)
	}
	m, err := protocol.Decode(raw)
	if err != nil {
		return nil, err
	}
	hello, ok := m.(*protocol.Hello)
	if !ok {
		return nil, fmt.Errorf("first message is %s, not hello", m.MessageType())
	}
	return hello, nil
}

// reject tells an agent why, as far as that is its business, and proves that it
// is its own server that says so.
func reject(ws *websocket.Conn, err error, sign func(code string) []byte) {
	var pf *protocol.Fault
	if !errors.As(err, &pf) {
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind == fault.KindInternal {
			_ = ws.WriteControl(websocket.CloseMessage,
				websocket.FormatCloseMessage(websocket.CloseTryAgainLater, ""), time.Now().Add(writeTime))
			return
		}
		pf = &protocol.Fault{Code: string(f.Code), Params: f.Params}
	}
	_ = send(ws, &protocol.Reject{Fault: &protocol.Fault{Code: pf.Code, Params: pf.Params}, Signature: sign(pf.Code)})
	_ = ws.WriteControl(websocket.CloseMessage,
		websocket.FormatCloseMessage(websocket.ClosePolicyViolation, pf.Code), time.Now().Add(writeTime))
}

// send writes one message before the writer of a connection runs.
func send(ws *websocket.Conn, m protocol.Message) error {
	raw, err := protocol.Encode(m)
	if err != nil {
		return err
	}
	_ = ws.SetWriteDeadline(time.Now().Add(writeTime))
	if err := ws.WriteMessage(websocket.TextMessage, raw); err != nil {
		return fmt.Errorf("send %s: %w", m.MessageType(), err)
	}
	return nil
}

// peer is the address of the other side without its port.
func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
