package apitest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// older makes an ID as one that was made i seconds before MOMENT, in
// milliseconds: unique, and sorted so (UUID version 7).
const older = `CREATE FUNCTION pg_temp.older(i integer) RETURNS uuid LANGUAGE sql AS $$
	SELECT (lpad(to_hex(MOMENT - 1000::bigint * i), 12, '0') || '7' ||
		lpad(to_hex(i % 4096), 3, '0') || '8' || lpad(to_hex(i), 15, '0'))::uuid $$`

// differs is what of the copies is not as in the original.
var differs = map[string]map[string]string{
	"jobs": {
		"id":                       "pg_temp.older(i)",
		"host_id":                  "(SELECT hosts[i % 20 + 1] FROM many)",
		"state":                    "CASE WHEN i % 1000 = 3 THEN 'cancelled' WHEN i % 10 = 0 THEN 'failed' ELSE 'succeeded' END",
		"kind":                     "CASE WHEN i % 100 = 50 THEN 'wipe' ELSE 'press' END",
		"image_version_id":         "CASE WHEN i % 100 = 50 THEN NULL ELSE t.image_version_id END",
		"task_sequence_version_id": "CASE WHEN i % 100 = 50 THEN NULL ELSE t.task_sequence_version_id END",
		"reference":                "'INC-' || lpad(i::text, 7, '0')",
		"holder":                   "'Person ' || (i * 7 % 500)",
		"created_at":               "now() - i * interval '1 second'",
	},
	"builds": {
		"id": "pg_temp.older(i)", "job_id": "pg_temp.older(i)", "host_id": "(SELECT hosts[i % 20 + 1] FROM many)",
		"reference": "'INC-' || lpad(i::text, 7, '0')", "holder": "'Person ' || (i * 7 % 500)",
		"state": "CASE WHEN i % 1000 = 3 THEN 'cancelled' WHEN i % 10 = 0 THEN 'failed' ELSE t.state END",
		"fault": `CASE WHEN i % 20000 = 0 THEN '{"code": "hub_power"}' WHEN i % 10 = 0 THEN '{"code": "write_failed"}' END::jsonb`,
	},
}

// FillJobs copies a finished job of one stick, of which there must be one, so often:
// each a second older than the one before, over 20 hosts and 500 holders. The
// copies have no history; one in ten failed, of those one in 2,000 by its hub.
func (f *Fixture) FillJobs(t testing.TB, count int) {
	t.Helper()
	ctx := t.Context()
	for i := range 20 {
		f.Enroll(t, "lab-"+strconv.Itoa(i))
	}
	conn, err := f.Store.Pool().Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	do := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	do(strings.ReplaceAll(older, "MOMENT", strconv.FormatInt(f.Store.Now().UnixMilli(), 10)+"::bigint"))
	do(`CREATE TEMP TABLE many AS SELECT array_agg(id ORDER BY name) AS hosts FROM hosts WHERE name LIKE 'lab-%'`)
	do(`CREATE TEMP TABLE one AS SELECT b.id, b.job_id FROM builds b JOIN jobs j ON j.id = b.job_id
		WHERE b.state = 'verified' AND j.kind = 'press' AND b.position = 1 LIMIT 1`)
	for _, x := range []struct{ table, is string }{{"jobs", "t.id = one.job_id"}, {"builds", "t.id = one.id"}} {
		rows, err := conn.Query(ctx, `SELECT column_name FROM information_schema.columns
			WHERE table_schema = current_schema AND table_name = $1 AND is_generated = 'NEVER'`, x.table)
		if err != nil {
			t.Fatal(err)
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		values := make([]string, len(names))
		for i, name := range names {
			if values[i] = differs[x.table][name]; values[i] == "" {
				values[i] = "t." + name
			}
		}
		do(fmt.Sprintf(`INSERT INTO %[1]s (%[2]s) SELECT %[3]s FROM %[1]s t, one, generate_series(1, %[4]d) i WHERE %[5]s`,
			x.table, strings.Join(names, ", "), strings.Join(values, ", "), count, x.is))
		do(`VACUUM ANALYZE ` + x.table)
	}
}
