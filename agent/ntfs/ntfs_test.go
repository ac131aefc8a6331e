package ntfs

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
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

// run calls a foreign tool; a missing one fails the test.
func runTool(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, stderr.Bytes())
	}
	return string(out)
}

// newVolume makes a volume with a few hundred files by foreign tools: a
// directory large enough for a B-tree of index blocks, a file with so many
// hard links that its attributes need a list, plain and resident contents.
func newVolume(t *testing.T, sectorSize int) string {
	t.Helper()
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	write := func(path string, data []byte) {
		path = filepath.Join(tree, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 400 {
		write(fmt.Sprintf("Windows/many/a rather long file name, number %04d.txt", i), []byte(strconv.Itoa(i)))
	}
	write("Windows/Panther/unattend.xml", bytes.Repeat([]byte(" "), 64<<10))
	write("Windows/System32/config/SYSTEM", bytes.Repeat([]byte("hive"), 50_000))
	write("Windows/Ärger/Grün.txt", []byte("resident"))
	write("linked/0", bytes.Repeat([]byte("linked"), 5000))
	for i := 1; i < 40; i++ {
		if err := os.Link(filepath.Join(tree, "linked/0"), filepath.Join(tree, fmt.Sprintf("linked/another name of that file %d", i))); err != nil {
			t.Fatal(err)
		}
	}
	image, wim := filepath.Join(dir, "volume.img"), filepath.Join(dir, "tree.wim")
	if err := os.WriteFile(image, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 256<<20); err != nil {
		t.Fatal(err)
	}
	runTool(t, "mkntfs", "-F", "-Q", "-q", "-s", strconv.Itoa(sectorSize), "-p", "2048", "-H", "255", "-S", "63", image)
	runTool(t, "wimlib-imagex", "capture", tree, wim, "--compress=none")
	runTool(t, "wimlib-imagex", "apply", wim, "1", image)
	return image
}

func openVolume(t *testing.T, image string) (*Volume, *os.File) {
	t.Helper()
	f, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	v, err := Open(f)
	if err != nil {
		t.Fatal(err)
	}
	return v, f
}

func TestVolume(t *testing.T) {
	t.Parallel()
	for _, sectorSize := range []int{512, 4096} {
		t.Run(strconv.Itoa(sectorSize), func(t *testing.T) {
			t.Parallel()
			image := newVolume(t, sectorSize)
			v, f := openVolume(t, image)
			if v.SectorSize() != sectorSize || v.Size() != 256<<20 || v.ClusterSize() != 4096 {
				t.Errorf("sector %d, size %d, cluster %d", v.SectorSize(), v.Size(), v.ClusterSize())
			}
			t.Run("used", func(t *testing.T) { checkUsed(t, v, image) })
			t.Run("content", func(t *testing.T) { checkContent(t, v, image) })
			t.Run("names", func(t *testing.T) { checkNames(t, v) })
			t.Run("descriptor", func(t *testing.T) { checkDescriptor(t, v, f) })
			t.Run("serial", func(t *testing.T) { checkSerial(t, v, f) })
		})
	}
}

// checkUsed compares with the bitmap that ntfscat reads.
func checkUsed(t *testing.T, v *Volume, image string) {
	used, err := v.UsedExtents()
	if err != nil {
		t.Fatal(err)
	}
	bitmap := runTool(t, "ntfscat", "-f", "-i", "6", image)
	inUse := func(offset int64) bool {
		return slices.ContainsFunc(used, func(e volume.Extent) bool { return e.Offset <= offset && offset < e.End() })
	}
	for c := range v.clusters {
		if want := bitmap[c/8]>>(c%8)&1 == 1; inUse(c*v.clusterSize) != want {
			t.Fatalf("cluster %d: used %v, bitmap says %v", c, !want, want)
		}
	}
	if last := used[len(used)-1]; last.End() != 256<<20 || last.Length != v.sectorSize {
		t.Errorf("backup boot sector at %v", last)
	}
}

// checkContent compares contents with ntfscat and places with ntfscluster.
func checkContent(t *testing.T, v *Volume, image string) {
	for _, path := range []string{"Windows/Panther/unattend.xml", "Windows/System32/config/SYSTEM", "Windows/Ärger/Grün.txt", "linked/0", "Windows/many/a rather long file name, number 0399.txt"} {
		want := runTool(t, "ntfscat", "-f", image, path)
		file, err := v.Find(strings.ToUpper(path))
		if err != nil {
			t.Fatal(err)
		}
		got, err := file.Read()
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want || file.size != int64(len(want)) {
			t.Errorf("%s: %d bytes, ntfscat has %d", path, len(got), len(want))
		}
		middle := make([]byte, len(want))
		if n, err := file.ReadAt(middle, int64(len(want)/2)); !errors.Is(err, io.EOF) || string(middle[:n]) != want[len(want)/2:] {
			t.Errorf("%s: %d bytes from the middle, %v", path, n, err)
		}
		extents, err := file.Extents()
		if file.resident != nil {
			if err == nil {
				t.Errorf("%s: a resident file has extents %v", path, extents)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		raw, err := volume.Read(v.r, extents)
		if err != nil || string(raw) != want {
			t.Errorf("%s: its extents hold something else: %v", path, err)
		}
		out := runTool(t, "ntfscluster", "-F", path, image)
		if first := extents[0].Offset / v.clusterSize; !strings.Contains(out, strconv.FormatInt(first, 10)) {
			t.Errorf("%s: ntfscluster does not name cluster %d:\n%s", path, first, out)
		}
	}
	if f, err := v.Find("Windows/Ärger/Grün.txt"); err != nil || f.resident == nil {
		t.Errorf("a file of 8 bytes is not resident: %v", err)
	}
	linked, err := v.Find("linked/0")
	if err != nil {
		t.Fatal(err)
	}
	rec, err := v.record(linked.number)
	if err != nil {
		t.Fatal(err)
	}
	if parts, err := v.listed(rec, attrData, ""); err != nil || parts == nil {
		t.Errorf("40 links fit into one record: the attribute list is not tested (%v)", err)
	}
}

func checkNames(t *testing.T, v *Volume) {
	entries, err := v.List("windows/MANY")
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, e := range entries {
		names[e.Name] = true
	}
	for i := range 400 {
		if name := fmt.Sprintf("a rather long file name, number %04d.txt", i); !names[name] {
			t.Errorf("%q is missing", name)
		}
	}
	if len(entries) != 400 {
		t.Errorf("%d entries", len(entries))
	}
	if stored, err := v.Stored("WINDOWS/äRGER/gRÜN.TXT"); err != nil || stored != "Windows/Ärger/Grün.txt" {
		t.Errorf("stored as %q, %v", stored, err)
	}
	for _, path := range []string{"Windows/none", "none/at all", "Windows/System32/config/SYSTEM/below"} {
		if _, err := v.Find(path); !errors.Is(err, ErrNotFound) {
			t.Errorf("Find(%q): %v", path, err)
		}
	}
	if same, err := v.Variants("Windows/Panther", "UNATTEND.XML"); err != nil || !slices.Equal(same, []string{"unattend.xml"}) {
		t.Errorf("variants %q, %v", same, err)
	}
}

// checkDescriptor patches both kinds of descriptor and asks ntfssecaudit.
func checkDescriptor(t *testing.T, v *Volume, f *os.File) {
	image := f.Name()
	// Version 3 of $STANDARD_INFORMATION, with a shared descriptor.
	runTool(t, "ntfssecaudit", image, "0644", "Windows/System32/config/SYSTEM")
	for path, directory := range map[string]bool{"Windows/Panther/unattend.xml": false, "Windows/System32/config/SYSTEM": false, "Windows/Panther": true} {
		before := runTool(t, "ntfssecaudit", "-v", image, path)
		if shared := !strings.Contains(before, "Security key : none"); shared != strings.HasSuffix(path, "SYSTEM") {
			t.Fatalf("%s: the two kinds are not both tested:\n%s", path, before)
		}
		file, err := v.Find(path)
		if err != nil {
			t.Fatal(err)
		}
		want := SystemAndAdministrators(directory)
		patches, err := v.SetDescriptor(file, want)
		if err != nil {
			t.Fatal(err)
		}
		if err := volume.Apply(f, patches); err != nil {
			t.Fatal(err)
		}
		out := runTool(t, "ntfssecaudit", "-v", image, path)
		if !strings.Contains(out, "No errors were found") || !strings.Contains(out, "owner S-1-5-32-544") ||
			!strings.Contains(out, "group S-1-5-18") || !strings.Contains(auditBytes(out), hex.EncodeToString(want)) {
			t.Errorf("%s: ntfssecaudit says\n%s\nwant %x", path, out, want)
		}
		if again, err := v.SetDescriptor(file, want); err != nil || len(again) != 1 {
			t.Errorf("%s: a second descriptor: %v", path, err)
		}
	}
	runTool(t, "ntfsfix", "-n", image)
	if data := runTool(t, "ntfscat", image, "Windows/System32/config/SYSTEM"); data != strings.Repeat("hive", 50_000) {
		t.Error("the file's content changed")
	}
	info := runTool(t, "ntfsinfo", "-F", "Windows/Panther/unattend.xml", image)
	for _, want := range []string{"SID: S-1-5-18", "SID: S-1-5-32-544", "End of inode reached"} {
		if !strings.Contains(info, want) {
			t.Errorf("ntfsinfo lacks %q:\n%s", want, info)
		}
	}
	if strings.Contains(info, "S-1-1-0") {
		t.Error("Everyone still has access")
	}
}

var auditWords = regexp.MustCompile(`(?m)^[ \t]+[0-9a-f]{6}((?:[ \t]+[0-9a-f]{8})+)[ \t]*$`)

// auditBytes joins the descriptor that ntfssecaudit -v dumps as 32-bit words.
func auditBytes(out string) string {
	var all strings.Builder
	for _, m := range auditWords.FindAllStringSubmatch(out, -1) {
		for _, w := range strings.Fields(m[1]) {
			all.WriteString(w)
		}
	}
	return all.String()
}

func checkSerial(t *testing.T, v *Volume, f *os.File) {
	boot, backup := make([]byte, 512), make([]byte, 512)
	for _, at := range v.SerialOffsets() {
		if _, err := f.WriteAt([]byte{0xEF, 0xCD, 0xAB, 0x89, 0x67, 0x45, 0x23, 0x01}, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.ReadAt(boot, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadAt(backup, 256<<20-v.sectorSize); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(boot, backup) {
		t.Error("the backup boot sector differs")
	}
	if out := runTool(t, "blkid", "-p", "-o", "value", "-s", "UUID", f.Name()); strings.TrimSpace(out) != "0123456789ABCDEF" {
		t.Errorf("blkid reads serial %s", out)
	}
}

func TestNoVolume(t *testing.T) {
	t.Parallel()
	if _, err := Open(bytes.NewReader(make([]byte, 8192))); !errors.Is(err, ErrCorrupt) {
		t.Errorf("zeros: %v", err)
	}
	if _, err := Open(bytes.NewReader(nil)); err == nil {
		t.Error("an empty file was opened")
	}
}
