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
