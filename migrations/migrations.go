// Package migrations holds the database schema as numbered SQL files.
//
// A migration only ever adds or relaxes ("expand"); what an older program
// still reads goes away one release later ("contract"), in a migration that
// raises schema_requirement.min_app. Each file is one transaction whose last
// statement clears golang-migrate's dirty mark, so that a dirty database always
// means "this migration was not applied" and store.Migrate may simply run it
// again. A landed migration is never edited.
package migrations

import "embed"

// FS holds NNNN_name.up.sql and NNNN_name.down.sql.
//
//go:embed *.sql
var FS embed.FS
