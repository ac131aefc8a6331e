package vdisk_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stickpress/stickpress/agent/vdisk"
)

// What a Writer makes, qemu-img finds in order and reads as it was written.
func TestWriter(t *testing.T) {
	t.Parallel()
	const size = 37*mib + 1024
	raw := rawDisk(t, size)
	want, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path, back := filepath.Join(dir, "disk.vhdx"), filepath.Join(dir, "back.raw")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := vdisk.NewWriter(f, size, 512, [16]byte{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []struct{ at, length int }{ // backwards, and what is zeros not
		{size - 1536, 1536}, {17 * mib, 512}, {5*mib + 512, 3 * mib}, {mib - 512, 1024}, {0, 70 << 10},
	} {
		if n, err := w.WriteAt(want[part.at:part.at+part.length], int64(part.at)); n != part.length || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	for _, at := range []int64{-1, size - 1} {
		if _, err := w.WriteAt(make([]byte, 2), at); !errors.Is(err, vdisk.ErrTruncated) {
			t.Errorf("write at %d: %v", at, err)
		}
	}
	if _, err := open(t, path); err == nil {
		t.Error("it is a disk before it is finished")
	}
	if err := errors.Join(w.Finish(), f.Close()); err != nil {
		t.Fatal(err)
	}
	qemuImg(t, "check", "-f", "vhdx", path)
	qemuImg(t, "convert", "-f", "vhdx", "-O", "raw", path, back)
	got, err := os.ReadFile(back)
	if err != nil || string(got) != string(want) {
		t.Errorf("qemu-img reads something else: %v", err)
	}
	d, err := open(t, path)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, d, want)
	if info, err := os.Stat(path); err != nil || info.Size() > 30*mib {
		t.Errorf("blocks of zeros take room: %v", info)
	}
}

// Sectors of 4096 bytes, which qemu-img does not read, and disks that are none.
func TestWriterSectors(t *testing.T) {
	t.Parallel()
	const size = 5 << 40 // its table has places for sector bitmaps
	path := filepath.Join(t.TempDir(), "disk.vhdx")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := vdisk.NewWriter(f, size, 4096, [16]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{0, 16<<30 + 4096, size - 4} {
		if _, err := w.WriteAt([]byte("1234"), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	d, err := open(t, path)
	if err != nil || d.SectorSize() != 4096 || d.Size() != size {
		t.Fatalf("%v, %v", d, err)
	}
	for _, at := range []int64{0, 16<<30 + 4096, size - 4} {
		b := make([]byte, 4)
		if _, err := d.ReadAt(b, at); err != nil || string(b) != "1234" {
			t.Errorf("at %d: %q, %v", at, b, err)
		}
	}
	for _, c := range []struct {
		size   int64
		sector int
	}{{0, 512}, {511, 512}, {512, 4096}, {1 << 20, 1024}, {1 << 50, 512}} {
		if _, err := vdisk.NewWriter(f, c.size, c.sector, [16]byte{}); !errors.Is(err, vdisk.ErrUnsupported) {
			t.Errorf("%d bytes in sectors of %d: %v", c.size, c.sector, err)
		}
	}
}
