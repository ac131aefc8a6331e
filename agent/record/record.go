// Package record keeps on the host what it takes to prove its sticks later.
//
// A record (stick.Record) has two parts, and so has the folder: common holds
// what all sticks of a content share, by its SHA-256; sticks holds what each has
// of its own, by the ID of its disk and its size. That ID is drawn anew for every
// press of a master. The copies of a disk image share theirs, and so may its
// versions, so of them one is kept for each content. What was not used for the
// longest time goes when there is too much.
package record

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
)

// ErrNone is returned for a record that is not here: it never was, or it went
// to make room.
var ErrNone = errors.New("no record of the stick")

// DefaultLimit is how many bytes of records a host keeps: some hundred
// contents with all their sticks.
const DefaultLimit = 64 << 20

// Store is open on one folder. It is safe for concurrent use; another program
// may read at the same time.
type Store struct {
	dir   string
	limit int64

	mu sync.Mutex
}

const (
	commonDir = "common"
	stickDir  = "sticks"
	suffix    = ".json"
)

// Open returns the store in dir, which Put makes when it is not there. It keeps
// limit bytes.
func Open(dir string, limit int64) *Store { return &Store{dir: dir, limit: limit} }

// names of files are made of what came from elsewhere.
var (
	digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
	diskForm   = regexp.MustCompile(`^[0-9a-f-]{8,40}$`)
)

func (s *Store) commonFile(digest string) (string, error) {
	if !digestForm.MatchString(digest) {
		return "", fmt.Errorf("record %q: %w", digest, ErrNone)
	}
	return filepath.Join(s.dir, commonDir, digest+suffix), nil
}

// stickFile is where the record of a stick lies; content is that of a copy, or
// empty.
func (s *Store) stickFile(diskID string, size int64, content string) (string, error) {
	if !diskForm.MatchString(diskID) {
		return "", fmt.Errorf("record of disk %q: %w", diskID, ErrNone)
	}
	name := fmt.Sprintf("%s-%d", diskID, size)
	if content != "" {
		name += "-" + content
	}
	return filepath.Join(s.dir, stickDir, name+suffix), nil
}

// Put keeps a record. A stick without a disk ID is kept by the server alone.
func (s *Store) Put(r *stick.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	common, err := s.commonFile(r.Common)
	if err != nil {
		return err
	}
	if _, err := s.Common(r.Common); err != nil {
		_ = os.Remove(common) // damaged, if it is there at all
	}
	if err := s.use(common, r.Body); err != nil {
		return err
	}
	content := ""
	if r.Copy {
		content = r.Common
	}
	if file, err := s.stickFile(r.DiskID, r.Bytes, content); err == nil {
		raw, err := json.Marshal(r.StickRecord)
		if err != nil {
			return fmt.Errorf("keep the record of %s: %w", r.StickID, err)
		}
		if err := s.write(file, raw); err != nil {
			return err
		}
	}
	return s.trim()
}

// use makes a file that never changes, or marks the one that is there as used.
func (s *Store) use(file string, data []byte) error {
	now := time.Now()
	if err := os.Chtimes(file, now, now); err == nil {
		return nil
	}
	return s.write(file, data)
}

// write makes a file, or replaces it.
func (s *Store) write(file string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("keep a record: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(file), "new-*")
	if err != nil {
		return fmt.Errorf("keep a record: %w", err)
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("keep a record: %w", err), os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return errors.Join(fmt.Errorf("keep a record: %w", err), os.Remove(f.Name()))
	}
	return nil
}

// trim removes what was used least recently until the rest is within the limit.
func (s *Store) trim() error {
	type kept struct {
		path  string
		bytes int64
		used  time.Time
	}
	var all []kept
	var total int64
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		all = append(all, kept{path, info.Size(), info.ModTime()})
		total += info.Size()
		return nil
	})
	if err != nil {
		return fmt.Errorf("count the records: %w", err)
	}
	slices.SortFunc(all, func(a, b kept) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.path, b.path)) })
	for _, k := range all {
		if total <= s.limit {
			break
		}
		if err := os.Remove(k.path); err != nil {
			return fmt.Errorf("make room for records: %w", err)
		}
		total -= k.bytes
	}
	return nil
}

// Common returns a common part, or an error that wraps ErrNone. One that was
// damaged on the disk is none.
func (s *Store) Common(digest string) (json.RawMessage, error) {
	file, err := s.commonFile(digest)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, fmt.Errorf("read a record: %w", err)
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != digest {
		return nil, fmt.Errorf("%s is damaged: %w", file, ErrNone)
	}
	return raw, nil
}

// Find returns the records of the stick with a disk ID and a size in bytes, the
// newest first: several where contents share the ID. Without any it fails with
// an error that wraps ErrNone.
func (s *Store) Find(diskID string, size int64) ([]*stick.Record, error) {
	one, err := s.stickFile(diskID, size, "")
	if err != nil {
		return nil, err
	}
	copies, err := s.stickFile(diskID, size, "*")
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(copies)
	if err != nil {
		return nil, fmt.Errorf("look for records: %w", err)
	}
	type found struct {
		*stick.Record
		at time.Time
	}
	var all []found
	var broken error
	for _, file := range append(files, one) {
		r, at, err := s.read(file)
		if err == nil {
			all = append(all, found{r, at})
		} else if !errors.Is(err, fs.ErrNotExist) {
			broken = err
		}
	}
	if len(all) == 0 {
		return nil, cmp.Or(broken, ErrNone)
	}
	slices.SortStableFunc(all, func(a, b found) int { return b.at.Compare(a.at) })
	out := make([]*stick.Record, len(all))
	for i, f := range all {
		out[i] = f.Record
	}
	return out, nil
}

// read reads the record in a file, and when it was written.
func (s *Store) read(file string) (*stick.Record, time.Time, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read a record: %w", err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read a record: %w", err)
	}
	r := new(stick.Record)
	if err := json.Unmarshal(raw, &r.StickRecord); err != nil {
		return nil, time.Time{}, fmt.Errorf("%s is damaged: %w", file, errors.Join(ErrNone, err))
	}
	r.Body, err = s.Common(r.Common)
	return r, info.ModTime(), err
}

// Load reads a whole record from a file, as the console hands it out.
func Load(path string) (*stick.Record, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the record: %w", err)
	}
	var f protocol.RecordFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("%s is no record of a stick: %w", path, err)
	}
	if f.Stick.Bytes <= 0 {
		return nil, fmt.Errorf("%s is no record of a stick: it names no device", path)
	}
	// White space is the file's; the digest is that of the document without.
	var body json.RawMessage
	if body, err = json.Marshal(f.Body); err != nil {
		return nil, fmt.Errorf("%s is no record of a stick: %w", path, err)
	}
	return &stick.Record{StickRecord: f.Stick, Body: body}, nil
}
