package fulldisk

import "golang.org/x/sys/windows"

// words are what a write to a full disk fails with.
var words = []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL}
