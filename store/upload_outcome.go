package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// uploadOutcomeLifetime is how long it is known what came of an upload.
const uploadOutcomeLifetime = 24 * time.Hour

// KeepUploadOutcome keeps for a day what came of an upload, for who missed the
// answer and asks again. One that is there is replaced.
func (tx *Tx) KeepUploadOutcome(ctx context.Context, upload string, outcome any) error {
	raw, err := json.Marshal(outcome)
	if err != nil {
		return fmt.Errorf("encode what came of upload %s: %w", upload, err)
	}
	_, err = tx.tx.Exec(ctx,
		`INSERT INTO upload_outcomes (upload, outcome, created_at, expires_at)
		VALUES (@upload, @outcome, @at, @expires_at)
		ON CONFLICT ON CONSTRAINT upload_outcomes_pkey DO UPDATE
			SET outcome = excluded.outcome, created_at = excluded.created_at, expires_at = excluded.expires_at`,
		pgx.NamedArgs{"upload": upload, "outcome": raw, "at": tx.at, "expires_at": tx.at.Add(uploadOutcomeLifetime)})
	return fail(err, "keep what came of an upload")
}

// UploadOutcome reads what came of an upload into out. Faults: upload_not_found
// where that is not known, or not any more.
func (s *Store) UploadOutcome(ctx context.Context, upload string, out any) error {
	row, err := one[struct{ Outcome []byte }](ctx, s.pool, "upload", upload,
		`SELECT outcome FROM upload_outcomes WHERE upload = @upload AND expires_at > @at`,
		pgx.NamedArgs{"upload": upload, "at": s.Now()})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(row.Outcome, out); err != nil {
		return fmt.Errorf("read what came of upload %s: %w", upload, err)
	}
	return nil
}
