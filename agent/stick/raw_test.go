package stick

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
	"github.com/stickpress/stickpress/agent/volume"
)

const rawDevice = 110*mib + 7*512

// command runs a program (Debian: gdisk, qemu-utils, zstd, xz-utils, gzip).
func command(t testing.TB, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(args[0]); err != nil {
		args[0] = "/usr/sbin/" + args[0]
	}
	out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// rawImage makes a disk of size bytes with a GPT, content here and there, and
// holes between.
func rawImage(t testing.TB, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.raw")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	command(t, "sgdisk", "-n1:2048:+8M", "-t1:ef00", "-n2:0:0", path)
	noise := rand.NewChaCha8([32]byte{9})
	for at := int64(mib); at < size-mib; at += 11*mib + 512 {
		data := make([]byte, min(70*kib, size-mib-at))
		_, _ = noise.Read(data)
		if _, err := f.WriteAt(data, at); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// variant is an image in another format.
func variant(t testing.TB, raw, format, compression string) RawSpec {
	t.Helper()
	info, err := os.Stat(raw)
	if err != nil {
		t.Fatal(err)
	}
	spec := RawSpec{Path: raw, SHA256: "none", Format: format, Compression: compression, DiskBytes: info.Size()}
	path := filepath.Join(t.TempDir(), "image")
	switch {
	case format == protocol.FormatVHD:
		command(t, "qemu-img", "convert", "-f", "raw", "-O", "vpc", "-o", "force_size=on", raw, path)
	case format == protocol.FormatVHDX:
		command(t, "qemu-img", "convert", "-f", "raw", "-O", "vhdx", raw, path)
	case compression == protocol.CompressionZstd:
		command(t, "sh", "-c", "zstd -q -c <"+raw+" >"+path)
	case compression == protocol.CompressionXZ:
		command(t, "sh", "-c", "xz -0 -c "+raw+" >"+path)
	case compression == protocol.CompressionGzip:
		command(t, "sh", "-c", "gzip -1 -c "+raw+" >"+path)
	default:
		return spec
	}
	spec.Path = path
	return spec
}

func openRaw(t testing.TB, spec RawSpec) *Raw {
	t.Helper()
	r, err := OpenRaw(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// all is what a stick holds.
func all(d *sticktest.Device) []byte {
	b := alignedBuffer(int(d.Size()))
	d.Peek(b, 0)
	return b
}

// tables has sgdisk look at a stick.
func tables(t testing.TB, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stick")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return command(t, "sgdisk", "-v", path)
}

// Whatever the format, a stick is the disk, byte for byte, with its table
// fitted: sgdisk finds nothing wrong, and putting the old places back gives the
// image.
func TestRawFormats(t *testing.T) {
	t.Parallel()
	image := rawImage(t, 45*mib+512)
	want, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ format, compression string }{
		{protocol.FormatRaw, ""},
		{protocol.FormatVHD, ""},
		{protocol.FormatVHDX, ""},
		{protocol.FormatRaw, protocol.CompressionZstd},
		{protocol.FormatRaw, protocol.CompressionXZ},
		{protocol.FormatRaw, protocol.CompressionGzip},
	} {
		t.Run(c.format+" "+c.compression, func(t *testing.T) {
			t.Parallel()
			r := openRaw(t, variant(t, image, c.format, c.compression))
			exact, larger := sticktest.New(int64(len(want)), 512), sticktest.New(64*mib, 512)
			targets := []Target{{Device: exact, Report: &reporter{}}, {Device: larger, Report: &reporter{}}}
			for _, o := range Press(t.Context(), r, targets) {
				if o.Err != nil {
					t.Fatal(o.Err)
				}
				if !o.Record.Copy || o.Result.DiskID == "" || o.Result.BytesVerified < int64(len(want)) || o.Result.MasterDigest != r.Digest() {
					t.Errorf("%+v", o.Result)
				}
			}
			if !bytes.Equal(all(exact), want) {
				t.Error("a stick of the image's size is not the image")
			}
			got := all(larger)
			if out := tables(t, got); !strings.Contains(out, "No problems found") {
				t.Errorf("%s", out)
			}
			backup := len(want) - 33*512
			if !bytes.Equal(got[2*512:backup], want[2*512:backup]) {
				t.Error("other bytes between the tables")
			}
			if len(bytes.Trim(got[backup:len(want)], "\x00")) != 0 {
				t.Error("the old copy of the table is still there")
			}
		})
	}
}

// Holes are zeros on a stick that was full of old bytes; what a block map
// leaves out is left alone.
func TestRawMapped(t *testing.T) {
	t.Parallel()
	image := rawImage(t, 40*mib)
	want, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	spec := variant(t, image, protocol.FormatRaw, protocol.CompressionXZ)
	spec.Mapped = []volume.Extent{{Offset: mib, Length: 72 * kib}, {Offset: 34 * mib, Length: 2 * mib}, {Offset: 40*mib - 4096, Length: 4096}}
	r := openRaw(t, spec)
	d := sticktest.New(40*mib, 512)
	if o := Press(t.Context(), r, []Target{{Device: d, Report: &reporter{}}})[0]; o.Err != nil {
		t.Fatal(o.Err)
	}
	got := all(d)
	for _, e := range append(spec.Mapped, volume.Extent{Offset: 0, Length: rawHead}) {
		if !bytes.Equal(got[e.Offset:e.End()], want[e.Offset:e.End()]) {
			t.Errorf("other bytes in %+v", e)
		}
	}
	if free := got[20*mib : 30*mib]; len(bytes.Trim(free, string([]byte{sticktest.Old}))) != 0 {
		t.Error("something was written outside the map")
	}
	if whole := openRaw(t, variant(t, image, protocol.FormatRaw, "")); r.Digest() == whole.Digest() {
		t.Error("the map has no influence on the digest")
	}
}

// An ISO is written as it is: sums inside it cover its table.
func TestRawISO(t *testing.T) {
	t.Parallel()
	image := rawImage(t, 40*mib)
	r := openRaw(t, variant(t, image, protocol.FormatISO, ""))
	if r.TableMoved() {
		t.Error("its table would be moved")
	}
	d := sticktest.New(rawDevice, 512)
	if o := Press(t.Context(), r, []Target{{Device: d, Report: &reporter{}}})[0]; o.Err != nil {
		t.Fatal(o.Err)
	}
	want, err := os.ReadFile(image)
	if err != nil || !bytes.Equal(all(d)[:len(want)], want) {
		t.Errorf("it was changed (%v)", err)
	}
}

func TestRawFit(t *testing.T) {
	t.Parallel()
	r := openRaw(t, variant(t, rawImage(t, 40*mib), protocol.FormatRaw, ""))
	for _, c := range []struct {
		size   int64
		sector int
		code   string
	}{{40*mib - 512, 512, protocol.FaultTooSmall}, {64 * mib, 4096, protocol.FaultImageSector}} {
		d := sticktest.New(c.size, c.sector)
		o := Press(t.Context(), r, []Target{{Device: d, Report: &reporter{}}})[0]
		if f := protocol.AsFault(o.Err); f == nil || f.Code != c.code || f.Touched || d.Count(sticktest.Write) != 0 {
			t.Errorf("%d bytes, sectors of %d: %v after %d writes", c.size, c.sector, o.Err, d.Count(sticktest.Write))
		}
	}
}

// A stick that waits until the others are done has the image decoded for
// itself, and all come out the same.
func TestRawSlowStick(t *testing.T) {
	t.Parallel()
	image := rawImage(t, 72*mib) // more than the sticks share (feedChunks)
	for _, compression := range []string{protocol.CompressionZstd, protocol.CompressionXZ} {
		r := openRaw(t, variant(t, image, protocol.FormatRaw, compression))
		quick, slow := sticktest.New(rawDevice, 512), sticktest.New(rawDevice, 512)
		done := make(chan struct{})
		content := int64(rawHead)
		slow.Before = func(op sticktest.Op, _ int, offset, length int64) error {
			if op == sticktest.Write && offset == content && length > mib {
				<-done
			}
			return nil
		}
		outcomes := Press(t.Context(), r, []Target{
			{Device: quick, Report: &reporter{}, Ended: func(Outcome) { close(done) }},
			{Device: slow, Report: &reporter{}},
		})
		for _, o := range outcomes {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
		}
		if outcomes[0].Result.ContentDigest != outcomes[1].Result.ContentDigest || !bytes.Equal(all(quick)[:72*mib], all(slow)[:72*mib]) {
			t.Errorf("%s: the sticks differ", compression)
		}
		if n := len(r.src.(*decoders).idle); n != 0 {
			t.Errorf("%s: %d decoders are left", compression, n)
		}
	}
}

// A file that is not what was published writes no stick that starts.
func TestRawDamaged(t *testing.T) {
	t.Parallel()
	image := rawImage(t, 64*mib)
	for _, compression := range []string{"", protocol.CompressionGzip, protocol.CompressionXZ, protocol.CompressionZstd} {
		spec := variant(t, image, protocol.FormatRaw, compression)
		spec.DiskBytes += 512
		r, err := OpenRaw(spec)
		d := sticktest.New(rawDevice, 512)
		if err == nil {
			err = Press(t.Context(), r, []Target{{Device: d, Report: &reporter{}}})[0].Err
			r.Close()
		}
		if !errors.Is(err, protocol.NewFault(protocol.FaultImageCorrupt)) {
			t.Errorf("%q of another size: %v", compression, err)
		}
		sector := alignedBuffer(512)
		d.Peek(sector, 0)
		if d.Count(sticktest.Write) > 0 && len(bytes.Trim(sector, "\x00")) != 0 {
			t.Errorf("%q of another size: the stick has a sector 0", compression)
		}
	}
	spec := variant(t, image, protocol.FormatRaw, protocol.CompressionZstd)
	raw, err := os.ReadFile(spec.Path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 0xFF
	if err := os.WriteFile(spec.Path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := OpenRaw(spec)
	if err == nil {
		err = Press(t.Context(), r, []Target{{Device: sticktest.New(rawDevice, 512), Report: &reporter{}}})[0].Err
		r.Close()
	}
	if f := protocol.AsFault(err); f == nil || f.Code != protocol.FaultImageCorrupt {
		t.Errorf("a changed byte: %v", err)
	}
}

// Bytes that change between two readings are noticed.
func TestRawChanges(t *testing.T) {
	t.Parallel()
	image := rawImage(t, 64*mib)
	r := openRaw(t, variant(t, image, protocol.FormatRaw, ""))
	buf := alignedBuffer(ChunkBytes)[:r.Chunks()[0].Length]
	if _, err := r.Read(0, buf); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("changed"), rawHead); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(0, buf); !errors.Is(err, protocol.NewFault(protocol.FaultImageCorrupt)) {
		t.Errorf("read again: %v", err)
	}
}

// A stick that was written with an image is proven by its record later, and is
// found to be changed when it was.
func TestRawIsProven(t *testing.T) {
	t.Parallel()
	r := openRaw(t, variant(t, rawImage(t, 40*mib), protocol.FormatRaw, protocol.CompressionZstd))
	d := sticktest.New(rawDevice, 512)
	o := Press(t.Context(), r, []Target{{Device: d, Report: &reporter{}}})[0]
	if o.Err != nil || o.Record == nil {
		t.Fatalf("%v, record %v", o.Err, o.Record)
	}
	nothing := func(int64, int64) {}
	found, read, err := Reread(t.Context(), d, o.Record, nothing)
	if err != nil || found.Outcome != protocol.OutcomeIntact || read < 40*mib {
		t.Errorf("%+v after %d bytes, %v", found, read, err)
	}
	if _, err := d.WriteAt(alignedBuffer(512), 12*mib+512); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Reread(t.Context(), d, o.Record, nothing); err == nil {
		t.Error("a changed stick is intact")
	}
}

// What an assignment says of an image is foreign, too.
func TestRawOfAnImplausibleDisk(t *testing.T) {
	t.Parallel()
	image := variant(t, rawImage(t, 32*mib), protocol.FormatRaw, protocol.CompressionGzip)
	extent := func(offset, length int64) []volume.Extent { return []volume.Extent{{Offset: offset, Length: length}} }
	for name, change := range map[string]func(*RawSpec){
		"negative":           func(s *RawSpec) { s.DiskBytes = -1 },
		"empty":              func(s *RawSpec) { s.DiskBytes = 0 },
		"larger than memory": func(s *RawSpec) { s.DiskBytes = 1 << 62 },
		"map in front":       func(s *RawSpec) { s.Mapped = extent(-4096, 8192) },
		"map behind":         func(s *RawSpec) { s.Mapped = extent(4096, 32*mib) },
		"map without end":    func(s *RawSpec) { s.Mapped = extent(4096, 1<<63-1) },
		"map of nothing":     func(s *RawSpec) { s.Mapped = extent(4096, 0) },
		"map out of order":   func(s *RawSpec) { s.Mapped = append(extent(mib, mib), extent(0, mib)...) },
	} {
		spec := image
		change(&spec)
		if r, err := OpenRaw(spec); !errors.Is(err, protocol.NewFault(protocol.FaultImageCorrupt)) {
			t.Errorf("%s: %v", name, err)
			if err == nil {
				r.Close()
			}
		}
	}
}
