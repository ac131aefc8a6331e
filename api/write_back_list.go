package api

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"github.com/stickpress/stickpress/store"
)

// WriteBack is something that a ticket is told.
type WriteBack struct {
	ID             string             `json:"id"`
	StickRequestID string             `json:"stick_request_id"`
	Ticket         string             `json:"ticket"`
	Event          string             `json:"event" enum:"queued,running,verified,failed,declined"`
	State          string             `json:"state" enum:"waiting,sent,skipped,failed"`
	Attempts       []WriteBackAttempt `json:"attempts"` // the first first
	CreatedAt      time.Time          `json:"created_at"`
	UpdatedAt      time.Time          `json:"updated_at"`
}

// WriteBackAttempt is one attempt to tell it.
type WriteBackAttempt struct {
	Number int       `json:"number"`
	At     time.Time `json:"at"`
	TookMS int64     `json:"took_ms"`
	Status int       `json:"status"` // of the answer; 0 without one
	Fault  *WhyNot   `json:"fault,omitempty"`
	Answer string    `json:"answer,omitempty"` // how the answer's body begins
}

// ListWriteBacks lists what a connector's tickets were told, newest first
// (admin). Faults: connector_not_found.
func (c *Console) ListWriteBacks(ctx context.Context, a Actor, id string, p Page) (List[WriteBack], error) {
	if err := allow(a, UseListConnectors); err != nil {
		return List[WriteBack]{}, err
	}
	row, err := findConnector(ctx, c.store.Reader, id)
	if err != nil {
		return List[WriteBack]{}, err
	}
	var page store.WriteBackPage
	if page.Before, page.After, page.Limit, err = byID[store.WriteBackID](p); err != nil {
		return List[WriteBack]{}, err
	}
	rows, err := c.store.WriteBacks(ctx, row.ID, page)
	if err != nil {
		return List[WriteBack]{}, err
	}
	rows, l := cut[store.WriteBack, WriteBack](p, rows, func(w store.WriteBack) string { return w.ID.String() })
	l.Items, err = writeBacksOf(ctx, c.store.Reader, rows)
	return l, err
}

// RequestWriteBacks lists what a request's ticket was told, newest first
// (helpdesk). Faults: stick_request_not_found.
func (c *Console) RequestWriteBacks(ctx context.Context, a Actor, id string) ([]WriteBack, error) {
	if err := allow(a, UseListStickRequests); err != nil {
		return nil, err
	}
	q, err := findRequest(a, id, func(key store.RequestID) (store.StickRequest, error) { return c.store.StickRequest(ctx, key) })
	if err != nil {
		return nil, err
	}
	rows, err := c.store.RequestWriteBacks(ctx, q.ID)
	if err != nil {
		return nil, err
	}
	return writeBacksOf(ctx, c.store.Reader, rows)
}

func writeBacksOf(ctx context.Context, r store.Reader, rows []store.WriteBack) ([]WriteBack, error) {
	ids := make([]store.WriteBackID, 0, len(rows))
	for _, w := range rows {
		ids = append(ids, w.ID)
	}
	attempts, err := r.WriteBackAttempts(ctx, ids)
	out := make([]WriteBack, 0, len(rows))
	for _, w := range rows {
		v := WriteBack{
			ID: w.ID.String(), StickRequestID: w.StickRequestID.String(), Ticket: w.Ticket, Event: w.Event, State: w.State,
			Attempts: []WriteBackAttempt{}, CreatedAt: w.CreatedAt, UpdatedAt: w.UpdatedAt,
		}
		for _, x := range attempts[w.ID] {
			attempt := WriteBackAttempt{Number: x.Number, At: x.At, TookMS: x.TookMS, Status: x.Status, Answer: x.Answer}
			if x.Fault != nil {
				attempt.Fault = &WhyNot{Code: x.Fault.Code, Params: x.Fault.Params}
			}
			v.Attempts = append(v.Attempts, attempt)
		}
		out = append(out, v)
	}
	return out, err
}

// ResendWriteBack tells a ticket once more, with what happened then and the
// template of today (admin). What is still to be told is told at once, and not
// twice. Faults: connector_not_found, write_back_not_found.
func (c *Console) ResendWriteBack(ctx context.Context, a Actor, id, writeBack string) (WriteBack, error) {
	key, err := parse[store.WriteBackID]("write_back", writeBack)
	if err != nil {
		return WriteBack{}, err
	}
	var out WriteBack
	err = c.change(ctx, a, UseResendWriteBack, func(tx *store.Tx, by store.Actor) error {
		k, err := findConnector(ctx, tx.Reader, id)
		if err != nil {
			return err
		}
		w, err := tx.LockWriteBack(ctx, key)
		if err == nil && w.ConnectorID != k.ID {
			err = store.NotFound("write_back", writeBack)
		}
		if err != nil {
			return err
		}
		if err := tellAgain(ctx, tx, c.background, &w); err != nil {
			return err
		}
		list, err := writeBacksOf(ctx, tx.Reader, []store.WriteBack{w})
		if err != nil {
			return err
		}
		out = list[0]
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseResendWriteBack), ObjectKind: "connector", ObjectID: k.ID.String(),
			After: map[string]any{"write_back": writeBack, "ticket": w.Ticket, "event": w.Event},
		})
	})
	return out, err
}

// tellAgain queues a write-back that has ended, and hurries one that waits.
func tellAgain(ctx context.Context, tx *store.Tx, b *store.Background, w *store.WriteBack) error {
	work := writeBackArgs{ID: w.ID.String()}
	if w.State == store.WriteBackWaiting {
		return tx.Hurry(ctx, b, writeBackQueue, work)
	}
	w.State = store.WriteBackWaiting
	if err := tx.SetWriteBackState(ctx, w.ID, w.State); err != nil {
		return err
	}
	return tx.EnqueueShared(ctx, b, writeBackQueue, []river.JobArgs{work})
}
