package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// View is a way of looking at a list that somebody keeps under a name: what it
// is narrowed by.
type View struct {
	ID        ViewID
	UserID    UserID // whose it is; zero: everybody's
	List      string // "jobs"
	Name      string // unique among the owner's views of the list, whatever its case
	Query     string // as in the list's address, without the question mark
	Revision  int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

const viewColumns = `id, user_id, list, name, query, revision, created_at, updated_at`

// View finds a view, or fails with view_not_found.
func (r Reader) View(ctx context.Context, id ViewID) (View, error) {
	return one[View](ctx, r.db, "view", id,
		`SELECT `+viewColumns+` FROM saved_views WHERE id = @id`, pgx.NamedArgs{"id": id})
}

// Views lists everybody's views and those of a user by name, of one list, or
// with an empty list of all; at most limit.
func (r Reader) Views(ctx context.Context, user UserID, list string, limit int) ([]View, error) {
	return many[View](ctx, r.db, "views",
		`SELECT `+viewColumns+` FROM saved_views
		WHERE (@list = '' OR list = @list) AND (user_id IS NULL OR user_id = @user)
		ORDER BY list, user_id NULLS FIRST, lower(name) LIMIT @limit`, pgx.NamedArgs{"list": list, "user": user, "limit": limit})
}

// CreateView keeps a view. A name in use is the fault name_taken.
func (tx *Tx) CreateView(ctx context.Context, v View) (View, error) {
	id, err := newID[viewKind](tx)
	if err != nil {
		return View{}, err
	}
	return one[View](ctx, tx.tx, "view", id,
		`INSERT INTO saved_views (id, user_id, list, name, query, created_at, updated_at)
		VALUES (@id, @user, @list, @name, @query, @at, @at)
		RETURNING `+viewColumns,
		pgx.NamedArgs{"id": id, "user": v.UserID, "list": v.List, "name": v.Name, "query": v.Query, "at": tx.at})
}

// UpdateView changes the name and the query of a view; a stale revision is the
// fault stale.
func (tx *Tx) UpdateView(ctx context.Context, id ViewID, revision int64, name, query string) (View, error) {
	return changed[View](ctx, tx.tx, "saved_views", "view", id,
		`UPDATE saved_views SET name = @name, query = @query, revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+viewColumns,
		pgx.NamedArgs{"id": id, "revision": revision, "name": name, "query": query, "at": tx.at})
}

// DeleteView forgets a view; a stale revision is the fault stale.
func (tx *Tx) DeleteView(ctx context.Context, id ViewID, revision int64) (View, error) {
	return changed[View](ctx, tx.tx, "saved_views", "view", id,
		`DELETE FROM saved_views WHERE id = @id AND revision = @revision RETURNING `+viewColumns,
		pgx.NamedArgs{"id": id, "revision": revision})
}
