package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
)

type blobRow struct {
	SHA256    string `db:"sha256"`
	Bytes     int64
	Blocks    []byte
	CreatedAt time.Time
}

// BlobRecord returns the hashes of a blob, or fails with blob_not_found.
func (r Reader) BlobRecord(ctx context.Context, sha256 string) (protocol.BlobRecord, error) {
	row, err := one[blobRow](ctx, r.db, "blob", sha256,
		`SELECT sha256, bytes, blocks, created_at FROM blobs WHERE sha256 = @sha256`, pgx.NamedArgs{"sha256": sha256})
	if err != nil {
		return protocol.BlobRecord{}, err
	}
	rec := protocol.BlobRecord{SHA256: row.SHA256, Bytes: row.Bytes, Blocks: make([]string, 0, len(row.Blocks)/32)}
	for b := row.Blocks; len(b) >= 32; b = b[32:] {
		rec.Blocks = append(rec.Blocks, hex.EncodeToString(b[:32]))
	}
	return rec, nil
}

// PutBlobRecord remembers a blob's hashes. To remember them again changes
// nothing: equal digests are equal bytes.
func (tx *Tx) PutBlobRecord(ctx context.Context, rec protocol.BlobRecord) error {
	blocks := make([]byte, 0, 32*len(rec.Blocks))
	for i, b := range rec.Blocks {
		sum, err := hex.DecodeString(b)
		if err != nil || len(sum) != 32 {
			return errors.Join(fmt.Errorf("blob %s: block %d has no SHA-256: %q", rec.SHA256, i, b), err)
		}
		blocks = append(blocks, sum...)
	}
	_, err := tx.tx.Exec(ctx,
		`INSERT INTO blobs (sha256, bytes, blocks, created_at) VALUES (@sha256, @bytes, @blocks, @at)
		ON CONFLICT ON CONSTRAINT blobs_pkey DO NOTHING`,
		pgx.NamedArgs{"sha256": rec.SHA256, "bytes": rec.Bytes, "blocks": blocks, "at": tx.at})
	return fail(err, "remember a blob")
}
