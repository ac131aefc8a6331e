package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
)

// conn is one host's connection after its handshake. While the host has nothing
// to say and nothing to do, one goroutine waits for it: what is sent, looked for
// or taken has a goroutine for as long as that takes.
type conn struct {
	hub     *Hub
	ws      *websocket.Conn
	session api.HostSession

	ctx context.Context // ends with the connection
	end context.CancelFunc

	closing  atomic.Bool
	draining atomic.Bool
	resumed  atomic.Bool  // the host has said what it holds: work may be given
	lookAt   atomic.Int64 // when to look for work without being woken, in Unix nanoseconds
	beatAt   atomic.Int64 // when to send the next heartbeat

	mu       sync.Mutex
	busy     sync.WaitGroup // write and look
	over     bool           // nothing is sent or looked for any more
	queue    [][]byte       // encoded messages to send
	beating  bool           // a heartbeat is to be sent
	farewell []byte         // sent after the queue, then closed
	writing  bool
	looking  bool
	again    bool // look once more

	toldMu sync.Mutex
	told   map[order]bool // cancellations that were delivered
	asked  map[protocol.WantRecord]bool
}

// order is one attempt of a protocol.Cancel.
type order struct {
	protocol.AttemptRef
	fenced bool
}

func newConn(h *Hub, ws *websocket.Conn, s api.HostSession) *conn {
	c := &conn{hub: h, ws: ws, session: s}
	c.ctx, c.end = context.WithCancel(context.Background())
	c.beatAt.Store(time.Now().Add(h.deps.Heartbeat).UnixNano())
	c.lookAt.Store(time.Now().Add(h.deps.Poll).UnixNano())
	return c
}

// log names the connection in what is logged of it.
func (c *conn) log() *slog.Logger {
	return c.hub.log.With("host_id", c.session.HostID, "host", c.session.Name, "session", c.session.Session)
}

// serve runs the connection and returns when all of it has ended.
func (c *conn) serve() {
	c.hub.join(c)
	c.hub.startClock()
	c.log().Info("host connected")
	unwatch := c.hub.deps.Console.OnHost(c.session, c.wake)
	err := c.read()
	unwatch()
	c.end()
	_ = c.ws.Close()
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	c.busy.Wait()
	c.hub.part(c)
	// The connection's own context is over; the farewell must still be noted.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), writeTime)
	defer cancel()
	if derr := c.hub.deps.Console.HostDisconnected(ctx, c.session); derr != nil {
		c.log().Warn("disconnection not recorded", "error", derr)
	}
	c.log().Info("host disconnected", "reason", err)
}

// tick does what is due at a time: a heartbeat, a look for work.
func (c *conn) tick(now time.Time) {
	if at := now.UnixNano(); at >= c.beatAt.Load() {
		c.beatAt.Store(now.Add(c.hub.deps.Heartbeat).UnixNano())
		c.mu.Lock()
		c.beating = true
		c.startWriting()
		c.mu.Unlock()
	}
	if now.UnixNano() >= c.lookAt.Load() {
		c.wake()
	}
}

// wake makes the connection look for work at once; it never blocks.
func (c *conn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over:
	case c.looking:
		c.again = true
	default:
		c.looking = true
		c.busy.Go(c.lookOut)
	}
}

// send queues a message. A host that does not keep up loses its connection,
// not its messages: everything is said again when it comes back.
func (c *conn) send(m protocol.Message) error {
	raw, err := protocol.Encode(m)
	if err != nil {
		return err
	}
	if len(raw) > protocol.MaxMessage {
		return fmt.Errorf("%s of %d bytes is longer than a message may be", m.MessageType(), len(raw))
	}
	c.mu.Lock()
	full := len(c.queue) >= protocol.SendQueue
	if !full && !c.over {
		c.queue = append(c.queue, raw)
		c.startWriting()
	}
	c.mu.Unlock()
	if full {
		c.stop(websocket.CloseTryAgainLater, "send queue full")
		return errors.New("send queue is full")
	}
	return nil
}

// stop closes the connection after what is queued has been sent; messages that
// arrive from now on are not taken.
func (c *conn) stop(code int, reason string) {
	if !c.closing.CompareAndSwap(false, true) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.farewell = websocket.FormatCloseMessage(code, reason)
	c.startWriting()
}

// drain asks the agent to take no new work here and to come back elsewhere.
func (c *conn) drain() {
	if c.draining.CompareAndSwap(false, true) {
		_ = c.send(&protocol.Drain{WithinMS: c.hub.deps.DrainWithin.Milliseconds()})
	}
}

// startWriting lets somebody write what there is. The caller holds mu.
func (c *conn) startWriting() {
	if c.writing || c.over || c.ws == nil {
		return
	}
	c.writing = true
	c.busy.Go(c.write)
}

// write sends what is queued until there is nothing left; it alone writes to
// the socket.
func (c *conn) write() {
	for {
		c.mu.Lock()
		queue, beat, farewell := c.queue, c.beating, c.farewell
		c.queue, c.beating = nil, false
		c.writing = len(queue) > 0 || beat || farewell != nil
		c.over = c.over || farewell != nil
		writing := c.writing
		c.mu.Unlock()
		if !writing {
			return
		}
		for _, raw := range queue {
			if !c.put(raw) {
				c.fail()
				return
			}
		}
		if beat && c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTime)) != nil {
			c.fail()
			return
		}
		if farewell != nil {
			_ = c.ws.WriteControl(websocket.CloseMessage, farewell, time.Now().Add(writeTime))
			// Closing now could make the kernel throw away what the agent has
			// not read yet: let it answer first.
			_ = c.ws.SetReadDeadline(time.Now().Add(closeTime))
			return
		}
	}
}

// fail ends a connection that takes nothing any more.
func (c *conn) fail() {
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	_ = c.ws.Close() // ends read
}

func (c *conn) put(raw []byte) bool {
	_ = c.ws.SetWriteDeadline(time.Now().Add(writeTime))
	return c.ws.WriteMessage(websocket.TextMessage, raw) == nil
}

// read takes messages until the socket ends, and returns why.
func (c *conn) read() error {
	alive := func() {
		if !c.closing.Load() {
			_ = c.ws.SetReadDeadline(time.Now().Add(3 * c.hub.deps.Heartbeat))
		}
	}
	alive()
	c.ws.SetPongHandler(func(string) error {
		alive()
		return nil
	})
	ping := c.ws.PingHandler()
	c.ws.SetPingHandler(func(data string) error {
		alive()
		return ping(data)
	})
	for {
		_, raw, err := c.ws.ReadMessage()
		if err != nil {
			return err
		}
		if c.closing.Load() {
			continue // what is refused now comes again on the next connection
		}
		alive()
		c.handle(raw)
	}
}

// handle takes one message. It has a goroutine of its own, so that the stack
// that this needs is not kept by one that waits for the next.
func (c *conn) handle(raw []byte) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if v := recover(); v != nil {
				c.log().Error("message handler panicked", "panic", v, "stack", string(debug.Stack()))
				c.stop(websocket.CloseInternalServerErr, "")
			}
		}()
		m, err := protocol.Decode(raw)
		if errors.Is(err, protocol.ErrUnknownType) {
			c.log().Debug("message of a newer agent skipped", "error", err)
			return
		}
		if err == nil {
			err = c.take(m)
		}
		if err != nil {
			c.refuse(err)
		}
	}()
	<-done
}
