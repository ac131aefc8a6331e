package snapshot_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/store/snapshot"
	"github.com/stickpress/stickpress/store/storetest"
)

// since is from which transaction on each webhook listens.
func since(t *testing.T, st *store.Store) map[string]uint64 {
	t.Helper()
	rows, err := st.Pool().Query(t.Context(), `SELECT url, since FROM webhooks`)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]uint64{}
	var url string
	var xact uint64
	if _, err := pgx.ForEachRow(rows, []any{&url, &xact}, func() error { out[url] = xact; return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// unsent are, by webhook, the events that become its messages next.
func unsent(t *testing.T, st *store.Store) map[string][]string {
	t.Helper()
	out, hooks := map[string][]string{}, since(t, st)
	if err := st.InTx(t.Context(), func(tx *store.Tx) error {
		at, ok, err := tx.LockWebhookReader(t.Context())
		if err != nil || !ok {
			return fmt.Errorf("the reader is not to be had: %t, %w", ok, err)
		}
		for {
			rows, err := tx.Feed(t.Context(), at, store.FeedFilter{Limit: 3})
			if err != nil || len(rows) == 0 {
				return err
			}
			for i := range rows {
				for url, xact := range hooks {
					if rows[i].Xact > xact {
						out[url] = append(out[url], fmt.Sprint(rows[i].Stream, " ", rows[i].ID))
					}
				}
			}
			at = rows[len(rows)-1].Cursor()
		}
	}); err != nil {
		t.Fatal(err)
	}
	for _, ids := range out {
		slices.Sort(ids) // in which order transactions were, is lost
	}
	return out
}

// What no webhook had read when the backup was made becomes messages of the
// restored console: of the webhooks that listened by then, and no others.
func TestUnreadEvents(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	f.Publish(t, "win11-ent", "1.0.0")
	a := apitest.Stick("a")
	f.Connect(t, "bench", a)
	order := func() {
		t.Helper()
		j, err := f.QueueJob(t.Context(), f.Helpdesk, apitest.Order("win11-ent", "bench", a))
		if err == nil {
			_, err = f.CancelJob(t.Context(), f.Helpdesk, j.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	// A webhook that nobody reads for: it is paused in the transaction that makes it.
	listen := func(name string) {
		t.Helper()
		if err := f.Store.InTx(t.Context(), func(tx *store.Tx) error {
			w, err := tx.CreateWebhook(t.Context(), store.NewWebhook{URL: "https://" + name + ".example", Secret: "whsec_x", By: store.System})
			if err == nil {
				_, err = tx.PauseWebhook(t.Context(), w.ID, w.Revision, store.PausedByAdmin)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	order()
	listen("first")
	order()
	// The reader is in the middle of what cancelled the second job.
	if _, err := f.Store.Pool().Exec(t.Context(), `CREATE TABLE public.place AS
		SELECT e.xact, 0::smallint AS stream, e.id FROM job_events e
		WHERE job_id = (SELECT id FROM jobs ORDER BY id DESC LIMIT 1) AND EXISTS (SELECT FROM job_events n WHERE n.xact = e.xact AND n.id > e.id)
		ORDER BY seq LIMIT 1`); err != nil {
		t.Fatal(err)
	}
	listen("second")
	order()
	listen("third")
	order()
	listen("fourth")
	if _, err := f.Store.Pool().Exec(t.Context(), `UPDATE webhook_reader r SET xact = p.xact, stream = p.stream, event = p.id FROM place p; DROP TABLE place`); err != nil {
		t.Fatal(err)
	}

	rows, err := f.Store.Pool().Query(t.Context(), `SELECT w.url, array_agg(e.stream || ' ' || e.id ORDER BY (e.stream || ' ' || e.id) COLLATE "C")
		FROM (SELECT xact, 0::smallint AS stream, id FROM job_events UNION ALL SELECT xact, 1::smallint, id FROM stick_events) e
		JOIN webhooks w ON e.xact > w.since
		WHERE (e.xact, e.stream, e.id) > (SELECT xact, stream, event FROM webhook_reader) GROUP BY w.url`)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	var url string
	var ids []string
	if _, err := pgx.ForEachRow(rows, []any{&url, &ids}, func() error { want[url] = slices.Clone(ids); return nil }); err != nil {
		t.Fatal(err)
	}
	if n, m, o := len(want["https://first.example"]), len(want["https://second.example"]), len(want["https://third.example"]); n <= m || m <= o || o == 0 || len(want) != 3 {
		t.Fatalf("%v", want)
	}
	st := f.Store
	for generation := range 2 { // what came back is backed up in its turn
		id := identity(t)
		var out bytes.Buffer
		if _, err := snapshot.Write(t.Context(), st.Pool(), &out, snapshot.WriteOptions{Recipients: []age.Recipient{id.Recipient()}, Program: "test", Now: time.Now()}); err != nil {
			t.Fatal(err)
		}
		to := storetest.Empty(t)
		if _, err := snapshot.Load(t.Context(), to, &out, slog.New(slog.DiscardHandler), id); err != nil {
			t.Fatal(err)
		}
		keys, err := store.NewKeyring(make([]byte, store.MasterKeySize))
		if err != nil {
			t.Fatal(err)
		}
		if st, err = store.Open(t.Context(), to, store.Options{Keys: keys}); err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		if got := unsent(t, st); !maps.EqualFunc(got, want, slices.Equal[[]string]) {
			t.Errorf("restored %d times, what is sent is\n%v\nand was\n%v", generation+1, got, want)
		}
	}
}
