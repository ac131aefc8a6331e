package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/api/fault"
)

// The settings.
const (
	SettingExclusions = "capture_exclusions" // what captures leave out
	SettingFirstRun   = "first_run"          // how far the set-up of a new console is, as JSON
)

// Setting is what an admin sets once for all.
type Setting struct {
	Name      string
	Value     string
	Revision  int64
	UpdatedAt time.Time
}

// Setting finds a setting, or fails with setting_not_found while nobody has
// set it.
func (r Reader) Setting(ctx context.Context, name string) (Setting, error) {
	return one[Setting](ctx, r.db, "setting", name,
		`SELECT name, value, revision, updated_at FROM settings WHERE name = @name`, pgx.NamedArgs{"name": name})
}

// Settings lists the settings that somebody has set, by name.
func (r Reader) Settings(ctx context.Context) ([]Setting, error) {
	return many[Setting](ctx, r.db, "settings", `SELECT name, value, revision, updated_at FROM settings ORDER BY name`, nil)
}

// PutSetting sets a setting whose revision was seen, 0 for one that nobody has
// set; a stale revision is the fault stale.
func (tx *Tx) PutSetting(ctx context.Context, name, value string, revision int64) (Setting, error) {
	s, err := one[Setting](ctx, tx.tx, "setting", name,
		`INSERT INTO settings (name, value, updated_at) SELECT @name, @value, @at
		WHERE @revision = 0 OR EXISTS (SELECT FROM settings WHERE name = @name)
		ON CONFLICT ON CONSTRAINT settings_pkey DO UPDATE
			SET value = excluded.value, revision = settings.revision + 1, updated_at = excluded.updated_at
			WHERE settings.revision = @revision
		RETURNING name, value, revision, updated_at`,
		pgx.NamedArgs{"name": name, "value": value, "revision": revision, "at": tx.at})
	if errors.Is(err, NotFound("setting", name)) {
		err = fault.New(fault.KindStale, CodeStale, "kind", "setting", "id", name)
	}
	return s, err
}
