package agent

import (
	"fmt"
	"os"
	"path/filepath"
)

// Lock claims the data directory dir, which is made if absent, for this
// process. The claim ends with unlock or with the process, however it ends.
func Lock(dir string) (unlock func(), err error) {
	if err := makeDataDir(dir); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := lockFile(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("another stickpress-agent uses %s: %w", dir, err)
	}
	return func() { _ = f.Close() }, nil
}
