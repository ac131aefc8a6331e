package vdisk_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/vdisk"
)

const mib = 1 << 20

// qemuImg runs qemu-img (Debian: qemu-utils), which made and reads everything here besides us.
func qemuImg(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "qemu-img", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("qemu-img %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// rawDisk makes a raw disk with data at its start, at its end, across blocks of every size, and holes between.
func rawDisk(t testing.TB, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.raw")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	random := rand.NewChaCha8([32]byte{1})
	for _, part := range []struct{ at, length int64 }{
		{0, 70 << 10}, {mib - 512, 1024}, {5*mib + 512, 3 * mib}, {17 * mib, 512}, {size - 1536, 1536},
	} {
		data := make([]byte, part.length)
		_, _ = random.Read(data)
		if _, err := f.WriteAt(data, part.at); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func open(t testing.TB, path string) (vdisk.Disk, error) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return vdisk.Open(f, st.Size())
}

var kinds = []struct {
	name, format, options string
	want                  vdisk.Format
}{
	{"fixed VHD", "vpc", "subformat=fixed,force_size=on", vdisk.VHD},
	{"fixed VHD in cylinders", "vpc", "subformat=fixed", vdisk.VHD},
	{"dynamic VHD", "vpc", "subformat=dynamic,force_size=on", vdisk.VHD},
	{"dynamic VHD in cylinders", "vpc", "subformat=dynamic", vdisk.VHD},
	{"fixed VHDX", "vhdx", "subformat=fixed", vdisk.VHDX},
	{"dynamic VHDX", "vhdx", "subformat=dynamic", vdisk.VHDX},
	{"dynamic VHDX of small blocks", "vhdx", "subformat=dynamic,block_size=1M", vdisk.VHDX},
	{"dynamic VHDX of zero blocks", "vhdx", "subformat=dynamic,block_size=2M,block_state_zero=off", vdisk.VHDX},
}

// What we read of a disk is what qemu-img converts it to.
func TestReadsWhatQemuReads(t *testing.T) {
	t.Parallel()
	raw := rawDisk(t, 37*mib+1024)
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path, back := filepath.Join(dir, "disk"), filepath.Join(dir, "back.raw")
			qemuImg(t, "convert", "-f", "raw", "-O", k.format, "-o", k.options, raw, path)
			qemuImg(t, "convert", "-f", k.format, "-O", "raw", path, back)
			want, err := os.ReadFile(back)
			if err != nil {
				t.Fatal(err)
			}
			d, err := open(t, path)
			if err != nil {
				t.Fatal(err)
			}
			if d.Format() != k.want || d.Size() != int64(len(want)) || d.SectorSize() != 512 {
				t.Fatalf("%s of %d bytes, sectors of %d; qemu-img has %d bytes", d.Format(), d.Size(), d.SectorSize(), len(want))
			}
			compare(t, d, want)
		})
	}
}

// compare reads a disk in pieces of odd lengths, and its extents.
func compare(t *testing.T, d vdisk.Disk, want []byte) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	for at := 0; at < len(want); {
		n := min(1+random.IntN(3*mib), len(want)-at)
		b := bytes.Repeat([]byte{0xA5}, n)
		if got, err := d.ReadAt(b, int64(at)); got != n || err != nil && !errors.Is(err, io.EOF) {
			t.Fatalf("read %d at %d: %d, %v", n, at, got, err)
		}
		if !bytes.Equal(b, want[at:at+n]) {
			t.Fatalf("other bytes between %d and %d", at, at+n)
		}
		at += n
	}
	rest := bytes.Clone(want)
	end := int64(-1)
	for e := range d.Extents() {
		if e.Offset <= end || e.Length < 1 || e.Offset+e.Length > d.Size() {
			t.Fatalf("extent %+v after %d", e, end)
		}
		end = e.Offset + e.Length
		clear(rest[e.Offset:end])
	}
	if i := bytes.IndexFunc(rest, func(r rune) bool { return r != 0 }); i >= 0 {
		t.Errorf("byte %d is not zero and lies in no extent", i)
	}
	if n, err := d.ReadAt(make([]byte, 10), d.Size()-4); n != 4 || !errors.Is(err, io.EOF) {
		t.Errorf("read across the end: %d, %v", n, err)
	}
	if n, err := d.ReadAt(make([]byte, 1), d.Size()); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read at the end: %d, %v", n, err)
	}
}

// Behind 4 GiB the table of a VHDX has an entry that is no block.
func TestVHDXOfSeveralChunks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, raw := filepath.Join(dir, "disk.vhdx"), filepath.Join(dir, "disk.raw")
	f, err := os.Create(raw)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	at := []int64{0, 4096*mib - 512, 4096 * mib, 4100 * mib, 8192 * mib, 8999*mib - 512}
	for i, o := range at {
		if _, err := f.WriteAt(bytes.Repeat([]byte{byte(i + 1)}, 512), o); err != nil {
			t.Fatal(err)
		}
	}
	qemuImg(t, "convert", "-f", "raw", "-O", "vhdx", "-o", "block_size=1M", raw, path)
	d, err := open(t, path)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range at {
		b := make([]byte, 512)
		if _, err := d.ReadAt(b, o); err != nil && !errors.Is(err, io.EOF) || !bytes.Equal(b, bytes.Repeat([]byte{byte(i + 1)}, 512)) {
			t.Errorf("at %d: %x…, %v", o, b[:4], err)
		}
	}
	var blocks int64
	for e := range d.Extents() {
		blocks += e.Length / mib
	}
	if blocks != 6 {
		t.Errorf("%d blocks", blocks)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	raw := rawDisk(t, 37*mib+1024)
	fixture := func(format, options string) []byte {
		path := filepath.Join(t.TempDir(), "disk")
		qemuImg(t, "convert", "-f", "raw", "-O", format, "-o", options, raw, path)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	fixedVHD, dynamicVHD := fixture("vpc", "subformat=fixed"), fixture("vpc", "subformat=dynamic")
	fixedVHDX, dynamicVHDX := fixture("vhdx", "subformat=fixed"), fixture("vhdx", "subformat=dynamic")
	cut := func(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }
	vhdType := func(typ uint32) func([]byte) []byte {
		return func(b []byte) []byte {
			for _, footer := range [][]byte{b[:512], b[len(b)-512:]} {
				binary.BigEndian.PutUint32(footer[60:], typ)
				sumVHD(footer)
			}
			return b
		}
	}
	for _, c := range []struct {
		name   string
		from   []byte
		change func([]byte) []byte
		want   error
	}{
		{"nothing", nil, func([]byte) []byte { return nil }, vdisk.ErrUnknown},
		{"another file", nil, func([]byte) []byte { return make([]byte, mib) }, vdisk.ErrUnknown},
		{"fixed VHD without its footer", fixedVHD, cut(512), vdisk.ErrUnknown},
		{"fixed VHD with a hole", fixedVHD, func(b []byte) []byte { return b[mib:] }, vdisk.ErrTruncated},
		{"fixed VHD, footer damaged", fixedVHD, func(b []byte) []byte { b[len(b)-500]++; return b }, vdisk.ErrCorrupt},
		{"dynamic VHD cut", dynamicVHD, cut(mib), vdisk.ErrTruncated},
		{"dynamic VHD cut in its table", dynamicVHD, func(b []byte) []byte { return b[:1600] }, vdisk.ErrTruncated},
		{"dynamic VHD, header damaged", dynamicVHD, func(b []byte) []byte { b[512+40]++; return b }, vdisk.ErrCorrupt},
		{"dynamic VHD, both footers damaged", dynamicVHD, func(b []byte) []byte { b[20]++; b[len(b)-492]++; return b }, vdisk.ErrCorrupt},
		{"differencing VHD", dynamicVHD, vhdType(4), vdisk.ErrDifferencing},
		{"VHD of another type", dynamicVHD, vhdType(5), vdisk.ErrUnsupported},
		{"fixed VHDX cut", fixedVHDX, cut(20 * mib), vdisk.ErrTruncated},
		{"VHDX cut", dynamicVHDX, cut(20 * mib), vdisk.ErrTruncated},
		{"VHDX cut in its headers", dynamicVHDX, func(b []byte) []byte { return b[:100<<10] }, vdisk.ErrTruncated},
		{"VHDX, both headers damaged", dynamicVHDX, func(b []byte) []byte { b[64<<10+20]++; b[128<<10+20]++; return b }, vdisk.ErrCorrupt},
		{"VHDX, both region tables damaged", dynamicVHDX, func(b []byte) []byte { b[192<<10+17]++; b[256<<10+17]++; return b }, vdisk.ErrCorrupt},
		{"differencing VHDX", dynamicVHDX, func(b []byte) []byte { b[parameters(t, b)+4] |= 2; return b }, vdisk.ErrDifferencing},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := c.change(bytes.Clone(c.from))
			if _, err := vdisk.Open(bytes.NewReader(b), int64(len(b))); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// One damaged copy of what a file has twice does no harm.
func TestReadsBesideDamage(t *testing.T) {
	t.Parallel()
	raw := rawDisk(t, 37*mib+1024)
	want, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, format, options string
		damage                func([]byte)
	}{
		{"last footer", "vpc", "force_size=on", func(b []byte) { clear(b[len(b)-512:]) }},
		{"first footer", "vpc", "force_size=on", func(b []byte) { clear(b[:512]) }},
		{"first header", "vhdx", "subformat=dynamic", func(b []byte) { clear(b[64<<10:][:4096]) }},
		{"second header", "vhdx", "subformat=dynamic", func(b []byte) { clear(b[128<<10:][:4096]) }},
		{"first region table", "vhdx", "subformat=dynamic", func(b []byte) { clear(b[192<<10:][:4096]) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "disk")
			qemuImg(t, "convert", "-f", "raw", "-O", c.format, "-o", c.options, raw, path)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			c.damage(b)
			d, err := vdisk.Open(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, d, want)
		})
	}
}

// A sector that a dynamic VHD marks as never written is zeros, whatever lies there.
func TestVHDSectorBitmap(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "disk.vhd")
	qemuImg(t, "convert", "-f", "raw", "-O", "vpc", "-o", "force_size=on", rawDisk(t, 37*mib+1024), path)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block := int(binary.BigEndian.Uint32(b[1536:])) * 512 // the first entry of the table
	b[block] = 0b1011_1111
	d, err := vdisk.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	got, want := make([]byte, 1536), bytes.Clone(b[block+512:][:1536])
	clear(want[512:1024])
	if _, err := d.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the first sectors are %x…, %v", got[:8], err)
	}
}

func TestVHDXOf4KSectors(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "disk.vhdx")
	qemuImg(t, "create", "-f", "vhdx", path, "8M")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(b[item(t, b, "\x1d\xbf\x41\x81"):], 4096)
	d, err := vdisk.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil || d.SectorSize() != 4096 {
		t.Errorf("%v, %v", d, err)
	}
}

// item is where the value of a metadata item lies, whose GUID begins so.
func item(t testing.TB, b []byte, id string) int {
	t.Helper()
	table := bytes.Index(b, []byte("metadata"))
	at := bytes.Index(b[table:table+4096], []byte(id))
	if table < 0 || at < 0 {
		t.Fatalf("no metadata item %x", id)
	}
	return table + int(binary.LittleEndian.Uint32(b[table+at+16:]))
}

func parameters(t testing.TB, b []byte) int { return item(t, b, "\x37\x67\xa1\xca") }

func sumVHD(footer []byte) {
	clear(footer[64:68])
	var sum uint32
	for _, c := range footer {
		sum += uint32(c)
	}
	binary.BigEndian.PutUint32(footer[64:], ^sum)
}
