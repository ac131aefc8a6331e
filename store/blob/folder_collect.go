package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Collect implements Store. The blob is taken away before its age is looked at:
// whoever brings the same bytes in the meantime puts a file of their own in its
// place, and what turns out to be new goes back. The record stays: that of a blob
// that came in this moment has the same name. OpenFolder removes it.
func (f *Folder) Collect(_ context.Context, digest string, before time.Time) (bool, error) {
	if !ValidDigest(digest) {
		return false, NotFound(digest)
	}
	path := f.path(digest)
	going := path + goingSuffix
	if err := os.Rename(path, going); err != nil {
		return false, absent(err, digest, "collect")
	}
	st, err := os.Stat(going)
	if err != nil {
		return false, absent(err, digest, "collect") // somebody else collects it, too
	}
	if !st.ModTime().Before(before) {
		return false, putBack(going)
	}
	if err := os.Remove(going); err != nil {
		return false, fmt.Errorf("collect blob %s: %w", digest, err)
	}
	return true, syncDir(filepath.Dir(path))
}

// putBack undoes the first step of Collect, unless the same bytes have come since.
func putBack(going string) error {
	err := os.Link(going, strings.TrimSuffix(going, goingSuffix))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("put a blob back: %w", err)
	}
	if err := os.Remove(going); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("put a blob back: %w", err)
	}
	return nil
}

// clearGoing puts back what a Collect left that did not end.
func (f *Folder) clearGoing() error {
	list, err := filepath.Glob(filepath.Join(f.root, "sha256", "??", "*"+goingSuffix))
	if err != nil {
		return fmt.Errorf("look for blobs on their way out: %w", err)
	}
	for _, going := range list {
		if err := putBack(going); err != nil {
			return err
		}
	}
	return nil
}
