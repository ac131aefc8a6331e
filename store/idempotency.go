package store

import (
	"bytes"
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/api/fault"
)

// Idempotent is the remembered answer to a request that came with an
// Idempotency-Key.
type Idempotent struct {
	Status   int
	Location string
	Body     []byte
}

// idempotencyLifetime is how long an answer is remembered.
const idempotencyLifetime = 24 * time.Hour

// BeginIdempotent claims key for the transaction's request. It returns the
// remembered answer and true if the same request was answered before; a
// request under way is waited for. The same key with another fingerprint is
// the fault idempotency_reused. Scope keeps the keys of callers apart.
func (tx *Tx) BeginIdempotent(ctx context.Context, scope, key string, fingerprint []byte) (Idempotent, bool, error) {
	tag, err := tx.tx.Exec(ctx,
		`INSERT INTO idempotency_keys AS k (scope, key, fingerprint, created_at, expires_at)
		VALUES (@scope, @key, @fingerprint, @at, @expires_at)
		ON CONFLICT ON CONSTRAINT idempotency_keys_pkey DO UPDATE
			SET fingerprint = excluded.fingerprint, status = 0, location = '', body = '',
				created_at = excluded.created_at, expires_at = excluded.expires_at
			WHERE k.expires_at <= @at`,
		pgx.NamedArgs{
			"scope": scope, "key": key, "fingerprint": fingerprint,
			"at": tx.at, "expires_at": tx.at.Add(idempotencyLifetime),
		})
	if err != nil {
		return Idempotent{}, false, fail(err, "claim an idempotency key")
	}
	if tag.RowsAffected() == 1 {
		return Idempotent{}, false, nil
	}
	var before Idempotent
	var known []byte
	err = tx.tx.QueryRow(ctx,
		`SELECT fingerprint, status, location, body FROM idempotency_keys WHERE scope = @scope AND key = @key`,
		pgx.NamedArgs{"scope": scope, "key": key}).Scan(&known, &before.Status, &before.Location, &before.Body)
	if err != nil {
		return Idempotent{}, false, fail(err, "read an idempotency key")
	}
	if !bytes.Equal(known, fingerprint) {
		return Idempotent{}, false, fault.New(fault.KindInvalid, CodeIdempotencyReused).At("Idempotency-Key")
	}
	return before, true, nil
}

// EndIdempotent remembers the answer, in the transaction that claimed the key.
func (tx *Tx) EndIdempotent(ctx context.Context, scope, key string, answer Idempotent) error {
	_, err := tx.tx.Exec(ctx,
		`UPDATE idempotency_keys SET status = @status, location = @location, body = @body
		WHERE scope = @scope AND key = @key`,
		pgx.NamedArgs{
			"scope": scope, "key": key, "status": answer.Status, "location": answer.Location, "body": answer.Body,
		})
	return fail(err, "remember an answer")
}
