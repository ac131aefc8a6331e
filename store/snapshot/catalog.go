package snapshot

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// column is one of a table.
type column struct {
	Table string
	Name  string
	Type  string
	// Sequence counts it, "" where nothing does.
	Sequence string
}

// columns lists what a snapshot holds of the schema, by table, in the order in
// which the columns were made. Generated ones make themselves.
func columns(ctx context.Context, tx pgx.Tx) (map[string][]column, error) {
	rows, _ := tx.Query(ctx,
		`SELECT c.relname AS table, a.attname AS name, format_type(a.atttypid, NULL) AS type,
			coalesce(pg_get_serial_sequence('public.' || quote_ident(c.relname), a.attname), '') AS sequence
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
			AND NOT a.attisdropped AND a.attgenerated = ''
		ORDER BY c.relname, a.attnum`) // the error comes back from CollectRows
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[column])
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	out := map[string][]column{}
	for _, c := range list {
		if leftOut[c.Table] == "" {
			out[c.Table] = append(out[c.Table], c)
		}
	}
	return out, nil
}

// names are those of columns.
func names(list []column) []string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = c.Name
	}
	return out
}

// quoted are identifiers as SQL has them, with commas between.
func quoted(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = pgx.Identifier{n}.Sanitize()
	}
	return strings.Join(out, ", ")
}

// keyIDs are the names of the master keys that anything is sealed under.
func keyIDs(ctx context.Context, tx pgx.Tx, tables map[string][]column) ([]string, error) {
	var parts []string
	for table, list := range tables {
		for _, c := range list {
			if c.Type == "text" && (c.Name == "key_id" || strings.HasSuffix(c.Name, "_key_id")) {
				parts = append(parts, "SELECT "+quoted([]string{c.Name})+" FROM "+quoted([]string{table}))
			}
		}
	}
	slices.Sort(parts)
	rows, _ := tx.Query(ctx, "SELECT id FROM ("+strings.Join(parts, " UNION ")+") AS k (id) WHERE id <> '' ORDER BY id")
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list the master keys: %w", err)
	}
	return ids, nil
}

// plain makes the text of values independent of the server's settings.
const plain = `SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL timezone = 'UTC'; SET LOCAL intervalstyle = 'iso_8601';
	SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1; SET LOCAL client_encoding = 'UTF8';
	SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0`
