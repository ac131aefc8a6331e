package storetest_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func TestOpenGivesEveryTestItsOwn(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "b", "c", "d"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := storetest.Open(t)
			if _, err := pool.Exec(t.Context(), "CREATE TABLE only_mine (v text)"); err != nil {
				t.Error(err)
			}
			var dirty bool
			if err := pool.QueryRow(t.Context(), "SELECT dirty FROM schema_migrations").Scan(&dirty); err != nil || dirty {
				t.Errorf("migrations: dirty %v, %v", dirty, err)
			}
		})
	}
}

func TestEmptyHasNoSchema(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), storetest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var tables int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&tables); err != nil || tables != 0 {
		t.Errorf("%d tables, %v", tables, err)
	}
}

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		storetest.Open(b)
	}
}
