package pglocal_test

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/store/pglocal"
)

// A command reaches the Postgres that a server keeps, while it keeps it.
func TestAttach(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := pglocal.Attach(dir); !errors.Is(err, pglocal.ErrNotRunning) {
		t.Fatalf("Attach to an empty directory: %v, want ErrNotRunning", err)
	}
	s, err := pglocal.Start(t.Context(), pglocal.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	url, err := pglocal.Attach(dir)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(conn.Ping(t.Context()), conn.Close(t.Context()), s.Stop(t.Context())); err != nil {
		t.Fatal(err)
	}
	if _, err := pglocal.Attach(dir); !errors.Is(err, pglocal.ErrNotRunning) {
		t.Fatalf("Attach after Stop: %v, want ErrNotRunning", err)
	}
}
