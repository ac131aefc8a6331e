package store_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/store/storetest"
)

// catalog lists everything in the schema river but the table of River's own
// migrations, which we do not use.
const catalog = `
SELECT format('column %s.%s %s null=%s default=%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
	FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
	WHERE c.relnamespace = 'river'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND c.relname <> 'river_migration'
UNION ALL SELECT format('table %s %s', relname, relpersistence) FROM pg_class
	WHERE relnamespace = 'river'::regnamespace AND relkind IN ('r', 'S') AND relname <> 'river_migration' AND relname NOT LIKE 'river_migration%'
UNION ALL SELECT format('constraint %s.%s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
	WHERE connamespace = 'river'::regnamespace AND conrelid::regclass::text <> 'river.river_migration'
UNION ALL SELECT format('index %s', indexdef) FROM pg_indexes WHERE schemaname = 'river' AND tablename <> 'river_migration'
UNION ALL SELECT format('function %s', pg_get_functiondef(oid)) FROM pg_proc WHERE pronamespace = 'river'::regnamespace
UNION ALL SELECT format('value %s.%s %s', t.typname, e.enumlabel, (row_number() OVER (PARTITION BY t.oid ORDER BY e.enumsortorder))::text) FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid
	WHERE t.typnamespace = 'river'::regnamespace
UNION ALL SELECT format('trigger %s', pg_get_triggerdef(t.oid)) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
	WHERE c.relnamespace = 'river'::regnamespace AND NOT t.tgisinternal
ORDER BY 1`

// Our migration leaves what River's own do, in its newest version: whoever
// raises the one has to look at the other.
func TestRiverSchema(t *testing.T) {
	t.Parallel()
	theirs, err := pgxpool.New(t.Context(), storetest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	if _, err := theirs.Exec(t.Context(), `CREATE SCHEMA river`); err != nil {
		t.Fatal(err)
	}
	m, err := rivermigrate.New(riverpgxv5.New(theirs), &rivermigrate.Config{Schema: "river"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Migrate(t.Context(), rivermigrate.DirectionUp, nil); err != nil {
		t.Fatal(err)
	}
	list := func(db *pgxpool.Pool) []string {
		rows, _ := db.Query(context.Background(), catalog)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return lines
	}
	want, got := list(theirs), list(storetest.Open(t))
	if len(want) < 60 {
		t.Fatalf("only %d lines are compared", len(want))
	}
	for _, line := range difference(want, got) {
		t.Errorf("not here: %s", line)
	}
	for _, line := range difference(got, want) {
		t.Errorf("only here: %s", line)
	}
}

// difference is what of a is not in b, spaces aside.
func difference(a, b []string) (out []string) {
	have := map[string]bool{}
	for _, line := range b {
		have[strings.Join(strings.Fields(line), " ")] = true
	}
	for _, line := range a {
		if !have[strings.Join(strings.Fields(line), " ")] {
			out = append(out, line)
		}
	}
	return out
}

// halting is work that fails for good, with what River cannot keep as it is.
type halting struct{}

func (halting) Kind() string { return "halting" }

type haltingWorker struct{ river.WorkerDefaults[halting] }

func (haltingWorker) Work(context.Context, *river.Job[halting]) error {
	return river.JobCancel(errors.New("a\x00b\xff"))
}

// Why work failed is kept whatever is in it, and the work has ended.
func TestWhyWorkFailedIsKept(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db, store.Options{})
	workers := river.NewWorkers()
	river.AddWorker(workers, haltingWorker{})
	b, err := s.Background(store.BackgroundOptions{Queue: "q", Most: 1, Workers: workers, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.InTx(t.Context(), func(tx *store.Tx) error { return tx.Enqueue(t.Context(), b, halting{}) }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() { _ = b.Run(ctx) }()
	for state, why := "", ""; state != "cancelled"; {
		if err := db.QueryRow(ctx, `SELECT state, coalesce(errors[1] ->> 'error', '') FROM river.river_job`).Scan(&state, &why); err != nil {
			t.Fatalf("it is %s: %v", state, err)
		}
		if state == "cancelled" && !strings.HasSuffix(why, "a\uFFFDb\uFFFD") {
			t.Errorf("kept is %q", why)
		}
	}
}
