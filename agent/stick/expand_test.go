package stick

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
)

// largeWindow is an image that is compressed with a window that no press has
// memory for.
func largeWindow(t testing.TB, raw, compression string) RawSpec {
	t.Helper()
	info, err := os.Stat(raw)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "image")
	command(t, "sh", "-c", map[string]string{
		protocol.CompressionXZ:   "xz -0 --lzma2=preset=0,dict=64MiB -c " + raw + " >" + path,
		protocol.CompressionZstd: "zstd -q -1 --zstd=wlog=27 -c " + raw + " >" + path,
	}[compression])
	return RawSpec{Path: path, SHA256: "large", Format: protocol.FormatRaw, Compression: compression, DiskBytes: info.Size()}
}

func expand(t testing.TB, dir string, spec RawSpec) RawSpec {
	t.Helper()
	if large, err := spec.Large(); err != nil || !large {
		t.Fatalf("large: %v, %v", large, err)
	}
	raw, err := Expand(t.Context(), dir, spec, func(int64, int64) {})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// An image that takes too much memory to decode is not decoded as it is
// written: it is expanded, once, and written from there.
func TestExpand(t *testing.T) {
	t.Parallel()
	image := rawImage(t, 40*mib)
	want, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	for _, compression := range []string{protocol.CompressionXZ, protocol.CompressionZstd} {
		spec, dir := largeWindow(t, image, compression), t.TempDir()
		if _, err := OpenRaw(spec); !errors.Is(err, protocol.NewFault(protocol.FaultImageCorrupt)) {
			t.Errorf("%s: opened as it is: %v", compression, err)
		}
		raw := expand(t, dir, spec)
		if got, err := os.ReadFile(raw.Path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: expanded to other bytes (%v)", compression, err)
		}
		d := sticktest.New(40*mib, 512)
		if o := Press(t.Context(), openRaw(t, raw), []Target{{Device: d, Report: &reporter{}}})[0]; o.Err != nil || !bytes.Equal(all(d), want) {
			t.Errorf("%s: %v", compression, o.Err)
		}
		// It is made once.
		before, err := os.Stat(raw.Path)
		if err != nil {
			t.Fatal(err)
		}
		expand(t, dir, spec)
		after, err := os.Stat(raw.Path)
		if err != nil || !os.SameFile(before, after) {
			t.Errorf("%s: expanded twice (%v)", compression, err)
		}
		// What rotted is made anew.
		damaged := bytes.Clone(want)
		damaged[33*mib] ^= 1
		if err := os.WriteFile(raw.Path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		expand(t, dir, spec)
		if got, err := os.ReadFile(raw.Path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: the damage is still there (%v)", compression, err)
		}
	}
}

// Holes stay holes.
func TestExpandIsSparse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	raw := expand(t, dir, largeWindow(t, rawImage(t, 200*mib), protocol.CompressionZstd))
	kibs, _, _ := strings.Cut(command(t, "du", "-k", raw.Path), "\t")
	if n, err := strconv.Atoi(kibs); err != nil || n < 1000 || n > 10_000 {
		t.Errorf("it takes %s KiB (%v)", kibs, err)
	}
}

// Nothing is left of what could not be expanded.
func TestExpandFails(t *testing.T) {
	t.Parallel()
	image := rawImage(t, 40*mib)
	good := largeWindow(t, image, protocol.CompressionZstd)
	corrupt := good
	raw, err := os.ReadFile(good.Path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 0xFF
	corrupt.Path = filepath.Join(t.TempDir(), "corrupt")
	if err := os.WriteFile(corrupt.Path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	long, short := good, good
	long.DiskBytes += 512
	short.DiskBytes -= 512
	for name, spec := range map[string]RawSpec{"corrupt": corrupt, "shorter than it says": long, "longer than it says": short} {
		dir := t.TempDir()
		if _, err := Expand(t.Context(), dir, spec, func(int64, int64) {}); !errors.Is(err, protocol.NewFault(protocol.FaultImageCorrupt)) {
			t.Errorf("%s: %v", name, err)
		}
		if left, err := filepath.Glob(filepath.Join(dir, "*", "*")); err != nil || len(left) != 0 {
			t.Errorf("%s: left behind: %v", name, left)
		}
	}
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	dir := t.TempDir()
	if _, err := Expand(ctx, dir, good, func(done, _ int64) {
		if done > 8*mib {
			cancel(enough)
		}
	}); !errors.Is(err, enough) {
		t.Errorf("cancelled: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*", "*")); err != nil || len(left) != 0 {
		t.Errorf("cancelled: left behind: %v", left)
	}
}

// There are no more decoders than sticks, and none of a stick that has ended
// keeps another from one.
func TestDecodersAreFew(t *testing.T) {
	t.Parallel()
	r := openRaw(t, variant(t, rawImage(t, 100*mib), protocol.FormatRaw, protocol.CompressionZstd))
	s := r.src.(*decoders)
	r.Readers(2)
	buf := alignedBuffer(ChunkBytes)
	read := func(i int) {
		t.Helper()
		b := buf[:r.Chunks()[i].Length]
		if _, err := r.Read(i, b); err != nil {
			t.Fatal(err)
		}
		if s.alive > 2 || len(s.idle) != s.alive {
			t.Errorf("%d decoders, %d idle", s.alive, len(s.idle))
		}
	}
	for _, i := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8} { // for all
		read(i)
	}
	read(0) // a stick that is late
	read(1)
	read(4) // another, which had been later: the first one's decoder goes on
	if len(s.idle) != 2 || s.idle[0].next+s.idle[1].next != 9+5 {
		t.Errorf("they stand at %d and %d", s.idle[0].next, s.idle[1].next)
	}
	read(2) // the first one comes back: the other decoder is further
	read(9)
	if s.alive != 2 {
		t.Errorf("%d decoders", s.alive)
	}
}
