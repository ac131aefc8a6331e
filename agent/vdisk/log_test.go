package vdisk_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stickpress/stickpress/agent/vdisk"
)

const logSector = 4 << 10

// change is one descriptor of a log entry: data of a sector, or zeros.
type change struct {
	at    uint64
	data  []byte
	zeros uint64
}

// entry is an entry of a log that a test makes.
type entry struct {
	at            int // in the log
	sequence      uint64
	tail          int
	flushed, last int // 0: as long as the file is
	changes       []change
	harm          func([]byte)
}

var session = bytes.Repeat([]byte{7}, 16)

// encode writes an entry as [MS-VHDX] 2.3.1 has it.
func (e *entry) encode() []byte {
	le := binary.LittleEndian
	heads := (64 + 32*len(e.changes) + logSector - 1) / logSector * logSector
	b := make([]byte, heads)
	for i, c := range e.changes {
		d := b[64+32*i:][:32]
		le.PutUint64(d[16:], c.at)
		le.PutUint64(d[24:], e.sequence)
		if c.data == nil {
			copy(d, "zero")
			le.PutUint64(d[8:], c.zeros)
			continue
		}
		copy(d, "desc")
		copy(d[4:8], c.data[4092:])
		copy(d[8:16], c.data[:8])
		s := make([]byte, logSector)
		copy(s, "data")
		le.PutUint32(s[4:], uint32(e.sequence>>32))
		copy(s[8:], c.data[8:4092])
		le.PutUint32(s[4092:], uint32(e.sequence))
		b = append(b, s...)
	}
	copy(b, "loge")
	le.PutUint32(b[8:], uint32(len(b)))
	le.PutUint32(b[12:], uint32(e.tail))
	le.PutUint64(b[16:], e.sequence)
	le.PutUint32(b[24:], uint32(len(e.changes)))
	copy(b[32:], session)
	le.PutUint64(b[48:], uint64(e.flushed))
	le.PutUint64(b[56:], uint64(e.last))
	sumVHDX(b)
	if e.harm != nil {
		e.harm(b)
	}
	return b
}

func sumVHDX(b []byte) {
	clear(b[4:8])
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// dirty gives a VHDX a session and the entries in its log.
func dirty(file []byte, entries ...entry) []byte {
	b := bytes.Clone(file)
	le := binary.LittleEndian
	var log []byte
	for _, at := range []int{64 << 10, 128 << 10} {
		h := b[at : at+4096]
		copy(h[48:], session)
		log = b[le.Uint64(h[72:]):][:le.Uint32(h[68:])]
		sumVHDX(h)
	}
	for _, e := range entries {
		if e.flushed == 0 {
			e.flushed = len(b)
		}
		if e.last == 0 {
			e.last = len(b)
		}
		for i, c := range e.encode() {
			log[(e.at+i)%len(log)] = c
		}
	}
	return b
}

// regionAt is where a region of a VHDX lies whose GUID begins so.
func regionAt(t testing.TB, b []byte, id string) int {
	t.Helper()
	at := bytes.Index(b[192<<10:][:64<<10], []byte(id))
	if at < 0 {
		t.Fatalf("no region %x", id)
	}
	return int(binary.LittleEndian.Uint64(b[192<<10+at+16:]))
}

func batAt(t testing.TB, b []byte) int { return regionAt(t, b, "\x66\x77\xc2\x2d") }

// repaired is the disk as qemu-img converts it after it has applied the log.
func repaired(t testing.TB, file []byte) []byte {
	t.Helper()
	dir := t.TempDir()
	path, back := filepath.Join(dir, "disk.vhdx"), filepath.Join(dir, "back.raw")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "qemu-img", "info", path).CombinedOutput(); err == nil || !bytes.Contains(out, []byte("log that needs to be replayed")) {
		t.Fatalf("qemu-img sees no log: %v\n%s", err, out)
	}
	qemuImg(t, "check", "-r", "all", path)
	qemuImg(t, "convert", "-f", "vhdx", "-O", "raw", path, back)
	b, err := os.ReadFile(back)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func vhdxFile(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.vhdx")
	qemuImg(t, "convert", "-f", "raw", "-O", "vhdx", "-o", "block_size=1M", rawDisk(t, 37*mib+1024), path)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sector(n byte) []byte {
	b := make([]byte, logSector)
	_, _ = rand.NewChaCha8([32]byte{n}).Read(b)
	return b
}

// What a log says is read as if it had been applied: qemu-img, which applies
// it, has the same disk then.
func TestReplay(t *testing.T) {
	t.Parallel()
	file := vhdxFile(t)
	le := binary.LittleEndian
	bat := batAt(t, file)
	block := le.Uint64(file[bat+8*5:]) >> 20 << 20 // 5 MiB of the disk, 1 MiB
	const end = mib - logSector                    // the log's last sector
	var many []change
	for i := range 126 { // all that fit beside one header
		many = append(many, change{at: block + uint64(i)*logSector, data: sector(byte(i))})
	}
	for name, entries := range map[string][]entry{
		"zeros":    {{sequence: 9, changes: []change{{at: block + 4096, zeros: 8192}}}},
		"a sector": {{sequence: 9, changes: []change{{at: block + 4096, data: sector(1)}}}},
		"many":     {{sequence: 1, changes: many}},
		"one over the other": {
			{sequence: 1<<32 + 5, at: 0, changes: []change{{at: block, zeros: 40960}, {at: block + 8192, data: sector(1)}}},
			{sequence: 1<<32 + 6, at: 8192, changes: []change{{at: block + 8192, zeros: 4096}, {at: block + 4096, data: sector(2)}, {at: block + 36864, zeros: 8192}}},
		},
		"over the end of the log": {
			{sequence: 3, at: end - logSector, tail: end - logSector, changes: []change{{at: block, zeros: 4096}}},
			{sequence: 4, at: end, tail: end - logSector, changes: []change{{at: block, data: sector(3)}, {at: block + 4096, data: sector(4)}}},
		},
		"a last one that was not finished": {
			{sequence: 3, changes: []change{{at: block, data: sector(3)}}},
			{sequence: 4, at: 8192, changes: []change{{at: block + 8192, data: sector(4)}}, harm: func(b []byte) { b[5000]++ }},
		},
		"older ones elsewhere": {
			{sequence: 3, at: 64 << 10, tail: 64 << 10, changes: []change{{at: block + 4096, data: sector(3)}}},
			{sequence: 8, at: 0, changes: []change{{at: block, data: sector(4)}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := dirty(file, entries...)
			want := repaired(t, b)
			d, err := vdisk.Open(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, d, want)
			if clean, err := vdisk.Open(bytes.NewReader(file), int64(len(file))); err != nil || same(t, d, clean) {
				t.Errorf("the log changes nothing (%v)", err)
			}
		})
	}
}

func same(t testing.TB, a, b vdisk.Disk) bool {
	t.Helper()
	x, y := make([]byte, a.Size()), make([]byte, b.Size())
	for d, p := range map[vdisk.Disk][]byte{a: x, b: y} {
		if n, err := d.ReadAt(p, 0); n < len(p) {
			t.Fatal(err)
		}
	}
	return bytes.Equal(x, y)
}

// An entry that qemu wrote for a table that is gone since is as good as the
// table.
func TestReplayOfQemu(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "disk.vhdx")
	qemuImg(t, "create", "-f", "vhdx", "-o", "block_size=1M", path, "40M")
	out, err := exec.CommandContext(t.Context(), "qemu-io", "-f", "vhdx", "-c", "write -P 17 0 1M", "-c", "write -P 34 20M 3M", "-c", "write -P 51 35M 64k", path).CombinedOutput()
	if err != nil {
		t.Fatalf("qemu-io: %v\n%s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The log has a name until its entry is applied; so it was before that of
	// the last one, which holds the whole sector of the table.
	log := int(binary.LittleEndian.Uint64(b[64<<10+72:]))
	last := log
	for string(b[last+8192:][:4]) == "loge" {
		last += 8192
	}
	if last == log {
		t.Fatal("qemu left no entries")
	}
	for _, at := range []int{64 << 10, 128 << 10} {
		copy(b[at+48:], b[last+32:][:16])
		sumVHDX(b[at : at+4096])
	}
	clear(b[batAt(t, b):][:logSector])
	want := repaired(t, b)
	if want[0] != 17 || want[21*mib] != 34 || want[35*mib] != 51 {
		t.Fatal("qemu-img has lost it")
	}
	d, err := vdisk.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	compare(t, d, want)
}

// What qemu 7.2 does in another way, or not at all, is as [MS-VHDX] 2.3 has it:
// what lies before the last entry's tail has been applied long ago; entries go
// over the end of the log; descriptors take a second sector; the file grows.
func TestReplayBySpecification(t *testing.T) {
	t.Parallel()
	file := vhdxFile(t)
	le := binary.LittleEndian
	bat := batAt(t, file)
	block := le.Uint64(file[bat+8*5:]) >> 20 << 20
	old := file[block:][:mib]
	const end = mib - logSector
	grown := bytes.Clone(file[bat : bat+logSector])
	le.PutUint64(grown[8*5:], uint64(len(file))|6)
	var many []change
	var all []byte
	for i := range 130 {
		many = append(many, change{at: block + uint64(i)*logSector, data: sector(byte(i))})
		all = append(all, sector(byte(i))...)
	}
	full := []entry{{sequence: 3, at: end - logSector, tail: end - logSector, changes: many[:1]}}
	for i := range 100 {
		full = append(full, entry{sequence: uint64(4 + i), at: i * 2 * logSector, tail: end - logSector, changes: many[i+1 : i+2]})
	}
	for name, c := range map[string]struct {
		entries []entry
		want    []byte // from 5 MiB on
	}{
		"a hundred over the end": {full, all[:101*logSector]},
		"the tail": {[]entry{
			{sequence: 3, changes: []change{{at: block, data: sector(3)}}},
			{sequence: 4, at: 8192, tail: 8192, changes: []change{{at: block + 4096, data: sector(4)}}},
		}, append(bytes.Clone(old[:4096]), sector(4)...)},
		"over the end": {[]entry{
			{sequence: 3, at: end - logSector, tail: end - logSector, changes: []change{{at: block + 8192, zeros: 4096}}},
			{sequence: 4, at: end, tail: end - logSector, changes: []change{{at: block, data: sector(3)}, {at: block + 4096, data: sector(4)}}},
			{sequence: 5, at: 2 * logSector, tail: end - logSector, changes: []change{{at: block + 4096, data: sector(5)}}},
		}, slices.Concat(sector(3), sector(5), make([]byte, 4096), old[12288:16384])},
		"many":        {[]entry{{sequence: 1, changes: many}}, all},
		"it grows":    {[]entry{{sequence: 3, last: len(file) + mib, changes: []change{{at: uint64(bat), data: grown}}}}, make([]byte, mib)},
		"long before": {[]entry{{sequence: 3, changes: []change{{at: block, zeros: 4096}}}, {sequence: 9, at: 64 << 10, tail: 64 << 10, changes: []change{{at: block + 4096, zeros: 4096}}}}, append(bytes.Clone(old[:4096]), make([]byte, 4096)...)},
	} {
		b := dirty(file, c.entries...)
		d, err := vdisk.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := make([]byte, len(c.want))
		if _, err := d.ReadAt(got, 5*mib); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: other bytes (%v)", name, err)
		}
	}
}

// A log that cannot be made out, or that says what cannot be, is refused.
func TestReplayRefuses(t *testing.T) {
	t.Parallel()
	file := vhdxFile(t)
	one := []change{{at: 4 * mib, data: sector(1)}}
	for name, c := range map[string]struct {
		entry entry
		want  error
	}{
		"damaged":           {entry{sequence: 3, changes: one, harm: func(b []byte) { b[700]++ }}, vdisk.ErrDirtyLog},
		"data of another":   {entry{sequence: 3, changes: one, harm: func(b []byte) { b[4096+4]++; sumVHDX(b) }}, vdisk.ErrDirtyLog},
		"its tail is gone":  {entry{sequence: 3, tail: 64 << 10, changes: one}, vdisk.ErrDirtyLog},
		"too many":          {entry{sequence: 3, changes: one, harm: func(b []byte) { b[24]++; sumVHDX(b) }}, vdisk.ErrDirtyLog},
		"the file was cut":  {entry{sequence: 3, flushed: len(file) + mib, changes: one}, vdisk.ErrTruncated},
		"behind the file":   {entry{sequence: 3, changes: []change{{at: uint64(len(file)), zeros: 4096}}}, vdisk.ErrCorrupt},
		"zeros without end": {entry{sequence: 3, changes: []change{{at: 4 * mib, zeros: 1 << 62}}}, vdisk.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := dirty(file, c.entry)
			if _, err := vdisk.Open(bytes.NewReader(b), int64(len(b))); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	// A session that has written nothing yet has changed nothing.
	b := dirty(file)
	if _, err := vdisk.Open(bytes.NewReader(b), int64(len(b))); err != nil {
		t.Error(err)
	}
}

// Changes without end are not carried out.
func TestReplayBoundsItsWork(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "disk.vhdx")
	qemuImg(t, "create", "-f", "vhdx", "-o", "block_size=1M,log_size=4M", path, "8M")
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const most = 4 * (64 << 20) / logSector
	for n, want := range map[int]error{most: nil, most + 1: vdisk.ErrDirtyLog} {
		changes := slices.Repeat([]change{{at: 4 * mib, zeros: logSector}}, n)
		b := dirty(file, entry{sequence: 3, changes: changes})
		if _, err := vdisk.Open(bytes.NewReader(b), int64(len(b))); !errors.Is(err, want) {
			t.Errorf("%d changes: %v, want %v", n, err, want)
		}
	}
}

// FuzzLog lays bytes over the log of a small disk, and makes the checksums of
// the entries in it right.
func FuzzLog(f *testing.F) {
	path := filepath.Join(f.TempDir(), "seed.vhdx")
	qemuImg(f, "create", "-f", "vhdx", "-o", "block_size=1M,log_size=1M", path, "3M")
	file, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	file = dirty(append(file, make([]byte, 2*mib)...))
	log := int(binary.LittleEndian.Uint64(file[64<<10+72:]))
	for _, e := range []entry{
		{sequence: 1, changes: []change{{at: 2 * mib, zeros: 8192}}},
		{sequence: 1, changes: []change{{at: 2 * mib, data: sector(1)}, {at: 3 * mib, zeros: 4096}}},
	} {
		e.last, e.flushed = len(file), mib
		next := e
		next.sequence, next.at = 2, len(e.encode())
		f.Add(append(e.encode(), next.encode()...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file := bytes.Clone(file)
		copy(file[log:log+256<<10], b)
		read(file)
		for at := log; at < log+256<<10; at += logSector {
			length := int(binary.LittleEndian.Uint32(file[at+8:]))
			if string(file[at:at+4]) == "loge" && length >= logSector && length <= log+mib-at {
				sumVHDX(file[at:][:length])
			}
		}
		read(file)
	})
}
