//go:build unix

package cache

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// allocated is what a file takes on the disk; POSIX counts st_blocks in units
// of 512 bytes wherever Linux is.
func allocated(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512
	}
	return info.Size()
}

// freeBytes is what this user may still write on the disk that holds path.
func freeBytes(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil //nolint:unconvert // 32 bits on other machines
}
