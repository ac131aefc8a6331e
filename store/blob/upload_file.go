package blob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tus/tusd/v2/pkg/handler"
	"golang.org/x/sys/unix"
)

// The files of an upload are its ID with these endings.
const (
	binSuffix   = ".bin"
	stateSuffix = ".json"
)

// checkpointBytes is how much a crash costs at most: after so many bytes they
// are synced and the state is saved.
const checkpointBytes = 64 << 20

// upload is one upload in Staging.
type upload struct {
	s     *Staging
	id    string
	state uploadState
}

// uploadState is the JSON file. Hash has seen exactly Info.Offset bytes.
type uploadState struct {
	Info handler.FileInfo `json:"info"`
	Hash *Hasher          `json:"hash"`
}

func (u *upload) bin() string  { return filepath.Join(u.s.dir, u.id+binSuffix) }
func (u *upload) json() string { return filepath.Join(u.s.dir, u.id+stateSuffix) }

// save makes the state durable. The bytes that it counts must be so already.
func (u *upload) save() error {
	raw, err := json.Marshal(u.state)
	if err != nil {
		return fmt.Errorf("encode the state of upload %s: %w", u.id, err)
	}
	if err := writeFile(u.s.dir, u.json(), raw); err != nil {
		return diskError(fmt.Errorf("save the state of upload %s: %w", u.id, err), u.s.dir, int64(len(raw)))
	}
	return syncDir(u.s.dir)
}

// WriteChunk implements handler.Upload. The count that it returns is durable,
// also beside an error.
func (u *upload) WriteChunk(ctx context.Context, offset int64, src io.Reader) (int64, error) {
	start := u.state.Info.Offset
	if offset != start || u.state.Hash.Bytes() != start {
		return 0, fmt.Errorf("write upload %s at %d: it has %d bytes", u.id, offset, start)
	}
	file, err := os.OpenFile(u.bin(), os.O_WRONLY, 0)
	if err != nil {
		return 0, fmt.Errorf("go on with upload %s: %w", u.id, err)
	}
	defer file.Close()
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return 0, handler.ErrFileLocked
	}
	// Behind the offset there may be bytes that a crash left unhashed.
	if err := file.Truncate(start); err != nil {
		return 0, fmt.Errorf("go on with upload %s: %w", u.id, err)
	}
	if _, err := file.Seek(start, io.SeekStart); err != nil {
		return 0, fmt.Errorf("go on with upload %s: %w", u.id, err)
	}
	for {
		n, err := u.copySome(ctx, file, src)
		if n > 0 {
			if e := u.checkpoint(file); e != nil {
				return u.state.Info.Offset - start, tusError(errors.Join(e, err))
			}
		}
		if errors.Is(err, io.EOF) {
			return u.state.Info.Offset - start, nil
		}
		if err != nil {
			return u.state.Info.Offset - start, tusError(err)
		}
	}
}

// copySome writes and hashes until the next checkpoint; io.EOF at the end of
// src.
func (u *upload) copySome(ctx context.Context, file *os.File, src io.Reader) (int64, error) {
	buf := make([]byte, 1<<20)
	var total int64
	for total < checkpointBytes {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		n, readErr := src.Read(buf)
		wrote, err := file.Write(buf[:n])
		u.state.Hash.add(buf[:wrote])
		total += int64(wrote)
		if err != nil {
			// Of a stream nobody knows more than what it gave just now.
			rest := max(u.state.Info.Size-u.state.Hash.Bytes(), int64(n-wrote))
			return total, diskError(fmt.Errorf("write upload %s: %w", u.id, err), u.s.dir, rest)
		}
		if readErr != nil {
			return total, readErr
		}
	}
	return total, nil
}

// checkpoint makes everything so far count.
func (u *upload) checkpoint(file *os.File) error {
	if err := file.Sync(); err != nil {
		rest := max(u.state.Info.Size, u.state.Hash.Bytes()) - u.state.Info.Offset
		return diskError(fmt.Errorf("sync upload %s: %w", u.id, err), u.s.dir, rest)
	}
	before := u.state.Info.Offset
	u.state.Info.Offset = u.state.Hash.Bytes()
	if err := u.save(); err != nil {
		u.state.Info.Offset = before
		return err
	}
	return nil
}

// GetInfo implements handler.Upload.
func (u *upload) GetInfo(context.Context) (handler.FileInfo, error) { return u.state.Info, nil }

// GetReader implements handler.Upload.
func (u *upload) GetReader(context.Context) (io.ReadCloser, error) {
	file, err := os.Open(u.bin())
	if err != nil {
		return nil, fmt.Errorf("read upload %s: %w", u.id, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(file, u.state.Info.Offset), file}, nil
}

// FinishUpload implements handler.Upload. All was made durable by WriteChunk.
func (u *upload) FinishUpload(context.Context) error {
	_, err := u.s.Finished(u.id)
	return err
}

// Terminate implements handler.TerminatableUpload.
func (u *upload) Terminate(context.Context) error { return u.remove() }

// remove takes the bytes first: without them an upload does not exist.
func (u *upload) remove() error {
	for _, path := range []string{u.bin(), u.json()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove upload %s: %w", u.id, err)
		}
	}
	return nil
}
