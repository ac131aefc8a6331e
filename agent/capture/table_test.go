package capture

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/volume"
)

// newDisk makes an empty disk with a partition table that sfdisk writes, or,
// for sectors of 4096 bytes, fdisk: the script is then what one would type.
func newDisk(t testing.TB, size int64, sector int, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.img")
	check(t, os.WriteFile(path, nil, 0o600))
	check(t, os.Truncate(path, size))
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
func fdiskTable(t testing.TB, path string, sector int64) (list []partition) {
	t.Helper()
	out := run(t, "fdisk", "-b", strconv.FormatInt(sector, 10), "-l", "-o", "Device,Start,Sectors,Type", path)
	for _, m := range partitionLine.FindAllStringSubmatch(out, -1) {
		if m[4] == "Extended" {
			continue
		}
		var n [3]int64
		for i := range n {
			var err error
			n[i], err = strconv.ParseInt(m[i+1], 10, 64)
			check(t, err)
		}
		list = append(list, partition{int(n[0]), volume.Extent{Offset: n[1] * sector, Length: n[2] * sector}})
	}
	return list
}

func TestPartitions(t *testing.T) {
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
			src := source(t, path)
			src.SectorSize = c.sector
			got, ok := partitions(src)
			slices.SortFunc(got, func(a, b partition) int { return cmp.Compare(a.number, b.number) })
			if !ok || !slices.Equal(got, want) {
				t.Errorf("%v, %v; fdisk reads %v", got, ok, want)
			}
		})
	}
}

// A copy of a 4096-byte disk in a file is read with the sectors that it had.
func TestForeignSectorSize(t *testing.T) {
	t.Parallel()
	path := newDisk(t, 96<<20, 4096, "g\nn\n1\n\n+16M\nw\n")
	if got, _ := partitions(source(t, path)); !slices.Equal(got, fdiskTable(t, path, 4096)) {
		t.Errorf("%v", got)
	}
}

func patch(t testing.TB, path string, at int64, data ...byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	check(t, err)
	_, err = f.WriteAt(data, at)
	check(t, err)
	check(t, f.Close())
}

// Reads of a window give the same bytes whatever their alignment, though the
// source takes whole sectors only.
func TestWindow(t *testing.T) {
	t.Parallel()
	content := make([]byte, 10*4096)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range content {
		content[i] = byte(random.Uint32())
	}
	w := window{Source{strict{bytes.NewReader(content), t}, int64(len(content)), 4096}, 2 * 4096, 5 * 4096}
	want := content[2*4096 : 7*4096]
	for range 2000 {
		at := random.IntN(len(want) + 1)
		p := make([]byte, random.IntN(3*4096))
		n, err := w.ReadAt(p, int64(at))
		if end := at+len(p) > len(want); end != (err != nil) || n != min(len(p), len(want)-at) || !bytes.Equal(p[:n], want[at:at+n]) {
			t.Fatalf("%d bytes at %d: %d, %v", len(p), at, n, err)
		}
	}
}

type strict struct {
	*bytes.Reader
	t *testing.T
}

func (s strict) ReadAt(p []byte, at int64) (int, error) {
	if at%4096 != 0 || len(p)%4096 != 0 {
		s.t.Errorf("%d bytes at %d are no whole sectors", len(p), at)
	}
	return s.Reader.ReadAt(p, at)
}

// FuzzLook lays fuzzed bytes over the beginning of a disk.
func FuzzLook(f *testing.F) {
	const fuzzDisk = 128 << 10
	for _, script := range []string{
		"label: dos\nstart=64,size=16,type=7\nstart=96,size=64,type=5\nstart=100,size=8,type=7\n",
		"label: gpt\nfirst-lba: 34\nstart=64,size=16\nstart=96,size=32\n",
	} {
		raw, err := os.ReadFile(newDisk(f, fuzzDisk, 512, script))
		check(f, err)
		f.Add(raw[:8192], uint16(0))
		f.Add(raw[:8192], uint16(96))
	}
	f.Fuzz(func(t *testing.T, table []byte, at uint16) {
		disk := make([]byte, fuzzDisk)
		copy(disk, table)
		copy(disk[int64(at)*512%int64(len(disk)):], table)
		src := Source{bytes.NewReader(disk), int64(len(disk)), 512}
		list, _ := partitions(src)
		for _, p := range list {
			if p.number < 1 || p.Offset <= 0 || p.Length <= 0 || p.End() > src.Bytes {
				t.Errorf("%+v", p)
			}
		}
		if _, err := Look(src, Options{}); err == nil {
			t.Error("a Windows was found")
		}
	})
}
