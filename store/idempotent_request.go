package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/api/fault"
)

// A request that may be repeated is under way while its holder says so, done
// from the commit of its change on, and answered when its reply is kept. What is
// under way and whose holder is silent may be taken over: the holder before then
// finds that the row is no longer its own, and its change is rolled back. So a
// change is made at most once, and the death of a program holds nobody up for
// longer than requestHold.

// CodeIdempotencyInFlight is about a request that another run holds:
// retry_seconds.
const CodeIdempotencyInFlight fault.Code = "idempotency_in_flight"

// requestHold is for how long a request is held without another word of its
// holder, by the database's clock.
const requestHold = 30 * time.Second

// RequestHold is how often a holder has to say that it is still there.
const RequestHold = requestHold / 3

// idempotencyLifetime is how long the reply to a request is kept.
const idempotencyLifetime = 24 * time.Hour

// HeldRequest is a run of a request, which alone may make the request's change.
type HeldRequest struct {
	principal, key string
	holder         [16]byte
}

// Reply is what a request was answered with.
type Reply struct {
	Status int
	Header map[string]string
	Body   []byte
}

// DoneRequest is a request whose change was made.
type DoneRequest struct {
	// Objects are the IDs of what was changed, as the audit log has them.
	Objects []string
	// Reply is nil if the program ended before it was kept.
	Reply *Reply
}

// HoldRequest begins a request for principal under a key. One that is done is
// returned instead of a HeldRequest. Faults: idempotency_in_flight
// (retry_seconds) while another run holds it, idempotency_reused if the key came
// with another fingerprint.
func (s *Store) HoldRequest(ctx context.Context, principal, key string, fingerprint []byte) (*HeldRequest, *DoneRequest, error) {
	h := &HeldRequest{principal: principal, key: key}
	if _, err := rand.Read(h.holder[:]); err != nil {
		return nil, nil, fail(err, "make a holder")
	}
	args := h.args()
	args["fingerprint"], args["hold"] = fingerprint, requestHold
	args["at"], args["expires_at"] = s.Now(), s.Now().Add(idempotencyLifetime)
	tag, err := s.pool.Exec(ctx,
		`INSERT INTO idempotent_requests AS r (principal, key, fingerprint, holder, held_until, created_at, expires_at)
		VALUES (@principal, @key, @fingerprint, @holder, now() + @hold, @at, @expires_at)
		ON CONFLICT ON CONSTRAINT idempotent_requests_pkey DO UPDATE
			SET fingerprint = excluded.fingerprint, holder = excluded.holder, held_until = excluded.held_until, done_at = NULL,
				objects = '{}', status = 0, header = '{}', body = '', created_at = excluded.created_at, expires_at = excluded.expires_at
			WHERE r.expires_at <= @at
				OR r.done_at IS NULL AND r.status = 0 AND r.held_until <= now() AND r.fingerprint = excluded.fingerprint`, args)
	if err != nil {
		return nil, nil, fail(err, "hold a request")
	}
	if tag.RowsAffected() == 1 {
		return h, nil, nil
	}
	type row struct {
		Fingerprint []byte
		DoneAt      *time.Time
		Objects     []string
		Status      int
		Header      map[string]string
		Body        []byte
	}
	before, err := many[row](ctx, s.pool, "requests",
		`SELECT fingerprint, done_at, objects, status, header, body FROM idempotent_requests
		WHERE principal = @principal AND key = @key`, pgx.NamedArgs{"principal": principal, "key": key})
	switch {
	case err != nil:
		return nil, nil, err
	case len(before) == 0: // it was refused just now, and let go
		return nil, nil, errInFlight()
	}
	b := &before[0]
	switch {
	case !bytes.Equal(b.Fingerprint, fingerprint):
		return nil, nil, fault.New(fault.KindInvalid, CodeIdempotencyReused).At("Idempotency-Key")
	case b.Status != 0:
		return nil, &DoneRequest{Objects: b.Objects, Reply: &Reply{Status: b.Status, Header: b.Header, Body: b.Body}}, nil
	case b.DoneAt != nil:
		return nil, &DoneRequest{Objects: b.Objects}, nil
	}
	return nil, nil, errInFlight()
}

// errInFlight is the fault of a request that another run holds.
func errInFlight() *fault.Error {
	return fault.New(fault.KindConflict, CodeIdempotencyInFlight, "retry_seconds", 1).At("Idempotency-Key")
}

func (h *HeldRequest) args() pgx.NamedArgs {
	return pgx.NamedArgs{"principal": h.principal, "key": h.key, "holder": h.holder}
}

// StillHeld says that the holder is there, for requestHold from now.
func (s *Store) StillHeld(ctx context.Context, h *HeldRequest) error {
	args := h.args()
	args["hold"] = requestHold
	_, err := s.pool.Exec(ctx,
		`UPDATE idempotent_requests SET held_until = now() + @hold WHERE principal = @principal AND key = @key AND holder = @holder`, args)
	return fail(err, "hold a request on")
}

// Done notes, in the transaction of the change, that the request is done. If
// another run has taken the request over it is the fault idempotency_in_flight,
// and the transaction must not be committed.
func (tx *Tx) Done(ctx context.Context, h *HeldRequest) error {
	args := h.args()
	args["at"], args["objects"] = tx.at, slices.Compact(tx.objects)
	tag, err := tx.tx.Exec(ctx,
		`UPDATE idempotent_requests SET done_at = @at, objects = objects || @objects::text[]
		WHERE principal = @principal AND key = @key AND holder = @holder`, args)
	if err == nil && tag.RowsAffected() == 0 {
		return errInFlight()
	}
	return fail(err, "note that a request is done")
}

// KeepReply keeps what a request was answered with.
func (s *Store) KeepReply(ctx context.Context, h *HeldRequest, r Reply) error {
	args := h.args()
	if r.Header == nil {
		r.Header = map[string]string{}
	}
	args["status"], args["header"], args["body"] = r.Status, r.Header, append([]byte{}, r.Body...)
	_, err := s.pool.Exec(ctx,
		`UPDATE idempotent_requests SET status = @status, header = @header, body = @body
		WHERE principal = @principal AND key = @key AND holder = @holder`, args)
	return fail(err, "keep a reply")
}

// LetGo forgets a request that changed nothing: its key is free again. One that
// is done stays.
func (s *Store) LetGo(ctx context.Context, h *HeldRequest) error {
	_, err := s.pool.Exec(ctx,
		`DELETE FROM idempotent_requests WHERE principal = @principal AND key = @key AND holder = @holder AND done_at IS NULL`, h.args())
	return fail(err, "let a request go")
}
