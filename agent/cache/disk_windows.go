package cache

import (
	"io/fs"

	"golang.org/x/sys/windows"
)

// allocated is the file's length: what holes save is not known here.
func allocated(info fs.FileInfo) int64 { return info.Size() }

// freeBytes is what this user may still write on the volume that holds path.
func freeBytes(path string) (int64, error) {
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(p, &free, nil, nil); err != nil {
		return 0, err
	}
	return int64(free), nil
}
