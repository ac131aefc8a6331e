package pglocal

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/api/fault"
)

func TestMain(m *testing.M) {
	if helper := os.Getenv("PGLOCAL_HELPER"); helper != "" {
		os.Exit(runHelper(helper))
	}
	os.Exit(m.Run())
}

// patience bounds every wait of these tests; only a failure takes that long.
const patience = 2 * time.Minute

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func testOptions(t *testing.T, dir string) Options {
	t.Helper()
	return Options{Dir: dir, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), NoSync: true}
}

func mustStart(t *testing.T, opts Options) *Server {
	t.Helper()
	s, err := Start(testContext(t), opts)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() { mustStop(t, s) })
	return s
}

func mustStop(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Stop(testContext(t)); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// ask runs a query that gives one text and returns it.
func ask(t *testing.T, url, query string) string {
	t.Helper()
	conn, err := pgx.Connect(testContext(t), url)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer conn.Close(context.Background())
	var got string
	if err := conn.QueryRow(testContext(t), query).Scan(&got); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return got
}

func do(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(testContext(t), url)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(testContext(t), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func wantFault(t *testing.T, err error, code fault.Code) {
	t.Helper()
	faultParams(t, err, code)
}

func faultParams(t *testing.T, err error, code fault.Code) fault.Params {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != code {
		t.Fatalf("error %v, want %s", err, code)
	}
	if f.Kind != fault.KindUnavailable {
		t.Errorf("kind %d, want unavailable", f.Kind)
	}
	return f.Params
}

func postmasterPID(t *testing.T, s *Server) int {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.cluster, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestStartStopStart(t *testing.T) {
	t.Parallel()
	opts := testOptions(t, filepath.Join(t.TempDir(), "pg"))
	s := mustStart(t, opts)
	for query, want := range map[string]string{
		"SHOW server_encoding":     "UTF8",
		"SHOW lc_collate":          "C.UTF-8",
		"SHOW listen_addresses":    "",
		"SHOW data_checksums":      "on",
		"SHOW password_encryption": "scram-sha-256",
		"SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user":                 "false",
		"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname=current_database()": role,
	} {
		if got := ask(t, s.URL(), query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	if _, err := pgx.Connect(testContext(t), strings.Replace(s.URL(), s.pass, "wrong", 1)); err == nil {
		t.Error("a wrong password was let in")
	}
	if _, err := pgx.Connect(testContext(t), strings.Replace(s.URL(), "//"+role, "//postgres", 1)); err == nil {
		t.Error("the superuser was let in")
	}
	for path, want := range map[string]os.FileMode{s.sockets: 0o700, s.cluster: 0o700, filepath.Join(opts.Dir, "password"): 0o600} {
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want mode %v", path, st, err, want)
		}
	}
	do(t, s.URL(), "CREATE TABLE kept AS SELECT 'yes'::text AS v")
	sockets := s.sockets
	mustStop(t, s)
	if err := s.Err(); err != nil {
		t.Errorf("Err after Stop: %v", err)
	}
	if _, err := os.Stat(sockets); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket directory is left: %v", err)
	}

	s = mustStart(t, opts)
	if got := ask(t, s.URL(), "SELECT v FROM kept"); got != "yes" {
		t.Errorf("after a second start: %q", got)
	}
}

func TestRecoversAfterKill(t *testing.T) {
	t.Parallel()
	opts := testOptions(t, t.TempDir())
	changes := make(chan Change, 16)
	opts.OnChange = func(c Change, _ error) { changes <- c }
	opts.NoSync = false // as the console has it
	s := mustStart(t, opts)
	url := s.URL()
	if got := ask(t, url, "SHOW fsync"); got != "on" {
		t.Errorf("fsync %s", got)
	}
	do(t, url, "CREATE TABLE kept AS SELECT 'yes'::text AS v")
	for range 2 {
		if err := syscall.Kill(postmasterPID(t, s), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for _, want := range []Change{Down, Up} {
			select {
			case got := <-changes:
				if got != want {
					t.Fatalf("change %s, want %s", got, want)
				}
			case <-time.After(patience):
				t.Fatalf("no %s", want)
			}
		}
		if got := ask(t, url, "SELECT v FROM kept"); got != "yes" || s.URL() != url {
			t.Errorf("after the kill: %q at %s", got, s.URL())
		}
	}
}

func TestGivesUp(t *testing.T) {
	t.Parallel()
	opts := testOptions(t, t.TempDir())
	s := mustStart(t, opts)
	mustStop(t, s)
	breakSettings(t, s)
	_, err := Start(testContext(t), opts)
	p := faultParams(t, err, "postgres_start_failed")
	if !strings.Contains(p["detail"], "no_such_setting") {
		t.Errorf("detail %q does not say why", p["detail"])
	}
}

func TestGivesUpLater(t *testing.T) {
	t.Parallel()
	opts := testOptions(t, t.TempDir())
	opts.tries = 3
	changes := make(chan Change, 16)
	opts.OnChange = func(c Change, _ error) { changes <- c }
	s := mustStart(t, opts)
	breakSettings(t, s)
	if err := syscall.Kill(postmasterPID(t, s), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
	case <-time.After(patience):
		t.Fatal("it goes on")
	}
	wantFault(t, s.Err(), "postgres_start_failed")
	if first, second := <-changes, <-changes; first != Down || second != GaveUp {
		t.Errorf("changes %s, %s", first, second)
	}
}

func breakSettings(t *testing.T, s *Server) {
	t.Helper()
	conf := filepath.Join(s.cluster, "postgresql.conf")
	if err := os.WriteFile(conf, []byte("no_such_setting = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestVersionMismatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "cluster"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cluster", "PG_VERSION"), []byte("12\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(testContext(t), testOptions(t, dir))
	p := faultParams(t, err, "postgres_version_mismatch")
	if p["cluster"] != "12" || !strings.Contains(p["found"], " in /") {
		t.Errorf("parameters %v", p)
	}
}

func TestNoPrograms(t *testing.T) {
	t.Parallel()
	opts := testOptions(t, t.TempDir())
	opts.binDirs = []string{t.TempDir()}
	_, err := Start(testContext(t), opts)
	wantFault(t, err, "postgres_not_found")
}

func TestLongPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 4 {
		dir = filepath.Join(dir, strings.Repeat("long", 15))
	}
	s := mustStart(t, testOptions(t, dir))
	if got := ask(t, s.URL(), "SELECT 'up'"); got != "up" {
		t.Errorf("got %q", got)
	}
}

func TestLostPassword(t *testing.T) {
	t.Parallel()
	opts := testOptions(t, t.TempDir())
	s := mustStart(t, opts)
	old := s.pass
	mustStop(t, s)
	if err := os.Remove(filepath.Join(opts.Dir, "password")); err != nil {
		t.Fatal(err)
	}
	s = mustStart(t, opts)
	if got := ask(t, s.URL(), "SELECT 'up'"); got != "up" || s.pass == old {
		t.Errorf("got %q; same password: %v", got, s.pass == old)
	}
}

func TestUnfinishedClusterIsMadeAgain(t *testing.T) {
	t.Parallel()
	opts := testOptions(t, t.TempDir())
	half := filepath.Join(opts.Dir, "cluster.new")
	if err := os.MkdirAll(filepath.Join(half, "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := mustStart(t, opts)
	if got := ask(t, s.URL(), "SELECT 'up'"); got != "up" {
		t.Errorf("got %q", got)
	}
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half is left: %v", err)
	}
}

func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := openLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	line := []byte(strings.Repeat("x", 1023) + "\n")
	for range 3 * logLimit / len(line) {
		if n, err := l.Write(line); n != len(line) || err != nil {
			t.Fatalf("write: %d, %v", n, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if st, err := f.Info(); err != nil || st.Size() > logLimit {
			t.Errorf("%s: %v, %v", f.Name(), st.Size(), err)
		}
	}
	if got := len(l.Tail()); got > tailLimit {
		t.Errorf("tail of %d bytes", got)
	}
}
