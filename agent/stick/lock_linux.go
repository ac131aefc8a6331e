package stick

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

func (l *lock) try() (bool, error) {
	err := unix.Flock(int(l.f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock %s: %w", l.f.Name(), err)
	}
	return true, nil
}

// freeBytes is how much a file below dir may grow.
func freeBytes(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("ask for free space of %s: %w", dir, err)
	}
	return int64(s.Bavail) * s.Bsize, nil
}
