package kill

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/protocol"
)

// tool runs a foreign program, which must succeed, and returns what it said.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// allocated is how many bytes of a sparse file lie on the disk.
func allocated(t *testing.T, path string) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatalf("stat %s: %v", path, err)
	}
	return st.Blocks * 512
}

// trace changes when anything is written to a file.
func trace(t *testing.T, path string) string {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatalf("stat %s: %v", path, err)
	}
	return fmt.Sprintf("written at %d.%09d, %d blocks", st.Mtim.Sec, st.Mtim.Nsec, st.Blocks)
}

// hasTable reports whether the first sector is marked as startable.
func hasTable(t *testing.T, path string) bool {
	t.Helper()
	b := make([]byte, 512)
	readAt(t, path, b, 0)
	return b[510] == 0x55 && b[511] == 0xAA
}

func readAt(t *testing.T, path string, b []byte, offset int64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(b, offset); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}

// checkNoTable lets sfdisk look for a partition table, and looks itself for
// what could be taken for one: both ends are zeros.
func checkNoTable(t *testing.T, path string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sfdisk", "--json", path).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "does not contain a recognized partition table") {
		t.Errorf("sfdisk finds a table on %s: %v\n%s", path, err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, offset := range []int64{0, info.Size() - mib} {
		b := make([]byte, mib)
		readAt(t, path, b, offset)
		if bytes.ContainsFunc(b, func(r rune) bool { return r != 0 }) {
			t.Errorf("%s: the MiB at %d is not empty", path, offset)
		}
	}
}

// partition is one entry of sfdisk's table, in sectors.
type partition struct {
	Start, Size int64
	Type        string
	Bootable    bool
	Attrs       string
}

// checkStick lets foreign tools check a finished stick.
func checkStick(t *testing.T, path, layout string) {
	t.Helper()
	if out := tool(t, "sfdisk", "--verify", path); !strings.Contains(out, "No errors detected") {
		t.Errorf("sfdisk --verify: %s", out)
	}
	parts := partitions(t, path)
	var types []string
	for _, p := range parts {
		types = append(types, p.Type)
	}
	want, fat, ntfs := []string{"c", "7"}, 0, 1
	if layout == protocol.LayoutGPTUEFI {
		want = []string{"C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "E3C9E316-0B5C-4DB8-817D-F92DF00215AE", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"}
		ntfs = 2
		if out := tool(t, "sgdisk", "-v", path); !strings.Contains(out, "No problems found") {
			t.Errorf("sgdisk -v: %s", out)
		}
	}
	if !slices.Equal(types, want) {
		t.Fatalf("%s (%s) has partitions %+v", path, layout, parts)
	}
	if layout == protocol.LayoutMBRDual && (!parts[0].Bootable || parts[1].Bootable) {
		t.Errorf("%s: active partitions %+v", path, parts)
	}
	if layout == protocol.LayoutGPTUEFI && !strings.Contains(parts[ntfs].Attrs, "GUID:63") {
		t.Errorf("%s: partitions %+v", path, parts)
	}
	system, windows := extract(t, path, parts[fat]), extract(t, path, parts[ntfs])
	defer func() { _ = errors.Join(os.Remove(system), os.Remove(windows)) }()
	tool(t, "fsck.fat", "-n", system)
	tool(t, "ntfsfix", "-n", windows)
	if answer := tool(t, "ntfscat", "-f", windows, "/Windows/Panther/unattend.xml"); !strings.Contains(answer, "<unattend") {
		t.Errorf("%s: the answer file is %q", path, answer)
	}
	tool(t, "mtype", "-i", system, "::/EFI/Microsoft/Boot/BCD")
}

func partitions(t *testing.T, path string) []partition {
	t.Helper()
	var table struct {
		PartitionTable struct{ Partitions []partition }
	}
	out, err := exec.CommandContext(t.Context(), "sfdisk", "--json", path).Output()
	if err == nil {
		err = json.Unmarshal(out, &table)
	}
	if err != nil {
		t.Fatalf("sfdisk --json %s: %v", path, err)
	}
	return table.PartitionTable.Partitions
}

// extract copies a partition into a sparse file of its own, since most tools
// take no offset. Holes of the stick stay holes.
func extract(t *testing.T, path string, p partition) string {
	t.Helper()
	from, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.Create(filepath.Join(t.TempDir(), "partition.img"))
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	start, end := p.Start*512, (p.Start+p.Size)*512
	if err := to.Truncate(end - start); err != nil {
		t.Fatal(err)
	}
	eachData(t, from, start, end, func(at, size int64) {
		if _, err := io.Copy(io.NewOffsetWriter(to, at-start), io.NewSectionReader(from, at, size)); err != nil {
			t.Fatal(err)
		}
	})
	return to.Name()
}

// contentOf is the SHA-256 of what lies on a stick and where.
func contentOf(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	eachData(t, f, 0, info.Size(), func(at, size int64) {
		fmt.Fprintln(sum, at, size)
		if _, err := io.Copy(sum, io.NewSectionReader(f, at, size)); err != nil {
			t.Fatal(err)
		}
	})
	return hex.EncodeToString(sum.Sum(nil))
}

// eachData visits what is no hole between two places of a file.
func eachData(t *testing.T, f *os.File, start, end int64, visit func(at, size int64)) {
	t.Helper()
	for at := start; at < end; {
		data, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) || data >= end {
			return
		}
		hole, holeErr := unix.Seek(int(f.Fd()), data, unix.SEEK_HOLE)
		if err := errors.Join(err, holeErr); err != nil {
			t.Fatal(err)
		}
		at = min(hole, end)
		visit(data, at-data)
	}
}
