package spool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/stickpress/stickpress/agent/fulldisk"
	"github.com/stickpress/stickpress/agent/protocol"
)

// version is the journal's format, written in its first record.
const version = 1

// reserveSize is the length of the file that is given up when the disk is
// full, in bytes: room for the ends of everything that is running.
const reserveSize = 1 << 20

// record is one line of the journal: the CRC-32C of the JSON in eight
// hexadecimal digits, a space, the JSON, a newline. Each record is on the disk
// (fsync) before the next one is written, so only the last can be torn.
type record struct {
	Version int              `json:"v,omitempty"`
	Known   []Attempt        `json:"known,omitempty"` // all that compaction keeps of an attempt
	Events  []protocol.Event `json:"events,omitempty"`
	Acks    []protocol.Ack   `json:"acks,omitempty"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encode(r *record) ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode journal record: %w", err)
	}
	line := make([]byte, 0, len(body)+10)
	line = fmt.Appendf(line, "%08x ", crc32.Checksum(body, castagnoli))
	line = append(line, body...)
	return append(line, '\n'), nil
}

// decode reads one line without its newline.
func decode(line []byte) (*record, error) {
	if len(line) < 10 || line[8] != ' ' {
		return nil, errors.New("no checksum")
	}
	if want := fmt.Sprintf("%08x", crc32.Checksum(line[9:], castagnoli)); string(line[:8]) != want {
		return nil, errors.New("wrong checksum")
	}
	r := new(record)
	if err := json.Unmarshal(line[9:], r); err != nil {
		return nil, fmt.Errorf("decode journal record: %w", err)
	}
	return r, nil
}

// scan calls each for every whole record of raw and returns how many bytes of
// it are good. A torn end is not an error; a bad record before a good one is
// ErrDamaged.
func scan(raw []byte, each func(*record) error) (good int64, err error) {
	bad := false
	pos := 0
	for pos < len(raw) {
		n := bytes.IndexByte(raw[pos:], '\n')
		if n < 0 {
			break
		}
		r, err := decode(raw[pos : pos+n])
		switch {
		case err != nil:
			bad = true
		case bad:
			return good, fmt.Errorf("%w at byte %d", ErrDamaged, good)
		default:
			if r.Version > version {
				return good, fmt.Errorf("journal of format %d: this program reads up to %d", r.Version, version)
			}
			if err := each(r); err != nil {
				return good, err
			}
			good = int64(pos + n + 1)
		}
		pos += n + 1
	}
	return good, nil
}

// journal is the file below a Spool.
type journal struct {
	dir  string
	file *os.File
	size int64 // bytes of good records
	low  bool  // the reserve was given up
	dead error // set for ever when it is not known what the disk holds
	// before is asked ahead of each operation ("write", "sync", "reserve",
	// "rename"); tests let exactly one of them fail.
	before func(op string) error
}

func (j *journal) path() string        { return filepath.Join(j.dir, "journal") }
func (j *journal) reservePath() string { return filepath.Join(j.dir, "reserve") }

// append makes r durable. When the disk is full it gives up the reserve and
// tries once more.
func (j *journal) append(r *record) error {
	if j.dead != nil {
		return j.dead
	}
	line, err := encode(r)
	if err != nil {
		return err
	}
	err = fulldisk.Wrap(j.write(line))
	if errors.Is(err, syscall.ENOSPC) && !j.low {
		j.low = true
		if rm := os.Remove(j.reservePath()); rm != nil && !errors.Is(rm, fs.ErrNotExist) {
			return fmt.Errorf("give up the journal's reserve: %w", rm)
		}
		err = j.write(line)
	}
	return err
}

func (j *journal) write(line []byte) error {
	err := j.before("write")
	if err == nil {
		_, err = j.file.WriteAt(line, j.size)
	}
	if err != nil {
		// What was half written must not stand before a later record.
		if cut := j.file.Truncate(j.size); cut != nil {
			j.dead = fmt.Errorf("%w: a write failed (%w) and could not be undone: %w", ErrBroken, err, cut)
			return j.dead
		}
		return fmt.Errorf("write journal: %w", err)
	}
	err = j.before("sync")
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		// After a failed fsync nobody knows what reached the disk; Linux
		// reports it once and forgets it.
		j.dead = fmt.Errorf("%w: sync: %w", ErrBroken, err)
		return j.dead
	}
	j.size += int64(len(line))
	return nil
}

// restock makes the reserve again; an error means that the disk is still full.
func (j *journal) restock() error {
	err := j.before("reserve")
	if err == nil {
		err = writeSynced(j.reservePath(), make([]byte, reserveSize))
	}
	if err != nil {
		_ = os.Remove(j.reservePath())
		j.low = true
		return fmt.Errorf("make the journal's reserve: %w", err)
	}
	j.low = false
	return nil
}

// replace swaps the whole journal for these records.
func (j *journal) replace(records []*record) error {
	if j.dead != nil {
		return j.dead
	}
	var all []byte
	for _, r := range records {
		line, err := encode(r)
		if err != nil {
			return err
		}
		all = append(all, line...)
	}
	next := j.path() + ".new"
	if err := writeSynced(next, all); err != nil {
		_ = os.Remove(next)
		return fmt.Errorf("write new journal: %w", err)
	}
	if err := j.before("rename"); err != nil {
		return fmt.Errorf("put new journal in place: %w", err)
	}
	// Closed first, because Windows does not rename over an open file.
	_ = j.file.Close()
	err := os.Rename(next, j.path())
	if err == nil {
		err = syncDir(j.dir)
	}
	var reopen error
	if j.file, reopen = os.OpenFile(j.path(), os.O_RDWR, 0o600); err != nil || reopen != nil {
		j.dead = fmt.Errorf("%w: put new one in place: %w", ErrBroken, errors.Join(err, reopen))
		return j.dead
	}
	j.size = int64(len(all))
	return nil
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}
