package api

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// reports stores what hosts report: whatever arrives while an earlier lot is
// being written goes together, in one transaction. A room full of hosts waits
// for the disk as often as one does.
type reports struct {
	store func(context.Context, []*report) error

	mu      sync.Mutex
	waiting []*report
	writers int
}

// report is what one host said in one message, and what to answer.
type report struct {
	session HostSession
	events  []protocol.Event

	work HostWork
	err  error
	done chan struct{} // closed when work or err is there
}

const (
	// reportWriters is how many lots are written at the same time.
	reportWriters = 2
	// maxLot bounds the events of a lot, but for a longer message.
	maxLot = 1000
	// reportTime bounds the writing of a lot: its hosts say it again.
	reportTime = 30 * time.Second
)

// put stores a report and waits for the answer. When ctx ends before, nobody
// knows whether it was stored.
func (r *reports) put(ctx context.Context, s HostSession, events []protocol.Event) (HostWork, error) {
	one := &report{session: s, events: events, done: make(chan struct{})}
	r.mu.Lock()
	r.waiting = append(r.waiting, one)
	if r.writers < reportWriters {
		r.writers++
		go r.write()
	}
	r.mu.Unlock()
	select {
	case <-one.done:
		return one.work, one.err
	case <-ctx.Done():
		return HostWork{}, ctx.Err()
	}
}

// write stores lots until nothing waits.
func (r *reports) write() {
	for lot := r.next(); len(lot) > 0; lot = r.next() {
		ctx, cancel := context.WithTimeout(context.Background(), reportTime)
		r.writeLot(ctx, lot)
		cancel()
	}
}

// next takes the oldest reports that wait, at least one if there is any. Without
// any the writer is over.
func (r *reports) next() []*report {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, events := 0, 0
	for n < len(r.waiting) && (n == 0 || events+len(r.waiting[n].events) <= maxLot) {
		events += len(r.waiting[n].events)
		n++
	}
	lot := r.waiting[:n:n]
	if r.waiting = r.waiting[n:]; n == 0 {
		r.waiting = nil
		r.writers--
	}
	return lot
}

// writeLot stores a lot, or each of its reports alone if one of them spoils it.
func (r *reports) writeLot(ctx context.Context, lot []*report) {
	err := r.store(ctx, lot)
	for _, one := range lot {
		alone := err
		if err != nil && len(lot) > 1 {
			one.work, one.err = HostWork{}, nil
			alone = r.store(ctx, []*report{one})
		}
		if alone != nil {
			one.err = alone
		}
		close(one.done)
	}
}

// storeReports stores a lot in one transaction and fills in the answers: Acks,
// Cancels for attempts that a host must stop, and what is wanted of it. A stick
// that was wiped gets its certificate with it.
func (c *Console) storeReports(ctx context.Context, lot []*report) error {
	// Outside the transaction, which would wait for itself where there is no
	// key yet.
	key, err := c.ServerKey(ctx)
	if err != nil {
		return err
	}
	said := make([]store.HostReport, len(lot))
	for i, one := range lot {
		said[i] = store.HostReport{Host: one.session.id, Session: one.session.Session, Events: one.events}
	}
	return c.store.InTx(ctx, func(tx *store.Tx) error {
		applied, err := tx.ApplyReports(ctx, said)
		if err != nil {
			return err
		}
		for i, one := range lot {
			one.work, one.err = HostWork{}, applied[i].Refusal
			if one.err != nil {
				continue
			}
			one.work.answer(&applied[i], one.events)
			if err := errors.Join(
				certify(ctx, tx, key, applied[i].Wiped),
				wantRecords(ctx, tx.Reader, one.session.id, one.events, &one.work),
			); err != nil {
				return err
			}
		}
		return nil
	})
}

// answer is what a host is told about its events.
func (w *HostWork) answer(applied *store.Applied, events []protocol.Event) {
	for ref, seq := range applied.Acked {
		w.Acks = append(w.Acks, protocol.Ack{AttemptRef: ref, HostSeq: seq})
	}
	for _, ref := range applied.Refused {
		w.Acks = append(w.Acks, protocol.Ack{AttemptRef: ref, HostSeq: lastSeq(events, ref)})
	}
	if fenced := slices.Concat(applied.Fenced, applied.Refused); len(fenced) > 0 {
		w.Cancels = append(w.Cancels, protocol.Cancel{Attempts: fenced, Fenced: true})
	}
}
