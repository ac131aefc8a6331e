package api

import (
	"context"
	"io"

	"filippo.io/age"

	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/store/snapshot"
)

// Backup writes all that the console knows, encrypted, without its image files
// (admin); the audit log says so when it is done. See package snapshot.
func (c *Console) Backup(ctx context.Context, a Actor, w io.Writer, program string, to ...age.Recipient) (snapshot.Manifest, error) {
	if err := allow(a, UseBackup); err != nil {
		return snapshot.Manifest{}, err
	}
	m, err := snapshot.Write(ctx, c.store.Pool(), w, snapshot.WriteOptions{Recipients: to, Program: program, Now: c.now()})
	if err != nil {
		return m, err
	}
	return m, c.change(ctx, a, UseBackup, func(tx *store.Tx, by store.Actor) error {
		return tx.Audit(ctx, store.NewAudit{By: by, Action: string(UseBackup), ObjectKind: "console", After: map[string]any{
			"made_at": m.MadeAt, "rows": m.Rows(), "image_files": len(m.Blobs), "image_bytes": m.BlobBytes(),
		}})
	})
}
