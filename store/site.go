package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/api/fault"
)

// Site is a place with hosts.
type Site struct {
	ID        SiteID
	Name      string // unique whatever its case
	IsDefault bool   // where hosts are enrolled that name no other
	Revision  int64
	CreatedAt time.Time
	UpdatedAt time.Time
	RetiredAt *time.Time // closed: no host may come to it
}

const siteColumns = `id, name, is_default, revision, created_at, updated_at, retired_at`

// Site finds a site, or fails with site_not_found.
func (r Reader) Site(ctx context.Context, id SiteID) (Site, error) {
	return one[Site](ctx, r.db, "site", id,
		`SELECT `+siteColumns+` FROM sites WHERE id = @id`, pgx.NamedArgs{"id": id})
}

// SiteByName finds a site by its name, whatever its case.
func (r Reader) SiteByName(ctx context.Context, name string) (Site, error) {
	return one[Site](ctx, r.db, "site", name,
		`SELECT `+siteColumns+` FROM sites WHERE lower(name) = lower(@name)`, pgx.NamedArgs{"name": name})
}

// TheDefaultSite finds the site of hosts that name no other.
func (r Reader) TheDefaultSite(ctx context.Context) (Site, error) {
	return one[Site](ctx, r.db, "site", "", `SELECT `+siteColumns+` FROM sites WHERE is_default`, nil)
}

// Shelf narrows a list of things that can be retired: those in use, or the
// retired ones, and what their name holds, whatever its case.
type Shelf struct {
	Retired bool
	Search  string
	Page    ByName
}

func (s Shelf) where() *where {
	w := &where{conditions: []string{"retired_at IS NULL"}}
	if s.Retired {
		w.conditions[0] = "retired_at IS NOT NULL"
	}
	w.text("lower(name) LIKE @search", "search", holding(s.Search))
	return w
}

// Sites lists sites by name; no scope means all.
func (r Reader) Sites(ctx context.Context, scope []SiteID, s Shelf) ([]Site, error) {
	w := s.where()
	if len(scope) > 0 {
		w.and("id = ANY (@scope)", "scope", scope)
	}
	return byName[Site](ctx, r, "sites", "sites", siteColumns, w, s.Page)
}

// SiteUse is what is at a site.
type SiteUse struct {
	Hosts int // enrolled
	Jobs  int // not over
}

// SiteUses counts what is at sites.
func (r Reader) SiteUses(ctx context.Context, sites []SiteID) (map[SiteID]SiteUse, error) {
	type row struct {
		ID SiteID
		SiteUse
	}
	rows, err := many[row](ctx, r.db, "sites' hosts",
		`SELECT id, (SELECT count(*) FROM hosts WHERE site_id = sites.id AND state = 'enrolled') AS hosts,
			(SELECT count(*) FROM jobs WHERE site_id = sites.id AND outcome IS NULL) AS jobs
		FROM sites WHERE id = ANY (@sites)`, pgx.NamedArgs{"sites": sites})
	uses := make(map[SiteID]SiteUse, len(rows))
	for _, x := range rows {
		uses[x.ID] = x.SiteUse
	}
	return uses, err
}

// OpenSite finds a site that hosts may come to, and keeps it from being closed
// until the end of the transaction; a closed one is the fault site_closed.
func (tx *Tx) OpenSite(ctx context.Context, id SiteID) (Site, error) {
	s, err := one[Site](ctx, tx.tx, "site", id,
		`SELECT `+siteColumns+` FROM sites WHERE id = @id FOR KEY SHARE`, pgx.NamedArgs{"id": id})
	if err == nil && s.RetiredAt != nil {
		err = fault.New(fault.KindConflict, CodeSiteClosed, "site", s.Name).At("site")
	}
	return s, err
}

// CreateSite adds a site. A name in use is the fault name_taken.
func (tx *Tx) CreateSite(ctx context.Context, name string) (Site, error) {
	id, err := newID[siteKind](tx)
	if err != nil {
		return Site{}, err
	}
	return one[Site](ctx, tx.tx, "site", id,
		`INSERT INTO sites (id, name, created_at, updated_at) VALUES (@id, @name, @at, @at)
		RETURNING `+siteColumns, pgx.NamedArgs{"id": id, "name": name, "at": tx.at})
}

// RenameSite renames a site; a stale revision is the fault stale.
func (tx *Tx) RenameSite(ctx context.Context, id SiteID, revision int64, name string) (Site, error) {
	return changed[Site](ctx, tx.tx, "sites", "site", id,
		`UPDATE sites SET name = @name, revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+siteColumns, pgx.NamedArgs{"id": id, "revision": revision, "name": name, "at": tx.at})
}

// MakeDefaultSite makes a site the default one in place of another; a stale
// revision is the fault stale.
func (tx *Tx) MakeDefaultSite(ctx context.Context, id SiteID, revision int64) (Site, error) {
	_, err := tx.tx.Exec(ctx,
		`UPDATE sites SET is_default = false, revision = revision + 1, updated_at = @at WHERE is_default AND id <> @id`,
		pgx.NamedArgs{"id": id, "at": tx.at})
	if err != nil {
		return Site{}, fail(err, "change the default site")
	}
	return changed[Site](ctx, tx.tx, "sites", "site", id,
		`UPDATE sites SET is_default = true, revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+siteColumns, pgx.NamedArgs{"id": id, "revision": revision, "at": tx.at})
}

// RetireSite closes a site, or opens it again. One with enrolled hosts is the
// fault site_in_use, the default one site_default; a stale revision is stale.
func (tx *Tx) RetireSite(ctx context.Context, id SiteID, revision int64, retired bool) (Site, error) {
	// The lock keeps hosts from coming meanwhile: their rows refer to this one.
	s, err := one[Site](ctx, tx.tx, "site", id,
		`SELECT `+siteColumns+` FROM sites WHERE id = @id FOR UPDATE`, pgx.NamedArgs{"id": id})
	if err != nil {
		return s, err
	}
	if retired {
		if s.IsDefault {
			return s, fault.New(fault.KindConflict, CodeSiteDefault, "site", s.Name)
		}
		uses, err := tx.SiteUses(ctx, []SiteID{id})
		if err != nil {
			return s, err
		}
		if u := uses[id]; u.Hosts > 0 || u.Jobs > 0 {
			return s, fault.New(fault.KindConflict, CodeSiteInUse, "site", s.Name, "hosts", u.Hosts, "jobs", u.Jobs)
		}
	}
	return retire[Site](ctx, tx, "sites", "site", id, siteColumns, revision, retired)
}

// retire takes a row out of use, or back into it.
func retire[T any, K kind](ctx context.Context, tx *Tx, table, kind string, id ID[K], columns string, revision int64, retired bool) (T, error) {
	return changed[T](ctx, tx.tx, table, kind, id,
		`UPDATE `+table+` SET retired_at = CASE WHEN @retired THEN coalesce(retired_at, @at) END, revision = revision + 1, updated_at = @at
		WHERE id = @id AND revision = @revision
		RETURNING `+columns, pgx.NamedArgs{"id": id, "revision": revision, "retired": retired, "at": tx.at})
}
