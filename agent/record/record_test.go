package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
)

func sample(n, size int) *stick.Record {
	body, _ := json.Marshal(string(bytes.Repeat([]byte{'a' + byte(n)}, size)))
	sum := sha256.Sum256(body)
	return &stick.Record{
		Body:        body,
		StickRecord: protocol.StickRecord{StickID: fmt.Sprint("stick_", n), DiskID: fmt.Sprintf("%08x", n), Bytes: 1 << 30, Common: hex.EncodeToString(sum[:])},
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	s := Open(filepath.Join(t.TempDir(), "records"), 100_000)
	if _, err := s.Find("00000001", 1<<30); !errors.Is(err, ErrNone) {
		t.Errorf("an empty store: %v", err)
	}
	r := sample(1, 1000)
	if err := s.Put(r); err != nil {
		t.Fatal(err)
	}
	got, err := s.Find("00000001", 1<<30)
	if err != nil || len(got) != 1 || got[0].StickID != "stick_1" || !bytes.Equal(got[0].Body, r.Body) {
		t.Fatalf("%+v, %v", got, err)
	}
	if body, err := s.Common(r.Common); err != nil || !bytes.Equal(body, r.Body) {
		t.Errorf("%v", err)
	}
	for name, find := range map[string]func() error{
		"another size": func() error { _, err := s.Find("00000001", 1<<29); return err },
		"another disk": func() error { _, err := s.Find("00000002", 1<<30); return err },
		"no file name": func() error { _, err := s.Find("../../etc/passwd", 1<<30); return err },
		"no disk":      func() error { _, err := s.Find("", 1<<30); return err },
		"no digest":    func() error { _, err := s.Common("../sticks/x"); return err },
	} {
		if err := find(); !errors.Is(err, ErrNone) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(filepath.Join(s.dir, commonDir, r.Common+suffix), []byte("rotten"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Find("00000001", 1<<30); !errors.Is(err, ErrNone) {
		t.Errorf("a damaged common part: %v", err)
	}
}

// Versions of a disk image may have one disk ID: the record of each is there,
// the newest first; of two copies of one version there is one.
func TestContentsOfOneDisk(t *testing.T) {
	t.Parallel()
	s := Open(t.TempDir(), DefaultLimit)
	first, second := sample(1, 1000), sample(2, 1000)
	second.DiskID = first.DiskID
	again := *first
	again.StickID = "stick_3"
	for n, r := range []*stick.Record{first, second, &again} {
		r.Copy = true
		if err := s.Put(r); err != nil {
			t.Fatal(err)
		}
		file, err := s.stickFile(r.DiskID, r.Bytes, r.Common)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(time.Duration(n) * time.Minute) // whatever the clock's grain
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Find(first.DiskID, 1<<30)
	if err != nil || len(got) != 2 || got[0].StickID != "stick_3" || got[1].StickID != "stick_2" || !bytes.Equal(got[1].Body, second.Body) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := s.Find(first.DiskID, 1<<31); !errors.Is(err, ErrNone) {
		t.Errorf("of another size: %+v, %v", got, err)
	}
}

// The least recently used go first; a common part stays with its newest stick.
func TestLimit(t *testing.T) {
	t.Parallel()
	s := Open(t.TempDir(), 5000)
	old := time.Now().Add(-time.Hour)
	for n := range 6 {
		r := sample(n, 1500)
		if n > 0 { // a second stick of the first content keeps that
			again := *sample(0, 1500)
			again.DiskID = fmt.Sprintf("%08x", 100+n)
			if err := s.Put(&again); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Put(r); err != nil {
			t.Fatal(err)
		}
		err := filepath.WalkDir(s.dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() { // what is next is newer, whatever the clock's grain
				info, _ := d.Info()
				err = os.Chtimes(path, old, info.ModTime().Add(-time.Minute))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Find("00000005", 1<<30); err != nil {
		t.Errorf("the newest: %v", err)
	}
	if _, err := s.Find("00000069", 1<<30); err != nil {
		t.Errorf("the newest stick of the first content: %v", err)
	}
	if _, err := s.Find("00000001", 1<<30); !errors.Is(err, ErrNone) {
		t.Errorf("an old one: %v", err)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	r := sample(1, 100)
	raw, err := json.MarshalIndent(protocol.RecordFile{Stick: r.StickRecord, Body: r.Body}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "record.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path)
	if err != nil || got.StickID != r.StickID || !bytes.Equal(got.Body, r.Body) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was read")
	}
}
