package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// MessageState says how far a message of a webhook is.
type MessageState string

// The states of a message.
const (
	MessagePending   MessageState = "pending" // an attempt is under way or to come
	MessageDelivered MessageState = "delivered"
	MessageFailed    MessageState = "failed" // nobody tries any more
)

// Message is one event for one webhook, or a test.
type Message struct {
	ID           MessageID // the receiver's webhook-id
	WebhookID    WebhookID
	EventID      string // of the feed; empty for a test
	Type         string
	Body         []byte // as it is signed and sent
	State        MessageState
	Attempts     int
	Tries        int        // attempts that the schedule made
	NextAt       *time.Time // of MessagePending
	ClaimedUntil *time.Time // an attempt is under way; later it counts as lost
	Status       int        // of the newest attempt; 0: no answer
	Fault        *Refusal   // of the newest attempt
	CreatedAt    time.Time
	EndedAt      *time.Time
}

// MessageAttempt is one attempt to deliver a message.
type MessageAttempt struct {
	MessageID MessageID
	Number    int // from 1
	ByKind    ActorKind
	ByID      ActorID // who asked for it; ActorSystem: the schedule
	BegunAt   time.Time
	EndedAt   *time.Time // nil: under way, or cut off
	Status    int        // of the answer; 0: there was none
	Answer    string     // its beginning
	Fault     *Refusal   // why it counts as failed
}

const (
	messageColumns        = `id, webhook_id, event_id, type, body, state, attempts, tries, next_at, claimed_until, status, fault, created_at, ended_at`
	messageAttemptColumns = `message_id, number, by_kind, by_id, begun_at, ended_at, status, answer, fault`
)

// Message finds a message, or fails with message_not_found.
func (r Reader) Message(ctx context.Context, id MessageID) (Message, error) {
	return one[Message](ctx, r.db, "message", id,
		`SELECT `+messageColumns+` FROM webhook_messages WHERE id = @id`, pgx.NamedArgs{"id": id})
}

// MessageFilter narrows Messages; empty fields do not.
type MessageFilter struct {
	State MessageState
	Type  string
	Page  MessagePage
}

// Messages lists the messages of a webhook, newest first.
func (r Reader) Messages(ctx context.Context, webhook WebhookID, f MessageFilter) ([]Message, error) {
	var w where
	equal(&w, "webhook_id = @webhook", "webhook", webhook)
	w.text("state = @state", "state", string(f.State))
	w.text("type = @type", "type", f.Type)
	return byID[Message](ctx, r, "messages", "webhook_messages", messageColumns, &w, f.Page)
}

// DueMessage is a message whose next attempt is due.
type DueMessage struct {
	ID        MessageID
	WebhookID WebhookID
	NextAt    time.Time
}

// OverdueMessages lists messages whose next attempt was due before a time, the
// longest overdue first, after one of them (zero: from the first), at most
// 10,000.
func (r Reader) OverdueMessages(ctx context.Context, before time.Time, after DueMessage) ([]DueMessage, error) {
	w := where{conditions: []string{`state = 'pending'`, `next_at < @before`}, args: pgx.NamedArgs{"before": before}}
	if !after.ID.IsZero() {
		w.and(`(next_at, id) > (@at, @after)`, "at", after.NextAt)
		w.args["after"] = after.ID
	}
	return many[DueMessage](ctx, r.db, "messages",
		`SELECT id, webhook_id, next_at FROM webhook_messages`+w.String()+` ORDER BY next_at, id LIMIT 10000`, w.args)
}

// MessageAttempts lists the attempts of messages, oldest first.
func (r Reader) MessageAttempts(ctx context.Context, ids []MessageID) ([]MessageAttempt, error) {
	return many[MessageAttempt](ctx, r.db, "attempts",
		`SELECT `+messageAttemptColumns+` FROM webhook_attempts WHERE message_id = ANY (@ids) ORDER BY message_id, number`,
		pgx.NamedArgs{"ids": ids})
}

// NewMessage is what a message is made of.
type NewMessage struct {
	WebhookID WebhookID
	EventID   string
	Type      string
	Body      []byte
}

// AddMessages adds messages that are due at once, and returns their IDs.
func (tx *Tx) AddMessages(ctx context.Context, all []NewMessage) ([]MessageID, error) {
	batch := &pgx.Batch{}
	ids := make([]MessageID, 0, len(all))
	for _, m := range all {
		id, err := newID[messageKind](tx)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
		batch.Queue(
			`INSERT INTO webhook_messages (id, webhook_id, event_id, type, body, state, next_at, created_at)
			VALUES (@id, @webhook, @event, @type, @body, 'pending', @at, @at)`,
			pgx.NamedArgs{"id": id, "webhook": m.WebhookID, "event": m.EventID, "type": m.Type, "body": m.Body, "at": tx.at})
	}
	if batch.Len() == 0 {
		return nil, nil
	}
	return ids, fail(tx.db.SendBatch(ctx, batch).Close(), "add messages")
}

// ClaimMessage begins an attempt to deliver a message: it is written down, and
// nobody else begins one until lease is over. An attempt that a crash cut off is
// closed with lost. A message that is ended already is claimed for somebody who
// asks for it by hand alone; ok is false if there is nothing to do, or somebody
// is doing it.
//
// The message is as it is with the attempt begun.
func (tx *Tx) ClaimMessage(ctx context.Context, id MessageID, by Actor, byHand bool, lease time.Duration, lost Refusal) (m Message, ok bool, err error) {
	rows, err := many[Message](ctx, tx.tx, "messages",
		`UPDATE webhook_messages SET attempts = attempts + 1, tries = tries + CASE WHEN @by_hand THEN 0 ELSE 1 END, claimed_until = @until
		WHERE id = @id AND (state = 'pending' OR @by_hand) AND (claimed_until IS NULL OR claimed_until <= @at)
		RETURNING `+messageColumns, pgx.NamedArgs{"id": id, "by_hand": byHand, "at": tx.at, "until": tx.at.Add(lease)})
	if err != nil || len(rows) == 0 {
		return Message{}, false, err
	}
	m = rows[0]
	gone, err := encodeJSON(lost)
	if err != nil {
		return m, false, err
	}
	if _, err = tx.tx.Exec(ctx,
		`UPDATE webhook_attempts SET ended_at = @at, fault = @fault WHERE message_id = @id AND ended_at IS NULL`,
		pgx.NamedArgs{"id": id, "at": tx.at, "fault": gone}); err != nil {
		return m, false, fail(err, "close a lost attempt")
	}
	_, err = tx.tx.Exec(ctx,
		`INSERT INTO webhook_attempts (message_id, number, by_kind, by_id, begun_at) VALUES (@id, @number, @kind, @by, @at)`,
		pgx.NamedArgs{"id": id, "number": m.Attempts, "kind": by.Kind, "by": by.ID, "at": tx.at})
	return m, true, fail(err, "begin an attempt")
}

// AttemptEnd is how an attempt ended.
type AttemptEnd struct {
	Status int
	Answer string
	Fault  *Refusal // nil: delivered
	// State of the message from now on, with the time of the next attempt if it
	// is pending.
	State  MessageState
	NextAt *time.Time
}

// EndAttempt writes down how the attempt that was claimed ended, and how its
// webhook does. It returns the webhook. An attempt that was given up for lost
// meanwhile changes nothing.
func (tx *Tx) EndAttempt(ctx context.Context, m *Message, e AttemptEnd) (Webhook, error) {
	why, err := optionalRefusal(e.Fault)
	if err != nil {
		return Webhook{}, err
	}
	args := pgx.NamedArgs{
		"id": m.ID, "number": m.Attempts, "at": tx.at, "status": e.Status, "answer": cleanText(e.Answer), "fault": why,
		"state": e.State, "next": e.NextAt, "webhook": m.WebhookID,
	}
	tag, err := tx.tx.Exec(ctx,
		`UPDATE webhook_attempts SET ended_at = @at, status = @status, answer = @answer, fault = @fault WHERE message_id = @id AND number = @number AND ended_at IS NULL`, args)
	if err == nil && tag.RowsAffected() == 0 {
		return tx.Webhook(ctx, m.WebhookID) // it took too long: somebody else goes on
	}
	if err == nil {
		_, err = tx.tx.Exec(ctx,
			`UPDATE webhook_messages SET state = @state, next_at = @next, claimed_until = NULL, status = @status, fault = @fault,
				ended_at = CASE WHEN @state = 'pending' THEN NULL ELSE @at::timestamptz END
			WHERE id = @id`, args)
	}
	if err != nil {
		return Webhook{}, fail(err, "end an attempt")
	}
	if e.Fault == nil {
		return one[Webhook](ctx, tx.tx, "webhook", m.WebhookID,
			`UPDATE webhooks SET failing_since = NULL, delivered_at = @at WHERE id = @webhook RETURNING `+webhookColumns, args)
	}
	return one[Webhook](ctx, tx.tx, "webhook", m.WebhookID,
		`UPDATE webhooks SET failing_since = coalesce(failing_since, @at) WHERE id = @webhook RETURNING `+webhookColumns, args)
}

func optionalRefusal(r *Refusal) (any, error) {
	if r == nil {
		return nil, nil
	}
	return encodeJSON(r)
}

// DropMessages removes what was sent before a time, with its attempts, and
// returns how many messages. What is pending stays.
func (s *Store) DropMessages(ctx context.Context, before time.Time) (int64, error) {
	tag, err := s.pool.Exec(ctx,
		`DELETE FROM webhook_messages WHERE id IN
			(SELECT id FROM webhook_messages WHERE id < @before AND state <> 'pending' ORDER BY id LIMIT 10000)`,
		pgx.NamedArgs{"before": firstID[messageKind](before)})
	return tag.RowsAffected(), fail(err, "drop old messages")
}
