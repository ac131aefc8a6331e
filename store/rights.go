package store

import (
	"context"
	"fmt"

	"github.com/stickpress/stickpress/api/fault"
)

// extension is what the schema needs of Postgres beyond itself: it comes with
// Postgres, as one of its additional modules, and is made by the migrations.
const extension = "btree_gist"

// checkRights refuses a database in which the migrations could not make what
// they need: an extension (unless an administrator made it), and the schema of
// background work. Faults: extension_missing, database_rights.
func checkRights(ctx context.Context, db querier) error {
	var made, there, may, schema bool
	var role, database string
	// btree_gist is trusted from Postgres 13 on: whoever may create in the
	// database may make it. https://www.postgresql.org/docs/current/sql-createextension.html
	err := db.QueryRow(ctx,
		`SELECT EXISTS (SELECT FROM pg_extension WHERE extname = $1),
			EXISTS (SELECT FROM pg_available_extensions WHERE name = $1),
			has_database_privilege(current_database(), 'CREATE'), to_regnamespace('river') IS NOT NULL, current_user, current_database()`,
		extension).Scan(&made, &there, &may, &schema, &role, &database)
	switch {
	case err != nil:
		return fmt.Errorf("ask what this role may do: %w", err)
	case !made && !there:
		return fault.New(fault.KindUnavailable, CodeExtensionMissing, "extension", extension)
	case !may && (!made || !schema):
		return fault.New(fault.KindUnavailable, CodeDatabaseRights, "role", role, "database", database, "extension", extension)
	}
	return nil
}

// referencesHeld is the constraint that goes with the extension, and what makes
// it: migrations 0020 and 0032.
const (
	referencesHeld     = "builds_reference_open_excl"
	makeReferencesHeld = `CREATE EXTENSION IF NOT EXISTS ` + extension + `; ALTER TABLE builds ADD CONSTRAINT ` + referencesHeld + `
	EXCLUDE USING gist (reference_system WITH =, reference WITH =, job_id WITH <>)
	WHERE (outcome IS NULL AND reference <> '' AND reference_system <> '');`
)

// ReferencesHeld reports whether the database still holds external references to
// one job each: whoever drops the extension drops that with it. repair is the SQL
// that brings both back, which fails where two jobs have one by now.
func (r Reader) ReferencesHeld(ctx context.Context) (held bool, repair string, err error) {
	err = r.db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_constraint WHERE conname = $1 AND conrelid = to_regclass('builds'))`,
		referencesHeld).Scan(&held)
	return held, makeReferencesHeld, fail(err, "ask for the constraint of references")
}

// CheckRights reports whether this program's role can make, or finds, what the
// schema needs. Faults: extension_missing, database_rights.
func (r Reader) CheckRights(ctx context.Context) error { return checkRights(ctx, r.db) }
