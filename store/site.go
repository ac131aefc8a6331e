package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Site is a place with hosts.
type Site struct {
	ID        SiteID
	Name      string // unique whatever its case
	IsDefault bool
	Revision  int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

const siteColumns = `id, name, is_default, revision, created_at, updated_at`

// Site finds a site, or fails with site_not_found.
func (r Reader) Site(ctx context.Context, id SiteID) (Site, error) {
	return one[Site](ctx, r.db, "site", id,
		`SELECT `+siteColumns+` FROM sites WHERE id = @id`, pgx.NamedArgs{"id": id})
}

// Sites lists sites by name.
func (r Reader) Sites(ctx context.Context, page ByName) ([]Site, error) {
	return many[Site](ctx, r.db, "sites",
		`SELECT `+siteColumns+` FROM sites
		WHERE lower(name) > lower(@after)
		ORDER BY lower(name) LIMIT @limit`, page.args())
}

// CreateSite adds a site. A name in use is the fault name_taken.
func (tx *Tx) CreateSite(ctx context.Context, name string) (Site, error) {
	id, err := newID[siteKind](tx)
	if err != nil {
		return Site{}, err
	}
	return one[Site](ctx, tx.tx, "site", id,
		`INSERT INTO sites (id, name, created_at, updated_at)
		VALUES (@id, @name, @at, @at)
		RETURNING `+siteColumns, pgx.NamedArgs{"id": id, "name": name, "at": tx.at})
}

// RenameSite gives a site another name; a stale revision is the fault stale.
func (tx *Tx) RenameSite(ctx context.Context, id SiteID, revision int64, name string) (Site, error) {
	return changed[Site](ctx, tx.tx, "sites", "site", id,
		`UPDATE sites SET name = @name, revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+siteColumns, pgx.NamedArgs{"id": id, "revision": revision, "name": name, "at": tx.at})
}
