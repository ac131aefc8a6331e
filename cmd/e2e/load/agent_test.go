package load

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/apitest"
)

// patience bounds each wait; only a broken machine takes that long.
const patience = 2 * time.Minute

// agent is a host's end of a connection that says what it must.
type agent struct{ ws *websocket.Conn }

// dial runs a whole handshake and says what the host sees. It is given nothing
// before it resumes.
func dial(ctx context.Context, url string, h apitest.Host, devices []protocol.Device) (*agent, error) {
	ws, err := open(ctx, url)
	if err != nil {
		return nil, err
	}
	a := &agent{ws}
	m, err := a.read()
	if err != nil {
		return nil, err
	}
	challenge, ok := m.(*protocol.Challenge)
	if !ok {
		return nil, fmt.Errorf("%s is no challenge", m.MessageType())
	}
	hello := h.Hello()
	hello.Nonce = make([]byte, protocol.NonceSize)
	_, _ = rand.Read(hello.Nonce)
	hello.Signature = protocol.SignAgent(h.Key, challenge, hello)
	if err := a.send(hello); err != nil {
		return nil, err
	}
	m, err = a.read()
	if err != nil {
		return nil, err
	}
	if _, ok := m.(*protocol.Welcome); !ok {
		return nil, fmt.Errorf("%s is no welcome", m.MessageType())
	}
	return a, a.send(&protocol.Inventory{Devices: devices})
}

// open opens a hosts' socket. Only so many hosts prove themselves at the same
// time: the others come again.
func open(ctx context.Context, url string) (*websocket.Conn, error) {
	dialer := websocket.Dialer{
		ReadBufferSize: 1 << 10, WriteBufferSize: 1 << 10, HandshakeTimeout: patience,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // a host knows its server by its key
	}
	for {
		ws, resp, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(url, "http")+protocol.PathSocket, nil)
		if err == nil {
			return ws, resp.Body.Close()
		}
		if resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
			return nil, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (a *agent) send(m protocol.Message) error {
	raw, err := protocol.Encode(m)
	if err != nil {
		return err
	}
	return a.ws.WriteMessage(websocket.TextMessage, raw)
}

func (a *agent) read() (protocol.Message, error) {
	for {
		_, raw, err := a.ws.ReadMessage()
		if err != nil {
			return nil, err
		}
		m, err := protocol.Decode(raw)
		if !errors.Is(err, protocol.ErrUnknownType) {
			return m, err
		}
	}
}

// finished is what an agent reports of builds that it did, in one message: that
// it took them, wrote to their sticks, and read them back.
func finished(a *protocol.Assign) *protocol.Events {
	out := &protocol.Events{}
	for _, b := range a.Builds {
		for i, typ := range []protocol.EventType{protocol.EventAccepted, protocol.EventTouched, protocol.EventVerified} {
			e := protocol.Event{
				AttemptRef: protocol.AttemptRef{BuildID: b.BuildID, Attempt: b.Attempt}, HostSeq: int64(i + 1), Type: typ, At: time.Now(),
			}
			if typ == protocol.EventVerified {
				e.Result = &protocol.Result{BytesWritten: 10, BytesVerified: 10, DiskID: "0x1"}
			}
			out.Events = append(out.Events, e)
		}
	}
	return out
}
