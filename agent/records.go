package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/record"
	"github.com/stickpress/stickpress/agent/stick"
)

// records are what sticks are compared with: this host's own, and the
// server's, which are asked for over the socket.
type records struct {
	store *record.Store
	send  func(protocol.Message)
	log   *slog.Logger

	mu       sync.Mutex
	asked    map[protocol.WantRecord]int              // how many wait
	answered map[protocol.WantRecord]*protocol.Record // while somebody waits
	change   chan struct{}                            // closed and replaced when an answer comes
}

func newRecords(store *record.Store, send func(protocol.Message), log *slog.Logger) *records {
	return &records{
		store: store, send: send, log: log,
		asked: map[protocol.WantRecord]int{}, answered: map[protocol.WantRecord]*protocol.Record{}, change: make(chan struct{}),
	}
}

// keep remembers a stick that was verified. That it could not is no reason to
// call the stick bad.
func (r *records) keep(rec *stick.Record) {
	if err := r.store.Put(rec); err != nil {
		r.log.Warn("could not keep the record of a stick", "stick", rec.StickID, "err", err)
	}
}

// find returns the record of the stick with a disk ID, waiting for the server
// where this host has none. record.ErrNone is wrapped when nobody has one.
func (r *records) find(ctx context.Context, diskID string, size int64) (*stick.Record, error) {
	own, err := r.store.Find(diskID, size)
	if err == nil {
		return own, nil
	}
	if !errors.Is(err, record.ErrNone) {
		r.log.Warn("could not read the record of a stick", "disk", diskID, "err", err)
	}
	m, err := r.ask(ctx, protocol.WantRecord{DiskID: diskID, Bytes: size})
	if err != nil {
		return nil, err
	}
	if m.Stick == nil || len(m.Body) == 0 || m.Stick.DiskID != diskID {
		return nil, fmt.Errorf("disk %s: %w", diskID, record.ErrNone)
	}
	return &stick.Record{StickRecord: *m.Stick, Body: m.Body}, nil
}

// ask waits for the server's answer; a new session asks again.
func (r *records) ask(ctx context.Context, want protocol.WantRecord) (*protocol.Record, error) {
	r.mu.Lock()
	r.asked[want]++
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.asked[want]--; r.asked[want] == 0 {
			delete(r.asked, want)
			delete(r.answered, want)
		}
	}()
	r.send(&want)
	for {
		r.mu.Lock()
		m, change := r.answered[want], r.change
		r.mu.Unlock()
		if m != nil {
			return m, nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// put takes an answer of the server, if somebody waits for it.
func (r *records) put(m *protocol.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked[m.WantRecord] == 0 {
		return
	}
	r.answered[m.WantRecord] = m
	close(r.change)
	r.change = make(chan struct{})
}

// open lists the questions without an answer, for a new session.
func (r *records) open() []protocol.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []protocol.Message
	for want := range r.asked {
		if r.answered[want] == nil {
			out = append(out, &want)
		}
	}
	return out
}

// answer is what this host has of what the server asks for.
func (r *records) answer(m *protocol.WantRecord) *protocol.Record {
	body, err := r.store.Common(m.Common)
	if err != nil && !errors.Is(err, record.ErrNone) {
		r.log.Warn("could not read a record that the server wants", "err", err)
	}
	return &protocol.Record{WantRecord: *m, Body: body}
}
