package store_test

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
)

// What changes while a job is under way is in no index, so that a change of it
// writes into none.
func TestWhatMovesIsNotIndexed(t *testing.T) {
	t.Parallel()
	s := open(t)
	for table, moving := range map[string][]string{
		"jobs":   {"state", "overrides", "cancel_requested_at", "started_at", "seq", "revision"},
		"builds": {"state", "attempt", "step", "touched", "cancel_requested_at", "assigned_at", "started_at", "revision"},
	} {
		rows, err := s.Pool().Query(t.Context(),
			`SELECT DISTINCT a.attname::text FROM pg_index i
			JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.refobjid = i.indrelid
			JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = d.refobjsubid
			WHERE i.indrelid = $1::regclass`, table)
		if err != nil {
			t.Fatal(err)
		}
		indexed, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || !slices.Contains(indexed, "outcome") || !slices.Contains(indexed, "host_id") {
			t.Fatalf("%s: %v, %v", table, indexed, err)
		}
		for _, column := range moving {
			if slices.Contains(indexed, column) {
				t.Errorf("an index of %s holds or asks for %s", table, column)
			}
		}
	}
}
