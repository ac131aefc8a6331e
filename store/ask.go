package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Questions are asked together: one way to Postgres and back for all of them.
// Each method adds some and returns how to get the answer, once Ask was called.
type Questions struct {
	r     Reader
	batch pgx.Batch
}

// Questions are those of a reader.
func (r Reader) Questions() *Questions { return &Questions{r: r} }

// Ask sends the questions. It fails if Postgres does; what is not there, the
// answers say.
func (q *Questions) Ask(ctx context.Context) error {
	if q.batch.Len() == 0 {
		return nil
	}
	return fail(q.r.db.SendBatch(ctx, &q.batch).Close(), "look things up")
}

// answer is what comes back for a question.
type answer[T any] struct{ rows []T }

// ask adds a question.
func ask[T any](q *Questions, sql string, args pgx.NamedArgs) *answer[T] {
	a := &answer[T]{}
	q.batch.Queue(sql, args).Query(func(rows pgx.Rows) (err error) {
		a.rows, err = pgx.CollectRows(rows, pgx.RowToStructByName[T])
		return err
	})
	return a
}

// one is the row that was found; none is kind_not_found.
func (a *answer[T]) one(kind string, id any) (T, error) {
	if len(a.rows) == 0 {
		var none T
		return none, NotFound(kind, id)
	}
	return a.rows[0], nil
}
