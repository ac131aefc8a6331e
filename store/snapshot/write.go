package snapshot

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"time"

	"filippo.io/age"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/klauspost/compress/zstd"
)

// WriteOptions say for whom a snapshot is, and what made it.
type WriteOptions struct {
	Recipients []age.Recipient // at least one
	Program    string
	Now        time.Time
}

// Write writes a snapshot of the database. It takes no lock that anybody waits
// for. What w got before an error is no snapshot, and is refused as one.
func Write(ctx context.Context, db *pgxpool.Pool, w io.Writer, o WriteOptions) (Manifest, error) {
	sealed, err := age.Encrypt(w, o.Recipients...)
	if err != nil {
		return Manifest{}, fmt.Errorf("encrypt the backup: %w", err)
	}
	packed, err := zstd.NewWriter(sealed)
	if err != nil {
		return Manifest{}, fmt.Errorf("compress the backup: %w", err)
	}
	archive := tar.NewWriter(packed)
	var m Manifest
	err = pgx.BeginTxFunc(ctx, db, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		m = Manifest{Header: Header{Format: Format, MadeAt: o.Now.UTC(), Program: o.Program}}
		return (&writer{tx: tx, archive: archive, manifest: &m}).all(ctx)
	})
	// The end of the encryption says that the file is whole.
	if err != nil {
		return Manifest{}, errors.Join(err, packed.Close())
	}
	if err := errors.Join(archive.Close(), packed.Close(), sealed.Close()); err != nil {
		return Manifest{}, fmt.Errorf("write the backup: %w", err)
	}
	return m, nil
}

// writer is the work on one snapshot.
type writer struct {
	tx       pgx.Tx
	archive  *tar.Writer
	manifest *Manifest
	reader   bool // the schema has webhooks, which read the feed of events
}

func (w *writer) all(ctx context.Context) error {
	if _, err := w.tx.Exec(ctx, plain); err != nil {
		return fmt.Errorf("prepare the database: %w", err)
	}
	m := w.manifest
	err := w.tx.QueryRow(ctx, `SELECT version, current_setting('server_version') FROM schema_migrations`).Scan(&m.Schema, &m.Postgres)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if err := w.json(headerName, &m.Header); err != nil {
		return err
	}
	tables, err := columns(ctx, w.tx)
	if err != nil {
		return err
	}
	w.reader = tables["webhook_reader"] != nil
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		if err := w.table(ctx, table, tables[table]); err != nil {
			return err
		}
	}
	rows, _ := w.tx.Query(ctx, `SELECT sha256, bytes FROM blobs ORDER BY sha256`)
	if m.Blobs, err = pgx.CollectRows(rows, pgx.RowToStructByName[Blob]); err != nil {
		return fmt.Errorf("list the image files: %w", err)
	}
	if m.KeyIDs, err = keyIDs(ctx, w.tx, tables); err != nil {
		return err
	}
	return w.json(manifestName, m)
}

// table copies one table.
func (w *writer) table(ctx context.Context, name string, list []column) error {
	p := &pieces{writer: w, table: name, sum: sha256.New()}
	tag, err := w.tx.Conn().PgConn().CopyTo(ctx, p, "COPY ("+selection(name, list, w.reader)+") TO STDOUT")
	if err == nil {
		err = p.flush()
	}
	if err != nil {
		return fmt.Errorf("copy table %s: %w", name, err)
	}
	w.manifest.Tables = append(w.manifest.Tables, Table{
		Name: name, Columns: names(list), Rows: tag.RowsAffected(), Bytes: p.bytes, SHA256: hex.EncodeToString(p.sum.Sum(nil)),
	})
	return nil
}

func (w *writer) json(name string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	return w.entry(name, raw)
}

func (w *writer) entry(name string, body []byte) error {
	err := w.archive.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(body)), ModTime: w.manifest.MadeAt, Format: tar.FormatPAX})
	if err == nil {
		_, err = w.archive.Write(body)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// pieces cuts a table into entries: how long one is must be known before it.
type pieces struct {
	writer *writer
	table  string
	sum    hash.Hash
	bytes  int64
	count  int
	buf    bytes.Buffer
}

func (p *pieces) Write(b []byte) (int, error) {
	p.sum.Write(b)
	p.bytes += int64(len(b))
	p.buf.Write(b)
	if p.buf.Len() < pieceBytes {
		return len(b), nil
	}
	return len(b), p.flush()
}

func (p *pieces) flush() error {
	if p.buf.Len() == 0 {
		return nil
	}
	p.count++
	err := p.writer.entry(fmt.Sprintf("%s%s/%06d", tablesDir, p.table, p.count), p.buf.Bytes())
	p.buf.Reset()
	return err
}
