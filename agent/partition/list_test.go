package partition_test

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/partition"
)

// newDisk makes an empty disk with a partition table that sfdisk writes, or,
// for sectors of 4096 bytes, fdisk: the script is then what one would type.
func newDisk(t testing.TB, size int64, sector int, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.img")
	ok(t, os.WriteFile(path, nil, 0o600))
	ok(t, os.Truncate(path, size))
	cmd := exec.CommandContext(t.Context(), "sfdisk", "--quiet", path)
	if sector != 512 {
		cmd = exec.CommandContext(t.Context(), "fdisk", "-b", strconv.Itoa(sector), path)
	}
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	return path
}

var partitionLine = regexp.MustCompile(`(?m)^/\S*?(\d+) +(\d+) +(\d+) +(.*)$`)

// fdiskTable is what fdisk reads from a disk, extended partitions left out.
func fdiskTable(t testing.TB, path string, sector int64) (list []partition.Place) {
	t.Helper()
	out := run(t, "", "fdisk", "-b", strconv.FormatInt(sector, 10), "-l", "-o", "Device,Start,Sectors,Type", path)
	for _, m := range partitionLine.FindAllStringSubmatch(out, -1) {
		if m[4] == "Extended" {
			continue
		}
		var n [3]int64
		for i := range n {
			var err error
			n[i], err = strconv.ParseInt(m[i+1], 10, 64)
			ok(t, err)
		}
		list = append(list, partition.Place{Number: int(n[0]), Offset: n[1] * sector, Length: n[2] * sector})
	}
	return list
}

func TestList(t *testing.T) {
	t.Parallel()
	const logical = "label: dos\nsize=8M,type=c,bootable\nsize=40M,type=5\nsize=8M,type=7\nsize=4M,type=7\nsize=4M,type=83\nsize=8M,type=7\n"
	const gpt = "label: gpt\nsize=4M,type=U\nsize=8M,type=E3C9E316-0B5C-4DB8-817D-F92DF00215AE\nsize=16M,type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7\n"
	const typed = "n\n%s+4M\nn\n%s+8M\nn\n%s+16M\nw\n"
	for name, c := range map[string]struct {
		script string
		sector int
		harm   func(t *testing.T, path string)
		want   int
	}{
		"primary":            {script: "label: dos\nsize=8M,type=c,bootable\nsize=20M,type=7\n", sector: 512, want: 2},
		"logical":            {script: logical, sector: 512, want: 5},
		"primary, 4096":      {script: "o\n" + fmt.Sprintf(typed, "p\n1\n\n", "p\n2\n\n", "p\n3\n\n"), sector: 4096, want: 3},
		"logical, 4096":      {script: "o\nn\ne\n1\n\n\n" + fmt.Sprintf(typed, "l\n\n", "l\n\n", "l\n\n"), sector: 4096, want: 3},
		"gpt":                {script: gpt, sector: 512, want: 3},
		"gpt, 4096":          {script: "g\n" + fmt.Sprintf(typed, "1\n\n", "2\n\n", "3\n\n"), sector: 4096, want: 3},
		"gpt, header broken": {script: gpt, sector: 512, want: 3, harm: func(t *testing.T, path string) { patch(t, path, 512+60, 0xff) }},
		"gpt, table broken":  {script: gpt, sector: 512, want: 3, harm: func(t *testing.T, path string) { patch(t, path, 1024+40, 0xff) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newDisk(t, 96<<20, c.sector, c.script)
			want := fdiskTable(t, path, int64(c.sector))
			if len(want) != c.want {
				t.Fatalf("fdisk sees %v", want)
			}
			if c.harm != nil {
				c.harm(t, path)
			}
			got, ok, err := list(t, path, c.sector)
			slices.SortFunc(got, func(a, b partition.Place) int { return cmp.Compare(a.Number, b.Number) })
			if !ok || err != nil || !slices.Equal(got, want) {
				t.Errorf("%v, %v, %v; fdisk reads %v", got, ok, err, want)
			}
		})
	}
}

// A copy of a 4096-byte disk in a file is read with the sectors that it had.
func TestForeignSectorSize(t *testing.T) {
	t.Parallel()
	path := newDisk(t, 96<<20, 4096, "g\nn\n1\n\n+16M\nw\n")
	if got, _, err := list(t, path, 512); err != nil || !slices.Equal(got, fdiskTable(t, path, 4096)) {
		t.Errorf("%v, %v", got, err)
	}
}

func patch(t testing.TB, path string, at int64, data ...byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	ok(t, err)
	_, err = f.WriteAt(data, at)
	ok(t, err)
	ok(t, f.Close())
}

func list(t testing.TB, path string, sector int) ([]partition.Place, bool, error) {
	t.Helper()
	b, err := os.ReadFile(path)
	ok(t, err)
	return partition.List(bytes.NewReader(b), int64(len(b)), sector)
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// FuzzList lays fuzzed bytes over the beginning of a disk.
func FuzzList(f *testing.F) {
	const fuzzDisk = 128 << 10
	for _, script := range []string{
		"label: dos\nstart=64,size=16,type=7\nstart=96,size=64,type=5\nstart=100,size=8,type=7\n",
		"label: gpt\nfirst-lba: 34\nstart=64,size=16\nstart=96,size=32\n",
	} {
		raw, err := os.ReadFile(newDisk(f, fuzzDisk, 512, script))
		ok(f, err)
		f.Add(raw[:8192], uint16(0))
		f.Add(raw[:8192], uint16(96))
	}
	f.Fuzz(func(t *testing.T, table []byte, at uint16) {
		disk := make([]byte, fuzzDisk)
		copy(disk, table)
		copy(disk[int64(at)*512%int64(len(disk)):], table)
		list, _, err := partition.List(bytes.NewReader(disk), int64(len(disk)), 512)
		if err != nil {
			t.Error(err)
		}
		for _, p := range list {
			if p.Number < 1 || p.Offset <= 0 || p.Length <= 0 || p.Offset+p.Length > int64(len(disk)) {
				t.Errorf("%+v", p)
			}
		}
	})
}
