package hub

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/gorilla/websocket"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
)

// take hands one message to the console and sends what it answers.
func (c *conn) take(m protocol.Message) error {
	console := c.hub.deps.Console
	switch m := m.(type) {
	case *protocol.Resume:
		w, err := console.HostResumed(c.ctx, c.session, m)
		if err != nil {
			return err
		}
		if err := c.deliver(w); err != nil {
			return err
		}
		c.resumed.Store(true)
		c.wake()
		return nil
	case *protocol.Inventory:
		return console.HostInventory(c.ctx, c.session, m)
	case *protocol.Events:
		w, err := console.HostEvents(c.ctx, c.session, m.Events)
		if err != nil {
			return err
		}
		return c.deliver(w)
	case *protocol.Progress:
		return console.HostProgress(c.ctx, c.session, m)
	case *protocol.Record:
		return console.HostRecord(c.ctx, c.session, m)
	case *protocol.WantRecord:
		r, err := console.RecordForHost(c.ctx, c.session, m)
		if err != nil {
			return err
		}
		return c.send(&r)
	case *protocol.FoundStick:
		v, err := console.HostFound(c.ctx, c.session, m)
		if err != nil {
			return err
		}
		return c.send(&v)
	case *protocol.Refresh:
		t, err := console.HostTicket(c.ctx, c.session, m.JobID)
		if err != nil {
			return err
		}
		return c.send(&t)
	default:
		return fault.New(fault.KindInvalid, "message_unexpected", "type", m.MessageType())
	}
}

// refuse decides what an error does to the connection. A message that made no
// sense is logged and forgotten; a host that may not be here any more is told;
// after anything else the connection ends, so that the host says everything
// again on the next one.
func (c *conn) refuse(err error) {
	var f *fault.Error
	switch {
	case errors.Is(err, context.Canceled):
	case errors.As(err, &f) && f.Code == api.CodeHostRevoked:
		c.log().Info("host is revoked")
		_ = c.send(&protocol.Revoked{})
		c.stop(websocket.ClosePolicyViolation, string(f.Code))
	case errors.As(err, &f) && f.Code == api.CodeSessionStale:
		c.stop(websocket.CloseGoingAway, string(f.Code))
	case errors.As(err, &f) && (f.Kind == fault.KindNotFound || f.Kind == fault.KindInvalid):
		c.log().Warn("message not taken", "error", err)
	default:
		c.log().Warn("connection given up", "error", err)
		c.stop(websocket.CloseTryAgainLater, "")
	}
}

// lookOut gives the host what there is for it: whenever something about it
// changed, and now and then by itself, since a lost notification costs time and
// nothing else.
func (c *conn) lookOut() {
	for {
		if !c.closing.Load() && c.ctx.Err() == nil {
			c.look()
		}
		c.lookAt.Store(time.Now().Add(c.pause()).UnixNano())
		c.mu.Lock()
		c.looking = c.again && !c.over
		c.again = false
		looking := c.looking
		c.mu.Unlock()
		if !looking {
			return
		}
	}
}

// look asks once for what must stop and what may begin.
func (c *conn) look() {
	console := c.hub.deps.Console
	w, err := console.HostWork(c.ctx, c.session)
	if err != nil && fault.From(err).Kind == fault.KindInternal {
		// The database is away, say: the socket can wait for it.
		c.log().Warn("no work could be looked for", "error", err)
		return
	}
	if err == nil {
		err = c.deliver(w)
	}
	if err == nil && c.resumed.Load() && !c.draining.Load() {
		if w, err = console.HostClaim(c.ctx, c.session); err == nil {
			err = c.deliver(w)
		}
	}
	if err != nil {
		c.refuse(err)
	}
}

// deliver sends work in the order in which it must be understood: what is
// stored, what to stop, what to begin; and then what is asked of the host.
func (c *conn) deliver(w api.HostWork) error {
	for i := range w.Acks {
		if err := c.send(&w.Acks[i]); err != nil {
			return err
		}
	}
	for i := range w.Cancels {
		if fresh := c.untold(&w.Cancels[i]); len(fresh.Attempts) > 0 {
			if err := c.send(fresh); err != nil {
				return err
			}
		}
	}
	for i := range w.Lights {
		if err := c.send(&w.Lights[i]); err != nil {
			return err
		}
	}
	for i := range w.Assigns {
		a := &w.Assigns[i]
		if err := c.send(a); err != nil {
			return err
		}
		c.log().Info("work assigned", "job_id", a.JobID, "builds", len(a.Builds))
	}
	for i := range w.Wants {
		if c.unasked(w.Wants[i]) {
			if err := c.send(&w.Wants[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// unasked reports whether this connection has not asked for the record yet: of
// the sticks of a job all want the same.
func (c *conn) unasked(m protocol.WantRecord) bool {
	c.toldMu.Lock()
	defer c.toldMu.Unlock()
	fresh := !c.asked[m]
	if c.asked == nil {
		c.asked = map[protocol.WantRecord]bool{}
	}
	c.asked[m] = true
	return fresh
}

// untold returns a cancellation without the attempts that this connection has
// heard of already.
func (c *conn) untold(m *protocol.Cancel) *protocol.Cancel {
	c.toldMu.Lock()
	defer c.toldMu.Unlock()
	fresh := &protocol.Cancel{Fenced: m.Fenced}
	if c.told == nil {
		c.told = map[order]bool{}
	}
	for _, a := range m.Attempts {
		if key := (order{a, m.Fenced}); !c.told[key] {
			c.told[key] = true
			fresh.Attempts = append(fresh.Attempts, a)
		}
	}
	return fresh
}

// pause is the poll interval with a jitter of half, so that the hosts of a
// room do not ask in step.
func (c *conn) pause() time.Duration {
	var b [8]byte
	if _, err := io.ReadFull(c.hub.deps.Rand, b[:]); err != nil {
		return c.hub.deps.Poll
	}
	share := float64(binary.LittleEndian.Uint64(b[:])>>11) / (1 << 53)
	return time.Duration(float64(c.hub.deps.Poll) * (0.75 + share/2))
}
