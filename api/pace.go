package api

import (
	"context"
	"time"
)

// pace is when somebody who watches looks again: after a change, but not before
// least is over, and without one once in poll.
type pace struct{ least, poll time.Duration }

// wait is what a watcher waits by.
type wait struct {
	least   time.Duration
	poll    *time.Ticker
	changed <-chan struct{}
}

// begin starts to count. The caller calls stop.
func (p pace) begin(changed <-chan struct{}) *wait {
	return &wait{least: p.least, poll: time.NewTicker(p.poll), changed: changed}
}

func (w *wait) stop() { w.poll.Stop() }

// next returns when it is time to look again; moved is a change, too, and may be
// nil. It returns false when ctx ends.
func (w *wait) next(ctx context.Context, moved <-chan struct{}) bool {
	select {
	case <-time.After(w.least):
	case <-ctx.Done():
		return false
	}
	select {
	case <-w.changed:
	case <-moved:
	case <-w.poll.C:
	case <-ctx.Done():
		return false
	}
	return true
}
