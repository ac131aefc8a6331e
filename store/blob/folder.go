package blob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Folder is a Store in a local directory:
//
//	sha256/ab/abcdef…        the bytes, mode 0440
//	sha256/ab/abcdef….json   the record
//	tmp/                     what is being written
//
// The record is in place before the bytes, and the bytes go before the record:
// a blob exists exactly if its bytes do. Several processes may use one
// directory.
type Folder struct {
	root string
}

var _ Store = (*Folder)(nil)

// recordSuffix ends the name of a record.
const recordSuffix = ".json"

// goingSuffix ends the name of a blob that may be on its way out.
const goingSuffix = ".going"

// leftoverAge is how old a record without bytes must be to be a leftover of a
// crash and not a commit under way.
const leftoverAge = time.Hour

// OpenFolder makes the directory if needed and clears away what crashed
// writers left. now is the time by which leftovers are judged.
func OpenFolder(root string, now time.Time) (*Folder, error) {
	f := &Folder{root: root}
	for _, dir := range []string{f.tmp(), filepath.Join(root, "sha256")} {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return nil, fmt.Errorf("make the blob folder: %w", err)
		}
	}
	return f, errors.Join(f.clearTmp(), f.clearGoing(), f.clearRecords(now))
}

func (f *Folder) tmp() string { return filepath.Join(f.root, "tmp") }

func (f *Folder) path(digest string) string {
	return filepath.Join(f.root, "sha256", digest[:2], digest)
}

// clearTmp removes unfinished files whose writer is gone: a living one holds
// a lock on its file.
func (f *Folder) clearTmp() error {
	entries, err := os.ReadDir(f.tmp())
	if err != nil {
		return fmt.Errorf("look for unfinished blobs: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(f.tmp(), e.Name())
		if locked, err := isLocked(path); err != nil || locked {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove an unfinished blob: %w", err)
		}
	}
	return nil
}

// clearRecords removes old records without bytes.
func (f *Folder) clearRecords(now time.Time) error {
	records, err := filepath.Glob(filepath.Join(f.root, "sha256", "??", "*"+recordSuffix))
	if err != nil {
		return fmt.Errorf("look for records without blobs: %w", err)
	}
	for _, path := range records {
		st, err := os.Stat(path)
		if err != nil || now.Sub(st.ModTime()) < leftoverAge {
			continue
		}
		if _, err := os.Stat(strings.TrimSuffix(path, recordSuffix)); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove a record without its blob: %w", err)
		}
	}
	return nil
}

type folderReader struct {
	*os.File
	size int64
}

// Size implements Reader.
func (r folderReader) Size() int64 { return r.size }

// Open implements Store.
func (f *Folder) Open(_ context.Context, digest string) (Reader, error) {
	if !ValidDigest(digest) {
		return nil, NotFound(digest)
	}
	file, err := os.Open(f.path(digest))
	if err != nil {
		return nil, absent(err, digest, "open")
	}
	st, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("open blob %s: %w", digest, err)
	}
	return folderReader{file, st.Size()}, nil
}

// Record implements Store.
func (f *Folder) Record(_ context.Context, digest string) (rec protocol.BlobRecord, err error) {
	if !ValidDigest(digest) {
		return rec, NotFound(digest)
	}
	if _, err := os.Stat(f.path(digest)); err != nil {
		return rec, absent(err, digest, "look for")
	}
	raw, err := os.ReadFile(f.path(digest) + recordSuffix)
	if err != nil {
		return rec, fmt.Errorf("read the record of blob %s: %w", digest, err)
	}
	if err := json.Unmarshal(raw, &rec); err != nil {
		return rec, fmt.Errorf("read the record of blob %s: %w", digest, err)
	}
	return rec, nil
}

// Verify implements Store.
func (f *Folder) Verify(ctx context.Context, digest string) error {
	rec, err := f.Record(ctx, digest)
	if err != nil {
		return err
	}
	if rec.SHA256 != digest {
		return Corrupt(digest, 0)
	}
	r, err := f.Open(ctx, digest)
	if err != nil {
		return err
	}
	defer r.Close()
	return Compare(contextReader{ctx, r}, rec)
}

// Delete implements Store.
func (f *Folder) Delete(_ context.Context, digest string) error {
	if !ValidDigest(digest) {
		return NotFound(digest)
	}
	path := f.path(digest)
	if err := os.Remove(path); err != nil {
		return absent(err, digest, "delete")
	}
	if err := os.Remove(path + recordSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete the record of blob %s: %w", digest, err)
	}
	return syncDir(filepath.Dir(path))
}

// List implements Store.
func (f *Folder) List(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		root := filepath.Join(f.root, "sha256")
		err := filepath.WalkDir(root, func(_ string, e fs.DirEntry, err error) error {
			if err = errors.Join(err, ctx.Err()); err != nil {
				return err
			}
			if e.IsDir() || !ValidDigest(e.Name()) {
				return nil
			}
			st, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil // deleted meanwhile
			}
			if err != nil {
				return err
			}
			if !yield(Info{Digest: e.Name(), Bytes: st.Size(), Stored: st.ModTime()}, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(Info{}, fmt.Errorf("list blobs: %w", err))
		}
	}
}

// Usage implements Store.
func (f *Folder) Usage(ctx context.Context) (u Usage, err error) {
	for info, err := range f.List(ctx) {
		if err != nil {
			return u, err
		}
		u.Blobs++
		u.Bytes += info.Bytes
	}
	if u.FreeBytes, err = freeBytes(f.root); err != nil {
		return u, fmt.Errorf("ask for the free space of the blob folder: %w", err)
	}
	return u, nil
}

func absent(err error, digest, what string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return NotFound(digest)
	}
	return fmt.Errorf("%s blob %s: %w", what, digest, err)
}

// contextReader stops reading when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// isLocked reports whether another open file holds a lock on path.
func isLocked(path string) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
