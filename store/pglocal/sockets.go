package pglocal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// socketsFile remembers the socket directory for the start after a crash.
const socketsFile = "sockets"

// socketPrefix begins the name of every socket directory.
const socketPrefix = "stickpress-pg-"

// socketBases are where the directory may be, best first. TMPDIR is not among
// them: its path may be long.
func socketBases() []string {
	if os.Geteuid() == 0 {
		return []string{"/run", "/tmp"}
	}
	var bases []string
	if d := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(d) && len(d) <= 60 {
		bases = append(bases, d)
	}
	return append(bases, "/tmp")
}

// makeSockets makes the socket directory, for the account alone, and removes
// the one that a killed server left. The postmaster of that one is gone.
func (s *Server) makeSockets() error {
	note := filepath.Join(s.opts.Dir, socketsFile)
	if raw, err := os.ReadFile(note); err == nil {
		removeSockets(strings.TrimSpace(string(raw)))
	}
	var err error
	for _, base := range socketBases() {
		if s.sockets, err = os.MkdirTemp(base, socketPrefix); err == nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("make a directory for the Postgres socket: %w", err)
	}
	if s.account.drop {
		if err := os.Chown(s.sockets, s.account.uid, s.account.gid); err != nil {
			return fmt.Errorf("give the socket directory to %s: %w", s.account.name, err)
		}
	}
	if err := os.WriteFile(note, []byte(s.sockets+"\n"), 0o600); err != nil {
		return fmt.Errorf("note the socket directory: %w", err)
	}
	return nil
}

// removeSockets removes a socket directory of ours and nothing else: the two
// files of a socket, then the directory if it is empty.
func removeSockets(dir string) {
	if !strings.HasPrefix(filepath.Base(dir), socketPrefix) || !filepath.IsAbs(dir) {
		return
	}
	if st, err := os.Lstat(dir); err != nil || !st.IsDir() {
		return
	}
	for _, name := range []string{".s.PGSQL.5432", ".s.PGSQL.5432.lock"} {
		_ = os.Remove(filepath.Join(dir, name))
	}
	_ = os.Remove(dir)
}
