package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// BlobUse is what the database says of a file in the store.
type BlobUse struct {
	SHA256 string
	Bytes  int64
	Used   bool // by a version
}

// BlobUses lists all files that the database knows, by digest.
func (r Reader) BlobUses(ctx context.Context) (map[string]BlobUse, error) {
	list, err := many[BlobUse](ctx, r.db, "blobs",
		`SELECT b.sha256, b.bytes, EXISTS (SELECT FROM image_versions v WHERE v.sha256 = b.sha256) AS used FROM blobs b`, nil)
	out := make(map[string]BlobUse, len(list))
	for _, b := range list {
		out[b.SHA256] = b
	}
	return out, err
}

// ForgetBlob forgets a file that no version is made of, and the upload that
// brought it. Until the transaction ends nobody makes a version of it. It reports
// false, and has changed nothing, where a version uses it.
func (tx *Tx) ForgetBlob(ctx context.Context, sha256 string) (forgotten bool, err error) {
	args := pgx.NamedArgs{"sha256": sha256}
	err = pgx.BeginFunc(ctx, tx.tx, func(inner pgx.Tx) error {
		_, err := inner.Exec(ctx,
			`DELETE FROM inspections WHERE state = 'ready' AND record ->> 'sha256' = @sha256`, args)
		if err != nil {
			return err
		}
		_, err = inner.Exec(ctx, `DELETE FROM blobs WHERE sha256 = @sha256`, args)
		return err
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.ConstraintName == "image_versions_sha256_fkey" {
		return false, nil
	}
	return err == nil, fail(err, "forget a blob")
}

// LastAudit is when something was done last, or the zero time.
func (r Reader) LastAudit(ctx context.Context, action string) (time.Time, error) {
	list, err := many[struct{ At time.Time }](ctx, r.db, "audit",
		`SELECT at FROM audit WHERE action = @action ORDER BY id DESC LIMIT 1`, pgx.NamedArgs{"action": action})
	if err != nil || len(list) == 0 {
		return time.Time{}, err
	}
	return list[0].At, nil
}
