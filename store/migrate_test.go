package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/migrations"
	"github.com/stickpress/stickpress/store/storetest"
)

var quiet = slog.New(slog.DiscardHandler)

// newest is the number of the last migration.
func newest(t *testing.T) int {
	t.Helper()
	names, err := fs.Glob(migrations.FS, "*.up.sql")
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(names[len(names)-1][:4])
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// with returns the embedded migrations and another one.
func with(t *testing.T, another string) fs.FS {
	t.Helper()
	name := fmt.Sprintf("%04d_more", newest(t)+1)
	files := fstest.MapFS{
		name + ".up.sql":   {Data: []byte("BEGIN;\n" + another + "\nUPDATE schema_migrations SET dirty = false;\nCOMMIT;")},
		name + ".down.sql": {Data: []byte("SELECT 1;")},
	}
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := migrations.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: data}
	}
	return files
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func wantVersion(t *testing.T, conn *pgx.Conn, want int) {
	t.Helper()
	var version int
	var dirty bool
	err := conn.QueryRow(t.Context(), `SELECT version, dirty FROM schema_migrations`).Scan(&version, &dirty)
	if err != nil || version != want || dirty {
		t.Errorf("version %d, dirty %t, %v; want %d", version, dirty, err, want)
	}
}

func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	url := storetest.Empty(t)
	errs := make(chan error)
	for range 3 {
		go func() { errs <- Migrate(t.Context(), url, quiet) }()
	}
	for range 3 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	wantVersion(t, connect(t, url), newest(t))
}

// A migration that fails leaves the dirty mark and nothing else; the next start
// runs it again.
func TestMigrateRunsAgainAfterAFailure(t *testing.T) {
	t.Parallel()
	url := storetest.Empty(t)
	if err := migrateFS(t.Context(), url, quiet, with(t, `CREATE TABLE half (); SELECT 1/0;`)); err == nil {
		t.Fatal("the broken migration passed")
	}
	conn := connect(t, url)
	var half, dirty bool
	err := conn.QueryRow(t.Context(), `SELECT to_regclass('half') IS NOT NULL, dirty FROM schema_migrations`).Scan(&half, &dirty)
	if err != nil || half || !dirty {
		t.Fatalf("half %t, dirty %t, %v", half, dirty, err)
	}
	for range 2 {
		if err := migrateFS(t.Context(), url, quiet, with(t, `CREATE TABLE whole ();`)); err != nil {
			t.Fatal(err)
		}
		wantVersion(t, conn, newest(t)+1)
	}
}

// Killed in the very first migration, before its transaction committed.
func TestMigrateRunsAgainFromTheBeginning(t *testing.T) {
	t.Parallel()
	url := storetest.Empty(t)
	conn := connect(t, url)
	exec(t, conn, `CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL);
		INSERT INTO schema_migrations VALUES (1, true)`)
	if err := Migrate(t.Context(), url, quiet); err != nil {
		t.Fatal(err)
	}
	wantVersion(t, conn, newest(t))
}

func TestNewerSchema(t *testing.T) {
	t.Parallel()
	url := storetest.Empty(t)
	if err := migrateFS(t.Context(), url, quiet, with(t, `CREATE TABLE more ();`)); err != nil {
		t.Fatal(err)
	}
	if err := Migrate(t.Context(), url, quiet); err != nil {
		t.Errorf("a newer schema that this program can live with: %v", err)
	}
	conn := connect(t, url)
	wantVersion(t, conn, newest(t)+1)
	exec(t, conn, `UPDATE schema_requirement SET min_app = 1000`)
	var f *fault.Error
	if err := Migrate(t.Context(), url, quiet); !errors.As(err, &f) || f.Code != CodeSchemaTooNew {
		t.Errorf("a schema that needs a newer program: %v", err)
	}
}

// Whoever may not create in the database is told so before anything is changed,
// and needs that right no more once everything is there.
func TestMigrateWithoutRights(t *testing.T) {
	t.Parallel()
	url := storetest.Empty(t)
	conn := connect(t, url)
	var database string
	if err := conn.QueryRow(t.Context(), `SELECT quote_ident(current_database())`).Scan(&database); err != nil {
		t.Fatal(err)
	}
	exec(t, conn, `REVOKE CREATE ON DATABASE `+database+` FROM CURRENT_USER`)
	var f *fault.Error
	if err := Migrate(t.Context(), url, quiet); !errors.As(err, &f) || f.Code != CodeDatabaseRights || f.Params["extension"] != "btree_gist" || f.Params["role"] == "" {
		t.Fatalf("without the right: %v", err)
	}
	var tables int
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace`).Scan(&tables); err != nil || tables != 0 {
		t.Errorf("%d things were made, %v", tables, err)
	}
	exec(t, conn, `GRANT CREATE ON DATABASE `+database+` TO CURRENT_USER`)
	if err := Migrate(t.Context(), url, quiet); err != nil {
		t.Fatal(err)
	}
	exec(t, conn, `REVOKE CREATE ON DATABASE `+database+` FROM CURRENT_USER`)
	if err := Migrate(t.Context(), url, quiet); err != nil {
		t.Errorf("when everything is there: %v", err)
	}
	// An administrator has taken the extension away.
	exec(t, conn, `DROP EXTENSION btree_gist CASCADE`)
	if err := Migrate(t.Context(), url, quiet); !errors.As(err, &f) || f.Code != CodeDatabaseRights {
		t.Errorf("without its extension: %v", err)
	}
}

// A Postgres that was installed without its additional modules: nothing is made.
func TestMigrateWithoutExtension(t *testing.T) {
	t.Parallel()
	plain := storetest.Empty(t)
	conn := connect(t, plain)
	// What is looked up by its plain name is found here first.
	exec(t, conn, `CREATE SCHEMA bare; CREATE VIEW bare.pg_available_extensions AS
		SELECT * FROM pg_catalog.pg_available_extensions WHERE name <> 'btree_gist'`)
	u, err := url.Parse(plain)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", "bare,pg_catalog,public")
	u.RawQuery = q.Encode()
	var f *fault.Error
	if err := Migrate(t.Context(), u.String(), quiet); !errors.As(err, &f) || f.Code != CodeExtensionMissing || f.Params["extension"] != "btree_gist" {
		t.Fatalf("without the module: %v", err)
	}
	var tables int
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace`).Scan(&tables); err != nil || tables != 0 {
		t.Errorf("%d things were made, %v", tables, err)
	}
	// An administrator made it, from wherever it came: then nothing is missing.
	exec(t, conn, `CREATE EXTENSION btree_gist`)
	if err := checkRights(t.Context(), connect(t, u.String())); err != nil {
		t.Errorf("with the extension: %v", err)
	}
}

func TestDownRemovesEverything(t *testing.T) {
	t.Parallel()
	conn := connect(t, storetest.URL(t))
	downs, err := fs.Glob(migrations.FS, "*.down.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Backward(downs) {
		down, err := migrations.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		exec(t, conn, string(down))
	}
	var left int
	err = conn.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S', 'v'))
			+ (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace)`).Scan(&left)
	if err != nil || left != 1 { // schema_migrations
		t.Errorf("%d things are left, %v", left, err)
	}
}

// What came of uploads is known after the upgrade that gives it a table of its
// own, and again by the program before it; replies of requests are not uploads.
func TestUploadOutcomesMove(t *testing.T) {
	t.Parallel()
	url := storetest.Empty(t)
	if err := MigrateTo(t.Context(), url, 28, quiet); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, url)
	exec(t, conn, `INSERT INTO idempotency_keys (scope, key, fingerprint, body, created_at, expires_at)
		SELECT scope, key, sha256(convert_to(key, 'UTF8')), convert_to(body, 'UTF8'), now(), now() + interval '1 day' FROM (VALUES
			('upload', 'u1', '{"id":"\u0000"}'), ('capture', 'job_1 u2', '{}'), ('upload', 'u3', ''), ('user_1', 'k', 'a reply')) AS v (scope, key, body)`)
	const all = `SELECT count(*), coalesce(string_agg(scope || ' ' || key || ' ' || convert_from(body, 'UTF8'), ',' ORDER BY key), '')
		FROM idempotency_keys WHERE fingerprint = sha256(convert_to(key, 'UTF8')) AND body <> '' AND scope IN ('upload', 'capture')`
	var before, after string
	var n int
	if err := conn.QueryRow(t.Context(), all).Scan(&n, &before); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	if err := Migrate(t.Context(), url, quiet); err != nil {
		t.Fatal(err)
	}
	var moved string
	err := conn.QueryRow(t.Context(), `SELECT string_agg(upload || ' ' || outcome, ',' ORDER BY upload) FROM upload_outcomes`).Scan(&moved)
	if want := `job_1 u2 {},u1 {"id":"\u0000"}`; err != nil || moved != want {
		t.Errorf("%q, %v; want %q", moved, err, want)
	}
	down, err := migrations.FS.ReadFile("0029_upload_outcomes.down.sql")
	if err != nil {
		t.Fatal(err)
	}
	exec(t, conn, string(down))
	if err := conn.QueryRow(t.Context(), all).Scan(&n, &after); err != nil || after != before {
		t.Errorf("%q became %q, %v", before, after, err)
	}
}
