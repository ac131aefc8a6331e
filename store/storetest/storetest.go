// Package storetest gives every test that needs Postgres a database of its own.
//
// A test package says once
//
//	func TestMain(m *testing.M) { storetest.Main(m) }
//
// and its tests call Open (or URL, or Empty). The first call starts a private
// Postgres for the test process, without fsync and in memory where there is
// room, and applies the migrations to a template; every database after that is
// a copy of the template's files (15 ms in memory, half a second on a busy
// disk). Main stops the server and removes the directory. A process without
// such a test starts nothing.
//
// With STICKPRESS_TEST_DATABASE_URL that server is used instead, and only the
// databases are made and dropped. Its role needs CREATEDB.
package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/store/pglocal"
)

// EnvURL names the variable with the server to use instead of a private one.
const EnvURL = "STICKPRESS_TEST_DATABASE_URL"

// patience bounds each step; only a broken machine takes that long.
const patience = 3 * time.Minute

// server is the one Postgres of this test process.
var server struct {
	once     sync.Once
	url      string
	err      error
	local    *pglocal.Server // nil with EnvURL
	dir      string          // of local
	template func() (string, error)
	strategy string // clause of CREATE DATABASE
}

// Main runs the tests, then stops what they started and calls after. It does
// not return.
func Main(m *testing.M, after ...func()) {
	code := m.Run()
	for _, f := range after {
		f()
	}
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "storetest:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// Open returns a pool on a new database with all migrations applied. Both go
// with the test.
func Open(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), URL(t))
	if err != nil {
		t.Fatalf("storetest: open a pool: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// URL returns the connection string of a new database with all migrations
// applied, which is dropped after the test.
func URL(t testing.TB) string {
	t.Helper()
	start(t)
	template, err := server.template()
	if err != nil {
		t.Fatalf("storetest: make the template database: %v", err)
	}
	return create(t, template)
}

// Empty returns the connection string of a new database without a schema, for
// tests of the migrations themselves.
func Empty(t testing.TB) string {
	t.Helper()
	start(t)
	return create(t, "template0")
}

// start makes sure that there is a server.
func start(t testing.TB) {
	t.Helper()
	server.once.Do(func() {
		server.template = sync.OnceValues(migrated)
		if server.url = os.Getenv(EnvURL); server.url == "" {
			server.err = startLocal()
		}
		if server.err == nil {
			server.strategy, server.err = strategy()
		}
	})
	if server.err != nil {
		t.Fatalf("storetest: start Postgres (apt install postgresql): %v", server.err)
	}
}

func startLocal() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	base := tempBase()
	sweep(base)
	var err error
	if server.dir, err = os.MkdirTemp(base, "storetest-"); err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	// The account that runs Postgres has to come through.
	if err := os.Chmod(server.dir, 0o711); err != nil {
		return fmt.Errorf("open the directory: %w", err)
	}
	server.local, err = pglocal.Start(ctx, pglocal.Options{
		Dir:    filepath.Join(server.dir, "pg"),
		Logger: slog.New(slog.DiscardHandler),
		NoSync: true,
	})
	if err != nil {
		_ = os.RemoveAll(server.dir)
		return err
	}
	server.url = server.local.URL()
	return nil
}

// memory is the tmpfs that every Linux with glibc has, and how much of it must
// be free to be used, in bytes: several test processes run side by side.
const (
	memory     = "/dev/shm"
	memoryFree = 1 << 30
)

// tempBase is where to make the server's directory; empty means os.TempDir.
func tempBase() string {
	var st unix.Statfs_t
	if err := unix.Statfs(memory, &st); err != nil || st.Type != unix.TMPFS_MAGIC {
		return ""
	}
	if int64(st.Bavail)*st.Bsize < memoryFree {
		return ""
	}
	return memory
}

// sweep removes what killed test processes left: the directories whose lock
// nobody holds.
func sweep(base string) {
	if base == "" {
		base = os.TempDir()
	}
	left, _ := filepath.Glob(filepath.Join(base, "storetest-*")) // errs on a bad pattern only
	for _, dir := range left {
		f, err := os.Open(filepath.Join(dir, "pg", "lock"))
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = os.RemoveAll(dir)
		}
		f.Close()
	}
}

// strategy asks for the fastest way to copy a small database without fsync:
// its files, and not block by block through the log, which is the default
// since Postgres 15.
func strategy() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, server.url)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	var wal bool
	err = conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int >= 150000").Scan(&wal)
	if err != nil || !wal {
		return "", err
	}
	return " STRATEGY file_copy", nil
}

func stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if server.local == nil {
		return dropTemplate(ctx)
	}
	if err := server.local.Stop(ctx); err != nil {
		return err
	}
	return os.RemoveAll(server.dir)
}

// create makes a database from a template and drops it after the test.
func create(t testing.TB, template string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	name := freshName()
	if err := admin(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template+server.strategy); err != nil {
		t.Fatalf("storetest: make a database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := drop(ctx, name); err != nil {
			t.Errorf("storetest: drop the database: %v", err)
		}
	})
	return withDatabase(server.url, name)
}

// drop removes a database, with whoever of the tests is still in it. FORCE
// would do that too, but refuses a role that is no superuser as soon as an
// autovacuum worker is in there, whom DROP DATABASE by itself sends away.
func drop(ctx context.Context, name string) error {
	err := admin(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '`+name+`' AND usename = current_user`)
	return errors.Join(err, admin(ctx, "DROP DATABASE "+name))
}

// admin runs one statement on a connection of its own.
func admin(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, server.url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

func freshName() string { return "test_" + strings.ToLower(rand.Text()[:16]) }

// withDatabase is server's connection string with another database.
func withDatabase(server, name string) string {
	u, err := url.Parse(server)
	if err != nil {
		panic("storetest: " + EnvURL + " must be a postgres:// URL") // its text may hold a password
	}
	u.Path = "/" + name
	return u.String()
}
