//go:build unix

package agent

import (
	"os"

	"golang.org/x/sys/unix"
)

func lockFile(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

// makeDataDir makes the data directory, for this user alone.
func makeDataDir(dir string) error { return os.MkdirAll(dir, 0o700) }
