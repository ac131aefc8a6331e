package pglocal

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNotRunning is returned by Attach where no server keeps a Postgres.
var ErrNotRunning = errors.New("no private Postgres is running there")

// Attach returns the URL of the Postgres that another program keeps in dir, so
// that a command can work beside a running server. It promises nothing about
// how long that Postgres stays. It returns ErrNotRunning where nobody holds
// dir; the caller may then Start one.
func Attach(dir string) (string, error) {
	held, err := lockIsHeld(filepath.Join(dir, "lock"))
	if err != nil {
		return "", fmt.Errorf("look for a running private Postgres: %w", err)
	}
	if !held {
		return "", ErrNotRunning
	}
	sockets, err := os.ReadFile(filepath.Join(dir, socketsFile))
	if err != nil {
		return "", fmt.Errorf("find the private Postgres: %w", err)
	}
	password, err := os.ReadFile(filepath.Join(dir, "password"))
	if err != nil {
		return "", fmt.Errorf("read the private Postgres's password: %w", err)
	}
	return socketURL(strings.TrimSpace(string(sockets)), strings.TrimSpace(string(password))), nil
}

// socketURL is how the console reaches a Postgres through its socket.
func socketURL(sockets, password string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(role, password),
		Path:     "/" + role,
		RawQuery: url.Values{"host": {sockets}, "sslmode": {"disable"}}.Encode(),
	}
	return u.String()
}

// lockIsHeld reports whether a Server holds a lock file.
func lockIsHeld(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}
