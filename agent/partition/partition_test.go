package partition_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/partition"
)

const mib = 1 << 20

// disk makes a file of size bytes and runs a partitioning program (Debian: gdisk, fdisk) on it.
func disk(t testing.TB, size int64, script string, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	run(t, script, append(args, path)...)
	return path
}

func run(t testing.TB, script string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(script)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if cmd.Err != nil {
		cmd.Path, cmd.Err = "/usr/sbin/"+args[0], nil
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func read(t testing.TB, path string) (*partition.Table, error) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return partition.Read(bytes.NewReader(b), int64(len(b)))
}

func gptDisk(t testing.TB) string {
	return disk(t, 64*mib, "", "sgdisk", "-n1:2048:+8M", "-t1:ef00", "-c1:boot", "-n2:0:0", "-U", "01234567-89ab-cdef-0123-456789abcdef")
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, path string
		want       partition.Table
	}{
		{"GPT", gptDisk(t), partition.Table{Kind: partition.GPT, SectorSize: 512, DiskID: "01234567-89ab-cdef-0123-456789abcdef", Boots: true}},
		{"MBR", disk(t, 64*mib, "label: dos\nlabel-id: 0xcafe1234\nstart=2048,type=c,bootable\n", "sfdisk", "-q"), partition.Table{Kind: partition.MBR, SectorSize: 512, DiskID: "cafe1234", Boots: true}},
		{"FAT on the whole disk", disk(t, 64*mib, "", "mkfs.fat"), partition.Table{SectorSize: 512, Boots: true}},
		{"nothing", disk(t, 64*mib, "", "true"), partition.Table{SectorSize: 512}},
		{"three bytes", disk(t, 3, "", "true"), partition.Table{SectorSize: 512}},
	} {
		got, err := read(t, c.path)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got.Kind != c.want.Kind || got.SectorSize != c.want.SectorSize || got.DiskID != c.want.DiskID || got.Boots != c.want.Boots {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// A GPT that was moved to a larger disk is one that sgdisk finds nothing wrong with, with the partitions that it had.
func TestMove(t *testing.T) {
	t.Parallel()
	path := gptDisk(t)
	before := run(t, "", "sfdisk", "-d", path)
	table, err := read(t, path)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{64 * mib, 64*mib + 512, 97*mib + 7*512} {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		m := table.Move(size)
		for at, b := range map[int64][]byte{0: m.Sector0, 512: m.Header, m.BackupAt: m.Backup} {
			if _, err := f.WriteAt(b, at); err != nil {
				t.Fatal(err)
			}
		}
		f.Close()
		if out := run(t, "", "sgdisk", "-v", path); !strings.Contains(out, "No problems found") {
			t.Errorf("%d bytes:\n%s", size, out)
		}
		lines := regexp.MustCompile(`(?m)^(last-lba|device):.*\n`)
		if after := run(t, "", "sfdisk", "-d", path); lines.ReplaceAllString(after, "") != lines.ReplaceAllString(before, "") {
			t.Errorf("%d bytes: other partitions:\n%s\nthan before:\n%s", size, after, before)
		}
		// With its start gone, the copy at the end is what is left.
		damaged, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		clear(damaged[512:1024])
		broken := filepath.Join(t.TempDir(), "damaged")
		if err := os.WriteFile(broken, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if out := run(t, "", "sfdisk", "-d", broken); !strings.Contains(out, `name="boot"`) {
			t.Errorf("%d bytes: the backup does not serve:\n%s", size, out)
		}
	}
}

func TestUsedEnd(t *testing.T) {
	t.Parallel()
	table, err := read(t, gptDisk(t))
	if err != nil {
		t.Fatal(err)
	}
	if end := table.UsedEnd(); end > 64*mib-33*512 || end < 62*mib || table.BackupBytes() != 33*512 {
		t.Errorf("used to %d, backup of %d", end, table.BackupBytes())
	}
}

func TestCorrupt(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(gptDisk(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]int{"header": 512 + 57, "entries": 1024 + 33} {
		c := bytes.Clone(b)
		c[at]++
		if table, err := partition.Read(bytes.NewReader(c), int64(len(c))); !errors.Is(err, partition.ErrCorrupt) || table.Kind != partition.MBR || !table.Boots {
			t.Errorf("%s: %+v, %v", name, table, err)
		}
	}
}

// Whatever a disk says, it is read or refused, and what is read can be moved.
func FuzzRead(f *testing.F) {
	for _, path := range []string{gptDisk(f), disk(f, mib, "label: dos\nstart=64,type=c\n", "sfdisk", "-q")} {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:512], b[512:1024], b[1024:2048])
	}
	f.Fuzz(func(t *testing.T, mbr, header, entries []byte) {
		b := make([]byte, 2*mib)
		copy(b[:512], mbr)
		copy(b[512:1024], header)
		copy(b[1024:], entries)
		for range 2 {
			if table, err := partition.Read(bytes.NewReader(b), int64(len(b))); err == nil && table.Kind == partition.GPT {
				if m := table.Move(64 * mib); m.BackupAt+int64(len(m.Backup)) != 64*mib || table.UsedEnd() < 0 {
					t.Errorf("backup of %d at %d", len(m.Backup), m.BackupAt)
				}
			}
			h := b[512:1024]
			le := binary.LittleEndian
			if n := int64(le.Uint32(h[80:])) * int64(le.Uint32(h[84:])); n < mib/2 {
				le.PutUint32(h[88:], crc32.ChecksumIEEE(b[1024:1024+n]))
			}
			le.PutUint32(h[12:], 92)
			le.PutUint32(h[16:], 0)
			le.PutUint32(h[16:], crc32.ChecksumIEEE(h[:92]))
		}
	})
}
