package agent

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/stickpress/stickpress/agent/protocol"
)

const (
	handshakeTime = 15 * time.Second
	writeTime     = 15 * time.Second // one message
)

// handshake opens a connection and proves both sides to each other. Nothing
// but the proof is said before the server has shown the pinned key.
func (a *Agent) handshake(ctx context.Context) (*websocket.Conn, *protocol.Welcome, error) {
	dialer := websocket.Dialer{
		Proxy:            http.ProxyFromEnvironment,
		NetDialContext:   a.cfg.Dial,
		TLSClientConfig:  a.tls,
		HandshakeTimeout: handshakeTime,
	}
	// http → ws, https → wss.
	conn, resp, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(a.cfg.State.URL, "http")+protocol.PathSocket, nil)
	if err != nil {
		if resp != nil {
			_ = resp.Body.Close()
			err = fmt.Errorf("%w: the server answered %s", err, resp.Status)
		}
		return nil, nil, err
	}
	_ = resp.Body.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	welcome, err := a.prove(conn)
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return conn, welcome, nil
}

// prove is Challenge, Hello, Welcome.
func (a *Agent) prove(conn *websocket.Conn) (*protocol.Welcome, error) {
	st := a.cfg.State
	conn.SetReadLimit(protocol.MaxMessage)
	_ = conn.SetReadDeadline(time.Now().Add(handshakeTime)) // never fails on an open connection
	m, err := receive(conn)
	if err != nil {
		return nil, err
	}
	challenge, ok := m.(*protocol.Challenge)
	if !ok {
		return nil, fmt.Errorf("the server began with %s", m.MessageType())
	}
	if !bytes.Equal(challenge.ServerKey, st.ServerKey) {
		return nil, fmt.Errorf("%w: it claims %x, pinned is %x", errServerKey, challenge.ServerKey, st.ServerKey)
	}
	hello, err := a.hello(challenge)
	if err != nil {
		return nil, err
	}
	if err := send(conn, hello); err != nil {
		return nil, err
	}
	if m, err = receive(conn); err != nil {
		return nil, err
	}
	switch m := m.(type) {
	case *protocol.Reject:
		return nil, rejected(m, protocol.VerifyReject(st.ServerKey, challenge, hello, m))
	case *protocol.Welcome:
		if !protocol.VerifyServer(st.ServerKey, challenge, hello, m) {
			return nil, errServerKey
		}
		if m.Protocol < protocol.MinVersion || m.Protocol > protocol.Version {
			return nil, fmt.Errorf("the server chose protocol %d, this agent speaks %d to %d", m.Protocol, protocol.MinVersion, protocol.Version)
		}
		return m, nil
	default:
		return nil, fmt.Errorf("the server answered hello with %s", m.MessageType())
	}
}

func (a *Agent) hello(c *protocol.Challenge) (*protocol.Hello, error) {
	h := &protocol.Hello{
		HostID: a.cfg.State.HostID, Nonce: make([]byte, protocol.NonceSize),
		ProtocolMin: protocol.MinVersion, ProtocolMax: protocol.Version,
		Version: a.cfg.Version, OS: runtime.GOOS, Arch: runtime.GOARCH, Capabilities: a.cfg.Capabilities,
	}
	if _, err := rand.Read(h.Nonce); err != nil {
		return nil, fmt.Errorf("make nonce: %w", err)
	}
	var err error
	if h.Hostname, err = os.Hostname(); err != nil {
		return nil, fmt.Errorf("name of this machine: %w", err)
	}
	h.Signature = protocol.SignAgent(a.cfg.State.key(), c, h)
	return h, nil
}

// rejected turns a Reject into an error. A revoked host stops, and its sticks
// with it, so that only its own server can say so; all else may be put right
// on the server's side while this host keeps asking.
func rejected(r *protocol.Reject, proven bool) error {
	f := r.Fault
	if f == nil {
		f = protocol.NewFault(protocol.FaultInternal)
	}
	switch {
	case f.Code == protocol.FaultRevoked && proven:
		return ErrRevoked
	case f.Code == protocol.FaultRevoked:
		return fmt.Errorf("%w: it says that this host was revoked", errServerKey)
	}
	return fmt.Errorf("the server rejects this host: %w", f)
}

func send(conn *websocket.Conn, m protocol.Message) error {
	raw, err := protocol.Encode(m)
	if err != nil {
		return err
	}
	if len(raw) > protocol.MaxMessage {
		return fmt.Errorf("message %s of %d bytes is above the limit", m.MessageType(), len(raw))
	}
	_ = conn.SetWriteDeadline(time.Now().Add(writeTime)) // only stores it
	if err := conn.WriteMessage(websocket.TextMessage, raw); err != nil {
		return fmt.Errorf("send %s: %w", m.MessageType(), err)
	}
	return nil
}

// receive reads the next message that this version knows.
func receive(conn *websocket.Conn) (protocol.Message, error) {
	for {
		_, raw, err := conn.ReadMessage()
		if err != nil {
			return nil, fmt.Errorf("receive: %w", err)
		}
		m, err := protocol.Decode(raw)
		if errors.Is(err, protocol.ErrUnknownType) {
			continue
		}
		return m, err
	}
}
