//go:build !windows

package stick

import "os"

// openShared opens a file that may be removed while it is open.
func openShared(path string) (*os.File, error) { return os.Open(path) }
