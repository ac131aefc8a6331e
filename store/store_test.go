package store_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/store/storetest"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	st, err := store.Open(t.Context(), storetest.URL(t), store.Options{MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	site, err := st.Site(t.Context(), store.DefaultSite)
	if err != nil || !site.IsDefault {
		t.Errorf("site %+v, %v", site, err)
	}
	_, err = store.Open(t.Context(), "postgres://u:hunter2@127.0.0.1:port/db", store.Options{})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a URL that is none: %v", err)
	}
}

// Postgres restarted: every connection of the pool is dead, and the next
// transactions do not notice.
func TestTransactionsOutliveTheirConnections(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	st, err := store.Open(t.Context(), url, store.Options{MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var conns []*pgxpool.Conn
	for range 4 {
		conn, err := st.Pool().Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		conn.Release()
	}
	other := open(t) // another database of the same server
	if _, err := other.Pool().Exec(t.Context(),
		`SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE datname = $1`,
		st.Pool().Config().ConnConfig.Database); err != nil {
		t.Fatal(err)
	}
	in(t, st, func(tx *store.Tx) (store.Image, error) {
		return tx.CreateImage(t.Context(), store.ImageFields{Name: "win11-ent"})
	})
}
