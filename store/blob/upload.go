package blob

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
)

// Staging is where resumable uploads (tus 1.0) wait until they are whole. It
// is a data store for tusd's handler that hashes while the bytes stream.
//
//	<id>.bin    the bytes so far, perhaps with a tail that a crash left
//	<id>.json   tusd's description, and the hash state of exactly Offset bytes
//
// The offset that a client is told counts bytes that are synced and hashed,
// so an upload goes on after a crash or a restart without reading again what
// it has. When tusd says that an upload is whole, Finished gives the file
// with its record, for Store.Adopt. tusd needs a locker beside Staging
// (memorylocker): it keeps one writer per upload.
type Staging struct {
	dir string
	now func() time.Time
}

var (
	_ handler.DataStore           = (*Staging)(nil)
	_ handler.TerminaterDataStore = (*Staging)(nil)
)

// Name is a name of the folder that no other has, of hexadecimal digits, and
// that survives restarts: it lies beside the folder, in a file.
func (s *Staging) Name() (string, error) {
	path := filepath.Clean(s.dir) + ".name"
	raw, err := os.ReadFile(path)
	if err == nil && stagingName.Match(raw) {
		return string(raw), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the name of the upload folder: %w", err)
	}
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("name the upload folder: %w", err)
	}
	name := hex.EncodeToString(b[:])
	if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
		return "", fmt.Errorf("name the upload folder: %w", err)
	}
	return name, nil
}

// stagingName is the form of names.
var stagingName = regexp.MustCompile(`^[0-9a-f]{16}$`)

// uploadID is the form of the IDs that NewUpload gives.
var uploadID = regexp.MustCompile(`^[a-z2-7]{26}$`)

// OpenStaging makes the directory if needed. It should be on the filesystem of
// the blob folder: adopting is then a rename. now dates the uploads.
func OpenStaging(dir string, now func() time.Time) (*Staging, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the upload folder: %w", err)
	}
	return &Staging{dir: dir, now: now}, nil
}

// Finished is a whole upload.
type Finished struct {
	ID string
	// Path is the local file, which Store.Adopt takes away.
	Path   string
	Record protocol.BlobRecord
	// MetaData is what the client said of the file; "filename" by custom.
	MetaData map[string]string
}

// Finished returns a whole upload. upload_not_found if there is none,
// upload_incomplete if bytes are missing. It may be called again until Remove.
func (s *Staging) Finished(id string) (Finished, error) {
	u, err := s.load(id)
	if err != nil {
		return Finished{}, err
	}
	if u.state.Info.Offset != u.state.Info.Size {
		return Finished{}, fault.New(fault.KindConflict, "upload_incomplete", "id", id,
			"have_bytes", u.state.Info.Offset, "want_bytes", u.state.Info.Size)
	}
	return Finished{ID: id, Path: u.bin(), Record: u.state.Hash.Record(), MetaData: u.state.Info.MetaData}, nil
}

// Remove forgets an upload, finished or not. That it is gone is no error.
func (s *Staging) Remove(id string) error {
	if !uploadID.MatchString(id) {
		return nil
	}
	u := &upload{s: s, id: id}
	return u.remove()
}

// RemoveOf forgets all uploads whose meta data have a value under a key.
func (s *Staging) RemoveOf(key, value string) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("look for uploads: %w", err)
	}
	for _, e := range entries {
		id, isState := strings.CutSuffix(e.Name(), stateSuffix)
		if !isState {
			continue
		}
		u, err := s.load(id)
		if err != nil || u.state.Info.MetaData[key] != value {
			continue // gone by now, or not readable: Expire takes it
		}
		if err := s.Remove(id); err != nil {
			return err
		}
	}
	return nil
}

// Expire removes the uploads that nobody has written to for at least age, and
// returns how many they were. One that is being written stays.
func (s *Staging) Expire(ctx context.Context, age time.Duration) (int, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return 0, fmt.Errorf("look for abandoned uploads: %w", err)
	}
	n := 0
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		path := filepath.Join(s.dir, e.Name())
		st, err := e.Info()
		if err != nil || s.now().Sub(st.ModTime()) < age {
			continue
		}
		id, isState := strings.CutSuffix(e.Name(), stateSuffix)
		if isState {
			bin := filepath.Join(s.dir, id+binSuffix)
			if locked, _ := isLocked(bin); locked {
				continue
			}
			if err := s.Remove(id); err != nil {
				return n, err
			}
			n++
			continue
		}
		// What a crash left: bytes without a state, a half-written state.
		id = strings.TrimSuffix(e.Name(), binSuffix)
		if _, err := os.Stat(filepath.Join(s.dir, id+stateSuffix)); errors.Is(err, fs.ErrNotExist) {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return n, fmt.Errorf("remove the rest of an upload: %w", err)
			}
		}
	}
	return n, nil
}

// NewUpload implements handler.DataStore.
func (s *Staging) NewUpload(_ context.Context, info handler.FileInfo) (handler.Upload, error) {
	if info.SizeIsDeferred || info.IsPartial || info.IsFinal {
		return nil, fmt.Errorf("begin an upload: only a whole file of a known size is taken")
	}
	if err := checkRoom(s.dir, info.Size); err != nil {
		return nil, tusError(err)
	}
	u, err := s.begin(info)
	if err != nil {
		return nil, err
	}
	return u, nil
}

// Receive takes a whole upload from a stream whose length nobody knows, such
// as a file in a form, and leaves it like one that tusd wrote. After an error
// nothing of it is left.
func (s *Staging) Receive(ctx context.Context, meta map[string]string, src io.Reader) (Finished, error) {
	u, err := s.begin(handler.FileInfo{MetaData: meta, SizeIsDeferred: true})
	if err != nil {
		return Finished{}, err
	}
	if _, err = u.WriteChunk(ctx, 0, src); err == nil {
		u.state.Info.Size, u.state.Info.SizeIsDeferred = u.state.Info.Offset, false
		err = u.save()
	}
	if err != nil {
		return Finished{}, errors.Join(err, u.remove())
	}
	return s.Finished(u.id)
}

// begin makes the two files of an upload without bytes.
func (s *Staging) begin(info handler.FileInfo) (*upload, error) {
	info.ID = strings.ToLower(rand.Text())
	info.Offset = 0
	info.Storage = nil
	u := &upload{s: s, id: info.ID, state: uploadState{Info: info, Hash: NewHasher()}}
	file, err := os.OpenFile(u.bin(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, tusError(diskError(fmt.Errorf("begin an upload: %w", err), s.dir, info.Size))
	}
	if err := errors.Join(file.Close(), u.save()); err != nil {
		return nil, tusError(errors.Join(err, u.remove()))
	}
	return u, nil
}

// GetUpload implements handler.DataStore; handler.ErrNotFound if absent.
func (s *Staging) GetUpload(_ context.Context, id string) (handler.Upload, error) {
	u, err := s.load(id)
	if errors.Is(err, errNoUpload) {
		return nil, handler.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return u, nil
}

// AsTerminatableUpload implements handler.TerminaterDataStore.
func (s *Staging) AsTerminatableUpload(u handler.Upload) handler.TerminatableUpload {
	return u.(*upload)
}

// errNoUpload matches upload_not_found.
var errNoUpload = fault.New(fault.KindNotFound, "upload_not_found")

func (s *Staging) load(id string) (*upload, error) {
	notFound := fault.New(fault.KindNotFound, "upload_not_found", "id", id)
	if !uploadID.MatchString(id) {
		return nil, notFound
	}
	u := &upload{s: s, id: id}
	raw, err := os.ReadFile(u.json())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, notFound
	}
	if err != nil {
		return nil, fmt.Errorf("read the state of upload %s: %w", id, err)
	}
	if err := json.Unmarshal(raw, &u.state); err != nil {
		return nil, fmt.Errorf("read the state of upload %s: %w", id, err)
	}
	st, err := os.Stat(u.bin())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, notFound // adopted, and not yet removed
	}
	if err != nil {
		return nil, fmt.Errorf("look at upload %s: %w", id, err)
	}
	if u.state.Hash == nil || u.state.Hash.Bytes() != u.state.Info.Offset || st.Size() < u.state.Info.Offset {
		return nil, fmt.Errorf("upload %s: its state and its %d bytes do not belong together", id, st.Size())
	}
	return u, nil
}

// tusError gives tusd the status and text to answer with; errors.As still
// finds the fault.
func tusError(err error) error {
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != "blob_disk_full" {
		return err
	}
	text := fmt.Sprintf("need_bytes=%s free_bytes=%s", f.Params["need_bytes"], f.Params["free_bytes"])
	return fmt.Errorf("%w: %w", f, handler.NewError(string(f.Code), text, http.StatusInsufficientStorage))
}
