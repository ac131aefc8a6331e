package load

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/store"
)

// rows are what one post wrote, ready to be inserted again under new IDs.
type rows struct {
	inserts []insert
	own     map[string]bool // IDs that the post made
	port    string          // of its stick
	hosts   []string        // as keys; the first is that of the post
}

// insert is one row: a statement and its values as text.
type insert struct {
	sql    string
	values []*string
}

// rowsOf reads all rows of the transaction that queued a job for this port. They
// will be inserted for all of the hosts in turn, the first of which had the job.
func rowsOf(tb testing.TB, pool *pgxpool.Pool, port string, hosts []apitest.Host) *rows {
	tb.Helper()
	ctx := tb.Context()
	var xmin string
	if err := pool.QueryRow(ctx, `SELECT xmin::text FROM builds WHERE device ->> 'port' = $1`, port).Scan(&xmin); err != nil {
		tb.Fatal(err)
	}
	r := &rows{own: map[string]bool{}, port: port}
	for _, h := range hosts {
		id, err := store.ParseID[store.HostID](h.ID)
		if err != nil {
			tb.Fatal(err)
		}
		r.hosts = append(r.hosts, uuid(id))
	}
	// In the order of their foreign keys.
	for _, table := range []string{"sticks", "jobs", "builds", "job_events", "stick_events", "audit"} {
		columns, types := columnsOf(tb, pool, table)
		asText := make([]string, len(columns))
		holes := make([]string, len(columns))
		for i, c := range columns {
			asText[i] = c + "::text"
			holes[i] = fmt.Sprintf("$%d::text::%s", i+1, types[i])
		}
		found, err := pool.Query(ctx, `SELECT `+strings.Join(asText, ", ")+` FROM `+table+` WHERE xmin::text = $1`, xmin)
		if err != nil {
			tb.Fatal(err)
		}
		all, err := pgx.CollectRows(found, func(row pgx.CollectableRow) ([]*string, error) {
			values := make([]*string, len(columns))
			into := make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			return values, row.Scan(into...)
		})
		if err != nil {
			tb.Fatal(err)
		}
		for _, values := range all {
			for i, c := range columns {
				if c == "id" && types[i] == "uuid" {
					r.own[*values[i]] = true
				}
			}
			r.inserts = append(r.inserts, insert{
				sql:    `INSERT INTO ` + table + ` (` + strings.Join(columns, ", ") + `) VALUES (` + strings.Join(holes, ", ") + `)`,
				values: values,
			})
		}
	}
	// Job, build, stick, an event of each stream and the audit's line.
	if len(r.inserts) < 6 {
		tb.Fatalf("a post wrote %d rows only", len(r.inserts))
	}
	return r
}

// columnsOf lists what an INSERT names.
func columnsOf(tb testing.TB, pool *pgxpool.Pool, table string) (names, types []string) {
	tb.Helper()
	found, err := pool.Query(tb.Context(),
		`SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
		WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = '' AND attgenerated = ''
			AND attname <> 'xact' ORDER BY attnum`, table)
	if err != nil {
		tb.Fatal(err)
	}
	var n, t string
	if _, err := pgx.ForEachRow(found, []any{&n, &t}, func() error {
		names, types = append(names, n), append(types, t)
		return nil
	}); err != nil {
		tb.Fatal(err)
	}
	return names, types
}

// uuid is a key as Postgres writes it.
func uuid(id [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// insert writes the rows once more, as the n-th.
func (r *rows) insert(ctx context.Context, pool *pgxpool.Pool, n int) error {
	var swap []string
	for id := range r.own {
		var fresh [16]byte
		_, _ = rand.Read(fresh[:])
		swap = append(swap, id, uuid(fresh))
	}
	swap = append(swap, r.hosts[0], r.hosts[n%len(r.hosts)])
	// Of the same length, and never the port or the ticket of a post.
	swap = append(swap, r.port, fmt.Sprintf("q%0*d", len(r.port)-1, n), ticket(0), "REQ"+ticket(n)[3:])
	renew := strings.NewReplacer(swap...)
	batch := &pgx.Batch{}
	for _, i := range r.inserts {
		values := make([]any, len(i.values))
		for k, v := range i.values {
			if v == nil {
				values[k] = nil
			} else {
				values[k] = renew.Replace(*v)
			}
		}
		batch.Queue(i.sql, values...)
	}
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return tx.SendBatch(ctx, batch).Close() })
}
