package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
)

// conn is one host's connection after its handshake.
type conn struct {
	hub     *Hub
	ws      *websocket.Conn
	session api.HostSession
	log     *slog.Logger

	ctx   context.Context // ends with the connection
	end   context.CancelFunc
	queue chan []byte   // encoded messages to send
	nudge chan struct{} // look for work now
	last  chan []byte   // the farewell: sent after the queue, then closed

	stopOnce sync.Once
	closing  atomic.Bool
	draining atomic.Bool
	resumed  atomic.Bool // the host has said what it holds: work may be given

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
	ctx, end := context.WithCancel(context.Background())
	return &conn{
		hub:     h,
		ws:      ws,
		session: s,
		log:     h.log.With("host_id", s.HostID, "host", s.Name, "session", s.Session),
		ctx:     ctx,
		end:     end,
		queue:   make(chan []byte, protocol.SendQueue),
		nudge:   make(chan struct{}, 1),
		last:    make(chan []byte, 1),
		told:    map[order]bool{},
		asked:   map[protocol.WantRecord]bool{},
	}
}

// serve runs the connection and returns when all of it has ended.
func (c *conn) serve() {
	c.hub.join(c)
	c.log.Info("host connected")
	var wg sync.WaitGroup
	wg.Go(c.write)
	wg.Go(c.work)
	err := c.read()
	c.end()
	_ = c.ws.Close()
	wg.Wait()
	c.hub.part(c)
	// The connection's own context is over; the farewell must still be noted.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), writeTime)
	defer cancel()
	if derr := c.hub.deps.Console.HostDisconnected(ctx, c.session); derr != nil {
		c.log.Warn("disconnection not recorded", "error", derr)
	}
	c.log.Info("host disconnected", "reason", err)
}

// wake makes work look at once; it never blocks.
func (c *conn) wake() {
	select {
	case c.nudge <- struct{}{}:
	default:
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
	select {
	case c.queue <- raw:
		return nil
	default:
		c.stop(websocket.CloseTryAgainLater, "send queue full")
		return errors.New("send queue is full")
	}
}

// stop closes the connection after what is queued has been sent; messages that
// arrive from now on are not taken.
func (c *conn) stop(code int, reason string) {
	c.stopOnce.Do(func() {
		c.closing.Store(true)
		c.last <- websocket.FormatCloseMessage(code, reason)
	})
}

// drain asks the agent to take no new work here and to come back elsewhere.
func (c *conn) drain() {
	if c.draining.CompareAndSwap(false, true) {
		_ = c.send(&protocol.Drain{WithinMS: c.hub.deps.DrainWithin.Milliseconds()})
	}
}

// write sends queued messages and heartbeats; it alone writes to the socket.
func (c *conn) write() {
	polite := false
	defer func() {
		if !polite {
			_ = c.ws.Close() // ends read
		}
	}()
	beat := time.NewTicker(c.hub.deps.Heartbeat)
	defer beat.Stop()
	for {
		select {
		case raw := <-c.queue:
			if !c.put(raw) {
				return
			}
		case farewell := <-c.last:
			for len(c.queue) > 0 {
				if !c.put(<-c.queue) {
					return
				}
			}
			_ = c.ws.WriteControl(websocket.CloseMessage, farewell, time.Now().Add(writeTime))
			// Closing now could make the kernel throw away what the agent has
			// not read yet: let it answer first.
			_ = c.ws.SetReadDeadline(time.Now().Add(closeTime))
			polite = true
			return
		case <-beat.C:
			if c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTime)) != nil {
				return
			}
		case <-c.ctx.Done():
			return
		}
	}
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
		m, err := protocol.Decode(raw)
		if errors.Is(err, protocol.ErrUnknownType) {
			c.log.Debug("message of a newer agent skipped", "error", err)
			continue
		}
		if err == nil {
			err = c.take(m)
		}
		if err != nil {
			c.refuse(err)
		}
	}
}
