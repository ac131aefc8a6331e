package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
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

// candidates are the records that a stick may have by its disk ID and its size:
// one, unless contents share the ID.
type candidates struct {
	r     *records
	disk  protocol.WantRecord
	tried map[string]bool // by common part

	local  []*stick.Record
	others []string // common parts that the server has named
	asked  bool
}

// find looks for the records of a stick. The content that prefer names comes
// first, if there is a record of it; then what this host wrote, and what the
// server knows of, the newest first.
func (r *records) find(diskID string, size int64, prefer string) *candidates {
	c := &candidates{r: r, disk: protocol.WantRecord{DiskID: diskID, Bytes: size}, tried: map[string]bool{}}
	var err error
	if c.local, err = r.store.Find(diskID, size); err != nil && !errors.Is(err, record.ErrNone) {
		r.log.Warn("could not read the record of a stick", "disk", diskID, "err", err)
	}
	if prefer != "" {
		if i := slices.IndexFunc(c.local, func(rec *stick.Record) bool { return rec.Common == prefer }); i >= 0 {
			c.local = slices.Concat(c.local[i:i+1], c.local[:i], c.local[i+1:])
		} else {
			c.others = []string{prefer}
		}
	}
	return c
}

// next returns the next record, waiting for the server where this host has no
// more. record.ErrNone is wrapped when nobody has any.
func (c *candidates) next(ctx context.Context) (*stick.Record, error) {
	for {
		var rec *stick.Record
		switch {
		case len(c.others) > 0 && (c.asked || len(c.tried) == 0): // the preferred one comes before those that are here
			want := c.disk
			want.Common, c.others = c.others[0], c.others[1:]
			if c.tried[want.Common] {
				continue
			}
			var err error
			if rec, err = c.ask(ctx, want); err != nil {
				return nil, err
			}
			c.tried[want.Common] = true
		case len(c.local) > 0:
			rec, c.local = c.local[0], c.local[1:]
		case !c.asked:
			c.asked = true
			var err error
			if rec, err = c.ask(ctx, c.disk); err != nil {
				return nil, err
			}
			if rec != nil && c.tried[rec.Common] {
				rec = nil
			}
		default:
			return nil, fmt.Errorf("disk %s: %w", c.disk.DiskID, record.ErrNone)
		}
		if rec != nil {
			c.tried[rec.Common] = true
			return rec, nil
		}
	}
}

// ask asks the server; it returns nil when it has none.
func (c *candidates) ask(ctx context.Context, want protocol.WantRecord) (*stick.Record, error) {
	m, err := c.r.ask(ctx, want)
	if err != nil {
		return nil, err
	}
	c.others = append(c.others, m.Others...)
	if m.Stick == nil || len(m.Body) == 0 || m.Stick.DiskID != want.DiskID {
		return nil, nil //nolint:nilnil // the server's answer: none
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
