package browser

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/webtest"
)

// BenchmarkJobsList asks for the list of jobs of a console that has so many, as
// it is and narrowed: by what is common, by what is rare, by both, and by what
// there is none of.
func BenchmarkJobsList(b *testing.B) {
	for _, count := range []int{1_000, 1_000_000} {
		b.Run(strconv.Itoa(count), func(b *testing.B) {
			s := webtest.Play(b, webtest.Start(b))
			fill(b, s, count)
			client := signIn(b, s)
			half := s.Store.Now().Add(-time.Duration(count/2) * time.Second)
			middle, err := s.ListJobs(b.Context(), s.Admin, api.JobFilter{To: half.Format(time.DateOnly)}, api.Page{Limit: 1})
			if err != nil {
				b.Fatal(err)
			}
			after := ""
			if len(middle.Items) > 0 {
				after = middle.Items[0].ID
			}
			for _, x := range []struct{ name, query string }{
				{"all", ""},
				{"from the middle", "after=" + after},
				{"back from the middle", "before=" + after},
				{"state succeeded", "state=succeeded"},
				{"state failed", "state=failed"},
				{"under way", "state=active"},
				{"state cancelled, 1 in 1000", "state=cancelled"},
				{"host, 1 in 20", "host=lab-7"},
				{"host and state, 1 in 200", "host=lab-7&state=failed"},
				{"host and state, 1 in 20000", "host=lab-7&state=cancelled"},
				{"kind wipe, 1 in 100", "kind=wipe"},
				{"site", "site=Default"},
				{"image", "image=win11-ent"},
				{"another image, none", "image=win10-ltsc"},
				{"one day", "from=" + half.Format(time.DateOnly) + "&to=" + half.Format(time.DateOnly)},
				{"ticket", "reference=INC-0000500"},
				{"ticket begins, 1 in 10", "q=inc-0000"},
				{"ticket begins, all", "q=inc-"},
				{"ticket begins, none", "q=req-"},
				{"holder, 1 in 500", "holder=person+77"},
				{"holder, none", "holder=nobody"},
				{"everything at once", "host=lab-7&state=failed&kind=press&site=Default&image=win11-ent&q=person&from=2020-01-01"},
			} {
				b.Run(strings.ReplaceAll(x.name, " ", "-"), func(b *testing.B) {
					var took []time.Duration
					for b.Loop() {
						begun := time.Now()
						read(b, client, s.URL+"/jobs?"+x.query)
						took = append(took, time.Since(begun))
					}
					slices.Sort(took)
					b.ReportMetric(float64(took[len(took)/2])/1e6, "median-ms")
				})
			}
		})
	}
}

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
	},
}

// fill copies a finished job of one stick so often, each a second older than
// the one before, over 20 hosts and 500 holders.
func fill(b *testing.B, s *webtest.Scene, count int) {
	b.Helper()
	ctx := b.Context()
	for i := range 20 {
		s.Enroll(b, "lab-"+strconv.Itoa(i))
	}
	conn, err := s.Store.Pool().Acquire(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	do := func(sql string) {
		b.Helper()
		if _, err := conn.Exec(ctx, sql); err != nil {
			b.Fatalf("%s: %v", sql, err)
		}
	}
	do(strings.ReplaceAll(older, "MOMENT", strconv.FormatInt(s.Store.Now().UnixMilli(), 10)+"::bigint"))
	do(`CREATE TEMP TABLE many AS SELECT array_agg(id ORDER BY name) AS hosts FROM hosts WHERE name LIKE 'lab-%'`)
	do(`CREATE TEMP TABLE one AS SELECT b.id, b.job_id FROM builds b JOIN jobs j ON j.id = b.job_id
		WHERE b.state = 'verified' AND j.kind = 'press' AND b.position = 1 LIMIT 1`)
	for _, t := range []struct{ table, is string }{{"jobs", "t.id = one.job_id"}, {"builds", "t.id = one.id"}} {
		rows, err := conn.Query(ctx, `SELECT column_name FROM information_schema.columns
			WHERE table_schema = current_schema AND table_name = $1 AND is_generated = 'NEVER'`, t.table)
		if err != nil {
			b.Fatal(err)
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			b.Fatal(err)
		}
		values := make([]string, len(names))
		for i, name := range names {
			if values[i] = differs[t.table][name]; values[i] == "" {
				values[i] = "t." + name
			}
		}
		do(fmt.Sprintf(`INSERT INTO %[1]s (%[2]s) SELECT %[3]s FROM %[1]s t, one, generate_series(1, %[4]d) i WHERE %[5]s`,
			t.table, strings.Join(names, ", "), strings.Join(values, ", "), count, t.is))
		do(`VACUUM ANALYZE ` + t.table)
	}
}
