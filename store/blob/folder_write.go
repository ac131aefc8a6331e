package blob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/protocol"
)

// folderWriter writes into tmp/, under a lock that says that it lives.
type folderWriter struct {
	f    *Folder
	file *os.File // nil when ended
	hash *Hasher
	size int64 // as told to Create
}

// Create implements Store.
func (f *Folder) Create(_ context.Context, size int64) (Writer, error) {
	if err := checkRoom(f.root, size); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(f.tmp(), "write-")
	if err != nil {
		return nil, diskError(fmt.Errorf("begin a blob: %w", err), f.root, max(size, 0))
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		file.Close()
		return nil, fmt.Errorf("lock a new blob: %w", err)
	}
	return &folderWriter{f: f, file: file, hash: NewHasher(), size: size}, nil
}

// Write implements Writer.
func (w *folderWriter) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	w.hash.add(p[:n])
	if err != nil {
		need := max(w.size-w.hash.Bytes(), int64(len(p)-n))
		return n, diskError(fmt.Errorf("write a blob: %w", err), w.f.root, need)
	}
	return n, nil
}

// Commit implements Writer.
func (w *folderWriter) Commit(_ context.Context) (protocol.BlobRecord, error) {
	defer func() { _ = w.Abort() }()
	rec := w.hash.Record()
	if w.size >= 0 && rec.Bytes != w.size {
		return rec, SizeMismatch(w.size, rec.Bytes)
	}
	return rec, w.f.place(w.file, rec)
}

// Abort implements Writer.
func (w *folderWriter) Abort() error {
	if w.file == nil {
		return nil
	}
	err := os.Remove(w.file.Name())
	if errors.Is(err, os.ErrNotExist) {
		err = nil // committed
	}
	err = errors.Join(err, w.file.Close())
	w.file = nil
	return err
}

// Adopt implements Store.
func (f *Folder) Adopt(ctx context.Context, path string, rec protocol.BlobRecord) error {
	if !ValidDigest(rec.SHA256) {
		return fmt.Errorf("adopt %s: %q is no digest", path, rec.SHA256)
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("adopt a file: %w", err)
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return fmt.Errorf("adopt a file: %w", err)
	}
	if st.Size() != rec.Bytes {
		return SizeMismatch(rec.Bytes, st.Size())
	}
	err = f.place(file, rec)
	if errors.Is(err, unix.EXDEV) {
		err = f.adoptCopy(ctx, file, rec)
	}
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove an adopted file: %w", err)
	}
	return nil
}

// adoptCopy is for a file on another filesystem. As the bytes pass through
// anyway they are hashed again.
func (f *Folder) adoptCopy(ctx context.Context, file *os.File, rec protocol.BlobRecord) error {
	w, err := f.Create(ctx, rec.Bytes)
	if err != nil {
		return err
	}
	defer func() { _ = w.Abort() }()
	if err := Compare(io.TeeReader(contextReader{ctx, file}, w), rec); err != nil {
		return err
	}
	_, err = w.Commit(ctx)
	return err
}

// place makes an open, complete file the blob of rec: durable bytes, durable
// record, rename, durable directory.
func (f *Folder) place(file *os.File, rec protocol.BlobRecord) error {
	if err := file.Sync(); err != nil {
		return diskError(fmt.Errorf("sync a blob: %w", err), f.root, rec.Bytes)
	}
	if err := file.Chmod(0o440); err != nil {
		return fmt.Errorf("protect a blob: %w", err)
	}
	// Uploads may have lain about for days; what counts is that somebody wants them now.
	now := time.Now()
	if err := os.Chtimes(file.Name(), now, now); err != nil {
		return fmt.Errorf("date a blob: %w", err)
	}
	path := f.path(rec.SHA256)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return diskError(fmt.Errorf("make a blob's directory: %w", err), f.root, rec.Bytes)
	}
	if err := f.writeRecord(path+recordSuffix, rec); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return fmt.Errorf("put blob %s in place: %w", rec.SHA256, err)
	}
	return errors.Join(syncDir(filepath.Dir(path)), syncDir(filepath.Dir(filepath.Dir(path))))
}

func (f *Folder) writeRecord(path string, rec protocol.BlobRecord) error {
	raw, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("encode a blob's record: %w", err)
	}
	if err := writeFile(f.tmp(), path, raw); err != nil {
		return diskError(fmt.Errorf("write the record of blob %s: %w", rec.SHA256, err), f.root, int64(len(raw)))
	}
	return nil
}

// writeFile puts raw at path, durably and at once: by way of a file in tmp,
// which is on the same filesystem. The directory is not synced.
func writeFile(tmp, path string, raw []byte) error {
	file, err := os.CreateTemp(tmp, "record-")
	if err != nil {
		return err
	}
	// Locked, so that another process that opens the folder leaves it alone.
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		_, err = file.Write(raw)
	}
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return errors.Join(err, file.Close())
}
