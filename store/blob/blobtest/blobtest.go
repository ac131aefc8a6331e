// Package blobtest is the suite that every blob.Store must pass, whatever keeps
// its bytes. A backend's test calls Run with a way to make an empty store.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store/blob"
)

// Run tests the stores that open makes; each must be empty.
func Run(t *testing.T, open func(t *testing.T) blob.Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, blob.Store){
		"write and read":   writeAndRead,
		"abort":            abort,
		"wrong size":       wrongSize,
		"same bytes twice": sameBytesTwice,
		"adopt":            adopt,
		"absent":           absent,
		"delete":           remove,
		"collect":          collect,
		"list and usage":   listAndUsage,
		"verify":           verify,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// Bytes are n bytes that differ by seed and do not repeat.
func Bytes(n int, seed uint64) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	_, _ = rand.NewChaCha8(key).Read(b) // never fails
	return b
}

// Record is the record of data, made without package blob.
func Record(data []byte) protocol.BlobRecord {
	rec := protocol.BlobRecord{SHA256: digest(data), Bytes: int64(len(data))}
	for block := range slices.Chunk(data, protocol.BlockSize) {
		rec.Blocks = append(rec.Blocks, digest(block))
	}
	return rec
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Put stores data and returns its record.
func Put(t *testing.T, s blob.Store, data []byte) protocol.BlobRecord {
	t.Helper()
	w, err := s.Create(t.Context(), int64(len(data)))
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	defer func() { _ = w.Abort() }()
	if _, err := io.Copy(w, bytes.NewReader(data)); err != nil {
		t.Fatalf("write: %v", err)
	}
	rec, err := w.Commit(t.Context())
	if err != nil {
		t.Fatalf("commit: %v", err)
	}
	return rec
}

// WantFault fails the test unless err is a fault with that code.
func WantFault(t *testing.T, err error, code fault.Code) {
	t.Helper()
	FaultParams(t, err, code)
}

// FaultParams is WantFault and returns the fault's parameters.
func FaultParams(t *testing.T, err error, code fault.Code) fault.Params {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != code {
		t.Fatalf("error %v, want %s", err, code)
	}
	return f.Params
}

func sameRecord(t *testing.T, got, want protocol.BlobRecord) {
	t.Helper()
	if got.SHA256 != want.SHA256 || got.Bytes != want.Bytes || !slices.Equal(got.Blocks, want.Blocks) {
		t.Errorf("record %+v, want %+v", got, want)
	}
}

func writeAndRead(t *testing.T, s blob.Store) {
	for i, n := range []int{0, 1, 3000, protocol.BlockSize - 1, protocol.BlockSize, protocol.BlockSize + 1, 2*protocol.BlockSize + 777} {
		data := Bytes(n, uint64(i))
		want := Record(data)
		sameRecord(t, Put(t, s, data), want)
		got, err := s.Record(t.Context(), want.SHA256)
		if err != nil {
			t.Fatalf("record: %v", err)
		}
		sameRecord(t, got, want)
		r, err := s.Open(t.Context(), want.SHA256)
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		if r.Size() != int64(n) {
			t.Errorf("size %d, want %d", r.Size(), n)
		}
		if n <= 3000 { // it reads byte by byte
			if err := iotest.TestReader(r, data); err != nil {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
		for _, at := range []int{0, n / 2, n} {
			if _, err := r.Seek(int64(at), io.SeekStart); err != nil {
				t.Fatalf("seek: %v", err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data[at:]) {
				t.Errorf("%d bytes from %d: %d read, %v", n, at, len(got), err)
			}
		}
		if err := r.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

func abort(t *testing.T, s blob.Store) {
	w, err := s.Create(t.Context(), -1)
	if err != nil {
		t.Fatal(err)
	}
	data := Bytes(1000, 1)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Abort(); err != nil {
			t.Errorf("abort: %v", err)
		}
	}
	_, err = s.Open(t.Context(), digest(data))
	WantFault(t, err, "blob_not_found")
}

func wrongSize(t *testing.T, s blob.Store) {
	data := Bytes(1000, 1)
	w, err := s.Create(t.Context(), 1001)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	_, err = w.Commit(t.Context())
	p := FaultParams(t, err, "blob_size_mismatch")
	if p["want_bytes"] != "1001" || p["got_bytes"] != "1000" {
		t.Errorf("parameters %v", p)
	}
	_, err = s.Open(t.Context(), digest(data))
	WantFault(t, err, "blob_not_found")
}

func sameBytesTwice(t *testing.T, s blob.Store) {
	data := Bytes(protocol.BlockSize+5, 1)
	want := Record(data)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			w, err := s.Create(context.WithoutCancel(t.Context()), -1)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = w.Abort() }()
			if _, err := w.Write(data); err != nil {
				t.Error(err)
			}
			if _, err := w.Commit(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := s.Verify(t.Context(), want.SHA256); err != nil {
		t.Error(err)
	}
	if u, err := s.Usage(t.Context()); err != nil || u.Blobs != 1 || u.Bytes != want.Bytes {
		t.Errorf("usage %+v, %v", u, err)
	}
}

func adopt(t *testing.T, s blob.Store) {
	data := Bytes(protocol.BlockSize+5, 1)
	want := Record(data)
	for range 2 { // the second time the store has it
		path := filepath.Join(t.TempDir(), "staged")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		short := want
		short.Bytes--
		WantFault(t, s.Adopt(t.Context(), path, short), "blob_size_mismatch")
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("after a refusal: %v", err)
		}
		if err := s.Adopt(t.Context(), path, want); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the staged file is left: %v", err)
		}
		if err := s.Verify(t.Context(), want.SHA256); err != nil {
			t.Error(err)
		}
	}
}

func absent(t *testing.T, s blob.Store) {
	for _, d := range []string{digest([]byte("absent")), "", "../../etc/passwd", strings.Repeat("A", 64), strings.Repeat("/", 64)} {
		_, err := s.Open(t.Context(), d)
		WantFault(t, err, "blob_not_found")
		_, err = s.Record(t.Context(), d)
		WantFault(t, err, "blob_not_found")
		WantFault(t, s.Verify(t.Context(), d), "blob_not_found")
		WantFault(t, s.Delete(t.Context(), d), "blob_not_found")
	}
}

// What is old goes; what somebody brings once more is new again.
func collect(t *testing.T, s blob.Store) {
	data := Bytes(9000, 21)
	rec := Put(t, s, data)
	began := time.Now().Add(-time.Minute)
	gone := func(before time.Time) bool {
		t.Helper()
		ok, err := s.Collect(t.Context(), rec.SHA256, before)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if gone(began) {
		t.Error("a blob of this moment was collected")
	}
	if err := s.Verify(t.Context(), rec.SHA256); err != nil {
		t.Errorf("it did not stay whole: %v", err)
	}
	if !gone(time.Now().Add(time.Minute)) {
		t.Error("an old blob stayed")
	}
	_, err := s.Open(t.Context(), rec.SHA256)
	WantFault(t, err, "blob_not_found")
	_, err = s.Collect(t.Context(), rec.SHA256, time.Now())
	WantFault(t, err, "blob_not_found")
	Put(t, s, data)
	if gone(began) {
		t.Error("a blob that came back was collected")
	}
	if err := s.Verify(t.Context(), rec.SHA256); err != nil {
		t.Errorf("it did not stay whole: %v", err)
	}
	// Those who bring it and whoever collects it do so at the same time.
	var all sync.WaitGroup
	all.Go(func() {
		for range 200 {
			if ok, err := s.Collect(t.Context(), rec.SHA256, began); ok || err != nil {
				t.Errorf("collected %v, %v", ok, err)
			}
		}
	})
	for range 20 {
		Put(t, s, data)
	}
	all.Wait()
	if err := s.Verify(t.Context(), rec.SHA256); err != nil {
		t.Errorf("after all of that: %v", err)
	}
}

func remove(t *testing.T, s blob.Store) {
	data := Bytes(100, 1)
	d := Put(t, s, data).SHA256
	r, err := s.Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := s.Delete(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
		t.Errorf("an open reader: %d bytes, %v", len(got), err)
	}
	_, err = s.Record(t.Context(), d)
	WantFault(t, err, "blob_not_found")
	if got := Put(t, s, data).SHA256; got != d {
		t.Errorf("stored again as %s", got)
	}
}

func listAndUsage(t *testing.T, s blob.Store) {
	var want []string
	var total int64
	for i := range 20 {
		rec := Put(t, s, Bytes(100+i, uint64(i)))
		want = append(want, rec.SHA256)
		total += rec.Bytes
	}
	slices.Sort(want)
	var got []string
	for info, err := range s.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if info.Stored.IsZero() || info.Bytes < 100 {
			t.Errorf("%+v", info)
		}
		got = append(got, info.Digest)
	}
	if !slices.Equal(got, want) {
		t.Errorf("list %v, want %v", got, want)
	}
	for _, err := range s.List(t.Context()) {
		if err != nil {
			t.Error(err)
		}
		break // an early end is no error
	}
	u, err := s.Usage(t.Context())
	if err != nil || u.Blobs != 20 || u.Bytes != total || u.FreeBytes <= 0 {
		t.Errorf("usage %+v, %v, want %d bytes", u, err, total)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Usage(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("usage with an ended context: %v", err)
	}
}

func verify(t *testing.T, s blob.Store) {
	d := Put(t, s, Bytes(3*protocol.BlockSize, 1)).SHA256
	if err := s.Verify(t.Context(), d); err != nil {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Verify(ended, d); !errors.Is(err, context.Canceled) {
		t.Errorf("verify with an ended context: %v", err)
	}
}
