package world

import (
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Postgres is the PID of the console's private postmaster, or 0 when there is
// none. The first line of postmaster.pid is documented by Postgres
// (doc/src/sgml/storage.sgml).
func (w *World) Postgres() int {
	raw, err := os.ReadFile(filepath.Join(w.Dir, "server", "postgres", "cluster", "postmaster.pid"))
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return 0
	}
	return pid
}

// DatabaseURL reaches the console's private Postgres, as long as that runs.
func (w *World) DatabaseURL() string {
	w.T.Helper()
	dir := filepath.Join(w.Dir, "server", "postgres")
	read := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			w.T.Fatal(err)
		}
		return strings.TrimSpace(string(raw))
	}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword("stickpress", read("password")), Path: "/stickpress",
		RawQuery: url.Values{"host": {read("sockets")}, "sslmode": {"disable"}}.Encode(),
	}
	return u.String()
}

// sweepPostgres is the end of a world whose console was killed and not
// started again: its Postgres ends by itself, and its sockets are left.
func (w *World) sweepPostgres() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(Patience)
	for pid := w.Postgres(); pid > 0 && syscall.Kill(pid, 0) == nil; {
		select {
		case <-tick.C:
		case <-late:
			w.life.Errorf("the private Postgres, process %d, did not end", pid)
			return
		}
	}
	raw, err := os.ReadFile(filepath.Join(w.Dir, "server", "postgres", "sockets"))
	if err != nil {
		return
	}
	dir := strings.TrimSpace(string(raw))
	if strings.HasPrefix(filepath.Base(dir), "stickpress-pg-") {
		_ = os.RemoveAll(dir)
	}
}
