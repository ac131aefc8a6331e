package capture

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
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

// starts are where fdisk sees the partitions of a disk begin, bytes.
func starts(t testing.TB, path string) (list []int64) {
	t.Helper()
	_, table, _ := strings.Cut(run(t, "fdisk", "-l", "-o", "Start", path), "Start\n")
	for _, line := range strings.Fields(table) {
		if n, err := strconv.ParseInt(line, 10, 64); err == nil {
			list = append(list, n*512)
		}
	}
	return list
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
		if _, err := Look(src, Options{}); err == nil {
			t.Error("a Windows was found")
		}
	})
}
