// Package blob keeps bytes under the SHA-256 of their content.
//
// A blob is immutable: it is there whole or not at all, and its name proves
// what it is. Beside its bytes a store keeps a record with the SHA-256 of the
// whole and of every 4 MiB, so that an agent can check a ranged download while
// it streams. Folder keeps blobs in a local directory; every other backend
// must pass the same suite, package blobtest.
//
// Bytes come in by Create, which hashes while they stream, or by Adopt, which
// takes over a local file that was hashed on its way, such as a finished
// upload of Staging (upload.go).
package blob

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"iter"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
)

// Store keeps blobs. Digests are lower-case hex SHA-256; a digest that is not
// one is answered like one that is absent. All methods may be called at the
// same time. A Store never changes bytes under a digest.
type Store interface {
	// Open reads a blob. The caller closes it. blob_not_found if absent.
	Open(ctx context.Context, digest string) (Reader, error)
	// Record is what a blob's bytes hash to. blob_not_found if absent.
	Record(ctx context.Context, digest string) (protocol.BlobRecord, error)
	// Create begins a new blob of the given size in bytes, or -1 if that is
	// not known. blob_disk_full if it cannot fit.
	Create(ctx context.Context, size int64) (Writer, error)
	// Adopt moves the local file at path into the store. rec must be what the
	// file's bytes hash to: of them only the length is checked here
	// (blob_size_mismatch). Afterwards the path is gone, also when the store
	// had the blob before; after an error it is still there.
	Adopt(ctx context.Context, path string, rec protocol.BlobRecord) error
	// Verify reads a blob from end to end and compares it with its record:
	// blob_corrupt names the first bad block. blob_not_found if absent.
	Verify(ctx context.Context, digest string) error
	// Delete removes a blob. Readers that are open keep reading.
	// blob_not_found if absent.
	Delete(ctx context.Context, digest string) error
	// Collect is Delete for a blob that nobody has brought since a time; one that
	// was, if only in this moment, stays, and collected is false.
	// blob_not_found if absent.
	Collect(ctx context.Context, digest string, before time.Time) (collected bool, err error)
	// List gives every blob, in the order of the digests. It ends with the
	// first error.
	List(ctx context.Context) iter.Seq2[Info, error]
	// Usage sums the blobs up.
	Usage(ctx context.Context) (Usage, error)
}

// Reader is an open blob.
type Reader interface {
	io.ReadSeekCloser
	// Size is the blob's length in bytes.
	Size() int64
}

// Writer takes the bytes of a new blob. Exactly one of Commit and Abort ends
// it; Abort after Commit does nothing, so that it can be deferred.
type Writer interface {
	io.Writer
	// Commit makes the blob visible and durable and returns its record. That
	// the store has it already is no error. blob_size_mismatch if Create was
	// told another size.
	Commit(ctx context.Context) (protocol.BlobRecord, error)
	// Abort forgets the bytes.
	Abort() error
}

// Info is one blob of a list.
type Info struct {
	Digest string
	Bytes  int64
	// Stored is when the blob came in, the last time if it did more than once.
	Stored time.Time
}

// Usage is how full a store is.
type Usage struct {
	Blobs int
	Bytes int64
	// FreeBytes is what still fits; math.MaxInt64 where there is no limit.
	FreeBytes int64
}

// ValidDigest reports whether s is a SHA-256 in lower-case hex.
func ValidDigest(s string) bool {
	if len(s) != hex.EncodedLen(32) {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// NotFound is the refusal of a digest that a store does not have.
func NotFound(digest string) error {
	return fault.New(fault.KindNotFound, "blob_not_found", "digest", digest)
}

// SizeMismatch is the refusal of bytes that are not as many as was said.
func SizeMismatch(want, got int64) error {
	return fault.New(fault.KindInvalid, "blob_size_mismatch", "want_bytes", want, "got_bytes", got)
}

// Corrupt is the verdict on stored bytes that do not hash to their record;
// offset is where the first bad block begins.
func Corrupt(digest string, offset int64) error {
	return fault.New(fault.KindInternal, "blob_corrupt", "digest", digest, "offset", offset)
}

// freeBytes is what an unprivileged user may still write below dir.
func freeBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// diskError turns "no space left" into blob_disk_full with the number of
// bytes that were to be written below dir, and leaves other errors alone.
func diskError(err error, dir string, need int64) error {
	if !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT) {
		return err
	}
	free, _ := freeBytes(dir)
	return fault.Wrap(err, fault.KindUnavailable, "blob_disk_full", "need_bytes", need, "free_bytes", free)
}

// checkRoom refuses early what cannot fit below dir.
func checkRoom(dir string, need int64) error {
	free, err := freeBytes(dir)
	if err != nil || need <= free {
		return nil // a filesystem that does not tell is tried
	}
	return diskError(unix.ENOSPC, dir, need)
}
