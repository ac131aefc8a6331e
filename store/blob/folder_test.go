package blob_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store/blob"
	"github.com/stickpress/stickpress/store/blob/blobtest"
)

func openFolder(t *testing.T, dir string) *blob.Folder {
	t.Helper()
	f, err := blob.OpenFolder(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFolder(t *testing.T) {
	t.Parallel()
	blobtest.Run(t, func(t *testing.T) blob.Store { return openFolder(t, t.TempDir()) })
}

// files counts the regular files below dir.
func files(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFolderClearsLeftovers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := openFolder(t, dir)
	kept := blobtest.Put(t, f, []byte("kept"))
	living, err := f.Create(t.Context(), -1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = living.Abort() }()
	if err := os.WriteFile(filepath.Join(dir, "tmp", "write-crashed"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	lone := blobtest.Put(t, f, []byte("its bytes go"))
	path := filepath.Join(dir, "sha256", lone.SHA256[:2], lone.SHA256)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}

	openFolder(t, dir)
	if _, err := os.Stat(path + ".json"); err != nil {
		t.Errorf("a young record may belong to a commit under way: %v", err)
	}
	if _, err := blob.OpenFolder(dir, time.Now().Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); got != 3 { // kept with its record, and the living writer's
		t.Errorf("%d files", got)
	}
	if err := f.Verify(t.Context(), kept.SHA256); err != nil {
		t.Error(err)
	}
	if _, err := living.Write([]byte("goes on")); err != nil {
		t.Error(err)
	}
	if _, err := living.Commit(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestFolderFindsCorruption(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := openFolder(t, dir)
	data := blobtest.Bytes(3*protocol.BlockSize+10, 1)
	rec := blobtest.Put(t, f, data)
	path := filepath.Join(dir, "sha256", rec.SHA256[:2], rec.SHA256)
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o440 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	rewrite := func(b []byte) {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o440); err != nil {
			t.Fatal(err)
		}
	}
	flipped := append([]byte(nil), data...)
	flipped[protocol.BlockSize+100] ^= 1
	for want, b := range map[int64][]byte{
		protocol.BlockSize:     flipped,
		2 * protocol.BlockSize: data[:2*protocol.BlockSize],
		3 * protocol.BlockSize: append(append([]byte(nil), data...), 0),
	} {
		rewrite(b)
		p := blobtest.FaultParams(t, f.Verify(t.Context(), rec.SHA256), "blob_corrupt")
		if p["offset"] != strconv.FormatInt(want, 10) {
			t.Errorf("offset %s, want %d", p["offset"], want)
		}
	}
}

// smallDisk mounts a filesystem of so many bytes.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+strconv.Itoa(size)); err != nil {
		t.Fatalf("mount a small tmpfs (needs root): %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestFolderDiskFull(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, 1<<20)
	f := openFolder(t, dir)
	_, err := f.Create(t.Context(), 2<<20)
	if p := blobtest.FaultParams(t, err, "blob_disk_full"); p["need_bytes"] != "2097152" || p["free_bytes"] == "" {
		t.Errorf("parameters %v", p)
	}
	w, err := f.Create(t.Context(), -1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(blobtest.Bytes(2<<20, 1))
	blobtest.WantFault(t, err, "blob_disk_full")
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
	blobtest.Put(t, f, blobtest.Bytes(500<<10, 1)) // there is room again
}

func TestAdoptFromAnotherFilesystem(t *testing.T) {
	t.Parallel()
	f := openFolder(t, t.TempDir())
	staged := filepath.Join(smallDisk(t, 16<<20), "staged")
	data := blobtest.Bytes(protocol.BlockSize+5, 1)
	if err := os.WriteFile(staged, data, 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := blobtest.Record(data)
	wrong.Blocks[1] = wrong.Blocks[0]
	blobtest.WantFault(t, f.Adopt(t.Context(), staged, wrong), "blob_corrupt")
	rec := blobtest.Record(data)
	if err := f.Adopt(t.Context(), staged, rec); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(staged); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the staged file is left: %v", err)
	}
	if err := f.Verify(t.Context(), rec.SHA256); err != nil {
		t.Error(err)
	}
}

func TestHasherGoesOn(t *testing.T) {
	t.Parallel()
	data := blobtest.Bytes(2*protocol.BlockSize+99, 3)
	for _, cut := range []int{0, 1, protocol.BlockSize, protocol.BlockSize + 50, len(data)} {
		first := blob.NewHasher()
		_, _ = first.Write(data[:cut])
		raw, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		var second blob.Hasher
		if err := json.Unmarshal(raw, &second); err != nil {
			t.Fatal(err)
		}
		_, _ = second.Write(data[cut:])
		if got, want := second.Record(), blobtest.Record(data); got.SHA256 != want.SHA256 || len(got.Blocks) != 3 || got.Blocks[2] != want.Blocks[2] {
			t.Errorf("cut at %d: %+v, want %+v", cut, got, want)
		}
	}
}

func FuzzHasherState(f *testing.F) {
	raw, err := json.Marshal(blob.NewHasher())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"bytes":-1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h := blob.NewHasher()
		if json.Unmarshal(raw, h) == nil {
			_, _ = io.WriteString(h, "more")
			h.Record()
		}
	})
}
