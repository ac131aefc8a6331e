package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"
)

// The states of a write-back.
const (
	WriteBackWaiting = "waiting" // to be sent, or to be sent again
	WriteBackSent    = "sent"
	WriteBackSkipped = "skipped" // there was nothing to send
	WriteBackFailed  = "failed"  // it is not tried again
)

// WriteBack is one thing that is told to a ticket.
type WriteBack struct {
	ID             WriteBackID
	ConnectorID    ConnectorID
	StickRequestID RequestID
	Ticket         string
	Event          string
	Data           json.RawMessage // what the template is filled in with
	State          string
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// WriteBackAttempt is one attempt to tell it.
type WriteBackAttempt struct {
	WriteBackID WriteBackID
	Number      int // from 1
	At          time.Time
	TookMS      int64
	Status      int      // of the answer; 0 without one
	Fault       *Refusal // why it is not believed to have arrived
	Answer      string   // how the answer's body begins
}

const (
	writeBackColumns = `w.id, w.connector_id, w.stick_request_id, (SELECT ticket FROM stick_requests q WHERE q.id = w.stick_request_id) AS ticket,
		w.event, w.data, w.state, w.created_at, w.updated_at`
	attemptColumns = `write_back_id, number, at, took_ms, status, fault, answer`
)

// CreateWriteBack adds something to be told.
func (tx *Tx) CreateWriteBack(ctx context.Context, q *StickRequest, event string, data json.RawMessage) (WriteBack, error) {
	id, err := newID[writeBackKind](tx)
	if err != nil {
		return WriteBack{}, err
	}
	return one[WriteBack](ctx, tx.tx, "write_back", id,
		`INSERT INTO write_backs AS w (id, connector_id, stick_request_id, event, data, state, created_at, updated_at)
		VALUES (@id, @connector, @request, @event, @data, 'waiting', @at, @at)
		RETURNING `+writeBackColumns,
		pgx.NamedArgs{"id": id, "connector": q.ConnectorID, "request": q.ID, "event": event, "data": data, "at": tx.at})
}

// WriteBack finds one, or fails with write_back_not_found.
func (r Reader) WriteBack(ctx context.Context, id WriteBackID) (WriteBack, error) {
	return one[WriteBack](ctx, r.db, "write_back", id,
		`SELECT `+writeBackColumns+` FROM write_backs w WHERE id = @id`, pgx.NamedArgs{"id": id})
}

// LockWriteBack is WriteBack; its row is locked until the end of the transaction.
func (tx *Tx) LockWriteBack(ctx context.Context, id WriteBackID) (WriteBack, error) {
	return one[WriteBack](ctx, tx.tx, "write_back", id,
		`SELECT `+writeBackColumns+` FROM write_backs w WHERE id = @id FOR UPDATE`, pgx.NamedArgs{"id": id})
}

// WriteBacks lists what was told to the tickets of a connector, newest first.
func (r Reader) WriteBacks(ctx context.Context, id ConnectorID, p WriteBackPage) ([]WriteBack, error) {
	var w where
	equal(&w, "connector_id = @connector", "connector", id)
	return byID[WriteBack](ctx, r, "write-backs", "write_backs w", writeBackColumns, &w, p)
}

// RequestWriteBacks lists what was told to one ticket, newest first, at most 50.
func (r Reader) RequestWriteBacks(ctx context.Context, id RequestID) ([]WriteBack, error) {
	var w where
	equal(&w, "stick_request_id = @request", "request", id)
	return byID[WriteBack](ctx, r, "write-backs", "write_backs w", writeBackColumns, &w, WriteBackPage{})
}

// WaitingWriteBacks lists what is still to be told, oldest first, after one of
// them (zero: from the first), at most 10,000.
func (r Reader) WaitingWriteBacks(ctx context.Context, after WriteBackID) ([]WriteBackID, error) {
	w := where{conditions: []string{`state = 'waiting'`}}
	if !after.IsZero() {
		w.and(`id > @after`, "after", after)
	}
	rows, _ := r.db.Query(ctx, `SELECT id FROM write_backs`+w.String()+` ORDER BY id LIMIT 10000`, w.args)
	list, err := pgx.CollectRows(rows, pgx.RowTo[WriteBackID])
	return list, fail(err, "list what is to be written back")
}

// WriteBackAttempts are the attempts at some of them, the first first.
func (r Reader) WriteBackAttempts(ctx context.Context, ids []WriteBackID) (map[WriteBackID][]WriteBackAttempt, error) {
	rows, err := many[WriteBackAttempt](ctx, r.db, "attempts to write back",
		`SELECT `+attemptColumns+` FROM write_back_attempts WHERE write_back_id = ANY (@ids) ORDER BY write_back_id, number`,
		pgx.NamedArgs{"ids": ids})
	out := make(map[WriteBackID][]WriteBackAttempt, len(ids))
	for _, a := range rows {
		out[a.WriteBackID] = append(out[a.WriteBackID], a)
	}
	return out, err
}

// AddWriteBackAttempt keeps an attempt and the state that it leads to.
func (tx *Tx) AddWriteBackAttempt(ctx context.Context, a WriteBackAttempt, state string) error {
	refused, err := optionalJSON(nilRefusal(a.Fault))
	if err != nil {
		return err
	}
	if err := tx.SetWriteBackState(ctx, a.WriteBackID, state); err != nil {
		return err
	}
	_, err = tx.tx.Exec(ctx,
		`INSERT INTO write_back_attempts (`+attemptColumns+`)
		SELECT @id, coalesce(max(number), 0) + 1, @at, @took, @status, @fault, @answer FROM write_back_attempts WHERE write_back_id = @id`,
		pgx.NamedArgs{
			"id": a.WriteBackID, "at": tx.at, "took": a.TookMS, "status": a.Status, "fault": refused, "answer": cleanText(a.Answer),
		})
	return fail(err, "keep an attempt to write back")
}

// nilRefusal keeps a nil pointer from being an interface that is not nil.
func nilRefusal(r *Refusal) any {
	if r == nil {
		return nil
	}
	return r
}

// SetWriteBackState puts one into a state; its row is locked until the end of
// the transaction.
func (tx *Tx) SetWriteBackState(ctx context.Context, id WriteBackID, state string) error {
	tx.Notify(TopicRequests)
	_, err := tx.tx.Exec(ctx, `UPDATE write_backs SET state = @state, updated_at = @at WHERE id = @id`,
		pgx.NamedArgs{"id": id, "state": state, "at": tx.at})
	return fail(err, "write back")
}
