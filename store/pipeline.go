package store

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pipeline is a transaction that does not go to Postgres for each of its writes:
// one whose outcome nobody looks at (later) waits for the next statement, or for
// the commit, and goes with that. Postgres gets everything in the order in which
// it was said.
//
// What Postgres refuses of such a write is known late: the statement that it went
// with fails, and so does the transaction, with the write's own error.
type pipeline struct {
	pgx.Tx
	waiting pgx.Batch
	refused error // of what waited
}

// later writes something, by a statement that constraints alone may refuse.
func (p *pipeline) later(sql string, args pgx.NamedArgs) { p.waiting.Queue(sql, args) }

// send sends what waits.
func (p *pipeline) send(ctx context.Context) error {
	if p.waiting.Len() == 0 {
		return nil
	}
	batch := p.waiting
	p.waiting = pgx.Batch{}
	err := p.Tx.SendBatch(ctx, &batch).Close()
	if p.refused == nil {
		p.refused = err
	}
	return err
}

// commit sends what waits and commits, in one go.
func (p *pipeline) commit(ctx context.Context) error {
	if p.refused != nil || p.waiting.Len() == 0 {
		return p.Tx.Commit(ctx)
	}
	p.waiting.Queue(`COMMIT`)
	return p.send(ctx)
}

// Exec implements pgx.Tx.
func (p *pipeline) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if err := p.send(ctx); err != nil {
		return pgconn.CommandTag{}, err
	}
	return p.Tx.Exec(ctx, sql, args...)
}

// SendBatch implements pgx.Tx.
func (p *pipeline) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if err := p.send(ctx); err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	return p.Tx.SendBatch(ctx, b)
}

// Query implements pgx.Tx. Where what waited was refused, Postgres refuses all
// that follows.
func (p *pipeline) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	_ = p.send(ctx)
	return p.Tx.Query(ctx, sql, args...)
}

// QueryRow implements pgx.Tx, as Query.
func (p *pipeline) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	_ = p.send(ctx)
	return p.Tx.QueryRow(ctx, sql, args...)
}

// Begin implements pgx.Tx.
func (p *pipeline) Begin(ctx context.Context) (pgx.Tx, error) {
	if err := p.send(ctx); err != nil {
		return nil, err
	}
	return p.Tx.Begin(ctx)
}

// CopyFrom implements pgx.Tx.
func (p *pipeline) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, from pgx.CopyFromSource) (int64, error) {
	if err := p.send(ctx); err != nil {
		return 0, err
	}
	return p.Tx.CopyFrom(ctx, table, columns, from)
}
