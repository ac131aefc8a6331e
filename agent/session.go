package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/stickpress/stickpress/agent/backoff"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/spool"
)

const (
	// An Events message holds at most so many events, and bytes of them: far
	// below protocol.MaxMessage, which closes the socket. A single event is
	// sent whatever it takes: the foreign text in one is a few KiB.
	eventsPerMessage = 100
	bytesPerMessage  = protocol.MaxMessage / 4
	// Bounds and default of Welcome.HeartbeatSeconds.
	minHeartbeat     = 2 * time.Second
	maxHeartbeat     = 5 * time.Minute
	defaultHeartbeat = 20 * time.Second
)

var errOverflow = errors.New("too many messages wait to be sent: the server does not read")

// session is one proven connection. One goroutine reads, one writes. Events,
// inventory and progress are not queued: the writer takes what is newest when
// the connection has room.
type session struct {
	a         *Agent
	conn      *websocket.Conn
	heartbeat time.Duration
	queue     chan protocol.Message
	woken     chan struct{}
	over      chan error // first reason to end, from anywhere
	draining  atomic.Bool

	sentEvent     int64 // index in the spool; used by the writer only
	sentInventory int64 // version; used by the writer only
}

func newSession(a *Agent, conn *websocket.Conn, w *protocol.Welcome) *session {
	beat := time.Duration(w.HeartbeatSeconds) * time.Second
	if beat <= 0 {
		beat = defaultHeartbeat
	}
	return &session{
		a: a, conn: conn, heartbeat: min(max(beat, minHeartbeat), maxHeartbeat),
		queue: make(chan protocol.Message, protocol.SendQueue),
		woken: make(chan struct{}, 1), over: make(chan error, 1),
	}
}

// run lives until the connection ends, and returns why.
func (s *session) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	read, written := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(read)
		s.end(s.read(ctx))
	}()
	go func() {
		defer close(written)
		s.end(s.write(ctx))
	}()
	var why error
	select {
	case why = <-s.over:
	case <-ctx.Done():
		why = context.Cause(ctx)
	}
	cancel(why)
	// The writer says goodbye, even if it hangs in a write now; the reader is
	// woken by the closed connection.
	_ = s.conn.NetConn().SetWriteDeadline(time.Now().Add(time.Second))
	<-written
	_ = s.conn.Close()
	<-read
	return why
}

// end ends the session; the first reason counts.
func (s *session) end(why error) {
	select {
	case s.over <- why:
	default:
	}
}

// wakeUp lets the writer look for something to send.
func (s *session) wakeUp() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// queueUp sends m after what waits already. A full queue ends the session.
func (s *session) queueUp(m protocol.Message) {
	select {
	case s.queue <- m:
	default:
		s.end(errOverflow)
	}
}

// write sends Resume, then what there is, then what comes.
func (s *session) write(ctx context.Context) error {
	if err := send(s.conn, s.resume()); err != nil {
		return err
	}
	for _, m := range slices.Concat(s.a.tickets.open(), s.a.records.open(), s.a.verdicts.open()) {
		s.queueUp(m)
	}
	beat := time.NewTicker(s.heartbeat)
	defer beat.Stop()
	for {
		if err := s.flush(); err != nil {
			return err
		}
		select {
		case m := <-s.queue:
			if err := send(s.conn, m); err != nil {
				return err
			}
		case <-s.woken:
		case <-beat.C:
			if err := s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTime)); err != nil {
				return fmt.Errorf("send ping: %w", err)
			}
		case <-ctx.Done():
			bye := websocket.FormatCloseMessage(websocket.CloseGoingAway, "")
			_ = s.conn.WriteControl(websocket.CloseMessage, bye, time.Now().Add(time.Second)) // a courtesy
			return context.Cause(ctx)
		}
	}
}

func (s *session) resume() *protocol.Resume {
	r := &protocol.Resume{Attempts: []protocol.AttemptState{}}
	for _, at := range s.a.cfg.Spool.Held() {
		r.Attempts = append(r.Attempts, protocol.AttemptState{AttemptRef: at.AttemptRef, HostSeq: at.Seq, Ended: at.Ended})
	}
	return r
}

// flush sends a changed inventory, all waiting events, and progress.
func (s *session) flush() error {
	if inv, version := s.a.devices.after(s.sentInventory); inv != nil {
		if err := send(s.conn, inv); err != nil {
			return err
		}
		s.sentInventory = version
	}
	for {
		m, last, err := batch(s.a.cfg.Spool.Next(s.sentEvent, eventsPerMessage))
		if err != nil {
			return err
		}
		if len(m.Events) == 0 {
			break
		}
		if err := send(s.conn, m); err != nil {
			return err
		}
		s.sentEvent = last
	}
	if p := s.a.runner.news(); p != nil {
		return send(s.conn, p)
	}
	return nil
}

// batch is as many of the entries as one message may hold, and the index of
// the last of them.
func batch(entries []spool.Entry) (m *protocol.Events, last int64, err error) {
	m = new(protocol.Events)
	size := 0
	for _, e := range entries {
		raw, err := json.Marshal(e.Event)
		if err != nil {
			return nil, 0, fmt.Errorf("encode event %d of build %s: %w", e.Event.HostSeq, e.Event.BuildID, err)
		}
		if size += len(raw); size > bytesPerMessage && len(m.Events) > 0 {
			break
		}
		m.Events, last = append(m.Events, e.Event), e.Index
	}
	return m, last, nil
}

// read handles messages until the connection ends. Every sign of life moves
// the deadline.
func (s *session) read(ctx context.Context) error {
	alive := func() { _ = s.conn.SetReadDeadline(time.Now().Add(s.heartbeat * 5 / 2)) }
	s.conn.SetPongHandler(func(string) error { alive(); return nil })
	ping := s.conn.PingHandler()
	s.conn.SetPingHandler(func(data string) error { alive(); return ping(data) })
	for {
		alive()
		_, raw, err := s.conn.ReadMessage()
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		m, err := protocol.Decode(raw)
		if errors.Is(err, protocol.ErrUnknownType) {
			s.a.cfg.Log.Info("passed over a message of a newer server", "err", err)
			continue
		}
		if err != nil {
			return err
		}
		if err := s.handle(ctx, m); err != nil {
			return err
		}
	}
}

// handle returns quickly; an error ends the session.
func (s *session) handle(ctx context.Context, m protocol.Message) error {
	switch m := m.(type) {
	case *protocol.Assign:
		if s.draining.Load() {
			s.a.cfg.Log.Info("the server is leaving: an assignment is left to the next one", "job", m.JobID)
			return nil
		}
		return s.a.runner.assign(m)
	case *protocol.Cancel:
		s.a.runner.cancel(m)
	case *protocol.Ack:
		s.a.cfg.Spool.Ack(*m)
		s.a.noteAck()
	case *protocol.Ticket:
		s.a.tickets.put(m.JobID, m.Ticket)
	case *protocol.WantRecord:
		s.queueUp(s.a.records.answer(m))
	case *protocol.Record:
		s.a.records.put(m)
	case *protocol.StickVerdict:
		s.a.verdicts.put(m)
	case *protocol.Identify:
		s.a.lights.start(ctx, m)
	case *protocol.Drain:
		s.drain(ctx, m)
	case *protocol.Revoked:
		return ErrRevoked
	default:
		s.a.cfg.Log.Warn("passed over a message that servers do not send here", "type", m.MessageType())
	}
	return nil
}

// drain takes no new work on this session and ends it after a random part of
// the time given.
func (s *session) drain(ctx context.Context, m *protocol.Drain) {
	if s.draining.Swap(true) {
		return
	}
	within := time.Duration(min(max(m.WithinMS, 0), 3600_000)) * time.Millisecond
	pause := time.Duration(s.a.cfg.Rand() * float64(within))
	s.a.cfg.Log.Info("the server asked to reconnect", "in", pause)
	go func() {
		if backoff.Sleep(ctx, s.a.cfg.Clock, pause) == nil {
			s.end(errDrained)
		}
	}()
}
