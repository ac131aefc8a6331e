package fat

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/volume"
)

func runTool(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "MTOOLSRC=/dev/null", "MTOOLS_SKIP_CHECK=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func TestVolume(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		size       int64
		sectorSize int
		hidden     int64
	}{{350 << 20, 512, 2048}, {260 << 20, 512, 2048}, {260 << 20, 4096, 256}} {
		t.Run(fmt.Sprintf("%d of %d", c.size>>20, c.sectorSize), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			tree, image := filepath.Join(dir, "tree"), filepath.Join(dir, "fat.img")
			files := map[string][]byte{
				"EFI/Microsoft/Boot/BCD":                           bytes.Repeat([]byte("store"), 5000),
				"EFI/Microsoft/Boot/zh-CN/bootmgfw.efi.mui":        []byte("x"),
				"EFI/Boot/bootx64.efi":                             bytes.Repeat([]byte("loader"), 200_000),
				"EFI/Microsoft/Boot/Fonts/wgl4_boot.ttf":           bytes.Repeat([]byte("f"), 4096),
				"EFI/Microsoft/Boot/empty":                         nil,
				"EFI/Microsoft/Boot/a much longer file name ü.txt": []byte("long"),
			}
			for i := range 300 {
				files[fmt.Sprintf("many/file with number %d", i)] = []byte(strconv.Itoa(i))
			}
			for path, data := range files {
				path = filepath.Join(tree, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := Make(t.Context(), image, tree, Options{Size: c.size, SectorSize: c.sectorSize, Hidden: c.hidden, Label: "UFD-SYSTEM"}); err != nil {
				t.Fatal(err)
			}
			runTool(t, "fsck.fat", "-n", image)
			if c.sectorSize == 512 { // minfo reads no larger sectors
				if out := runTool(t, "minfo", "-i", image, "::"); !regexp.MustCompile(fmt.Sprintf(`hidden sectors: %d\b`, c.hidden)).MatchString(out) ||
					!strings.Contains(out, "FAT32") {
					t.Errorf("minfo:\n%s", out)
				}
			}
			f, err := os.OpenFile(image, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			v, err := Open(f)
			if err != nil {
				t.Fatal(err)
			}
			checkFiles(t, v, files)
			checkUsed(t, v, image, dir, c.size)
			checkSerial(t, v, f)
			checkLabel(t, v, f)
		})
	}
}

func checkFiles(t *testing.T, v *Volume, files map[string][]byte) {
	for path, want := range files {
		file, err := v.Find(strings.ToUpper(path))
		if err != nil {
			t.Fatal(err)
		}
		extents, err := file.Extents()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := volume.Read(v.r, extents); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, want %d; %v", path, len(got), len(want), err)
		}
	}
	for _, path := range []string{"EFI/none", "none/x", "EFI/Boot/bootx64.efi/x"} {
		if _, err := v.Find(path); !errors.Is(err, ErrNotFound) {
			t.Errorf("Find(%q): %v", path, err)
		}
	}
}

// checkUsed copies the used extents alone onto old bytes: a volume made of
// those must satisfy fsck.fat and hold the same files, so nothing is missing;
// and fsck.fat's count of clusters says that nothing is too much.
func checkUsed(t *testing.T, v *Volume, image, dir string, size int64) {
	used := v.UsedExtents()
	dirty, err := os.Create(filepath.Join(dir, "dirty.img"))
	if err != nil {
		t.Fatal(err)
	}
	defer dirty.Close()
	old := bytes.Repeat([]byte{0xA5}, 1<<20)
	for at := int64(0); at < 4*used[len(used)-1].End() && at < size; at += 1 << 20 {
		if _, err := dirty.WriteAt(old, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := dirty.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for _, e := range used {
		data, err := volume.Read(v.r, []volume.Extent{e})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dirty.WriteAt(data, e.Offset); err != nil {
			t.Fatal(err)
		}
	}
	report := runTool(t, "fsck.fat", "-n", "-v", dirty.Name())
	if v.sectorSize == 512 {
		for _, path := range []string{"EFI/Boot/bootx64.efi", "many/file with number 299"} {
			if a, b := runTool(t, "mtype", "-i", image, "::/"+path), runTool(t, "mtype", "-i", dirty.Name(), "::/"+path); a != b || a == "" {
				t.Errorf("%s differs on a volume of used extents", path)
			}
		}
	}
	m := regexp.MustCompile(`(\d+)/(\d+) clusters`).FindStringSubmatch(report)
	if m == nil {
		t.Fatalf("fsck.fat names no clusters:\n%s", report)
	}
	clusters, _ := strconv.ParseInt(m[1], 10, 64)
	if got := (volume.Total(used) - v.data) / v.clusterSize; got != clusters {
		t.Errorf("%d clusters in use, fsck.fat counts %d", got, clusters)
	}
	if !slices.IsSortedFunc(used, func(a, b volume.Extent) int { return int(a.Offset - b.Offset) }) {
		t.Error("extents are not sorted")
	}
}

func checkSerial(t *testing.T, v *Volume, f *os.File) {
	offsets := v.SerialOffsets()
	if len(offsets) != 2 {
		t.Fatalf("serial at %v", offsets)
	}
	for _, at := range offsets {
		if _, err := f.WriteAt([]byte{0x78, 0x56, 0x34, 0x12}, at); err != nil {
			t.Fatal(err)
		}
	}
	if out := runTool(t, "blkid", "-p", "-o", "value", "-s", "UUID", f.Name()); strings.TrimSpace(out) != "1234-5678" {
		t.Errorf("blkid reads serial %s", out)
	}
	// fsck.fat compares the boot sector with its backup.
	runTool(t, "fsck.fat", "-n", f.Name())
}

func checkLabel(t *testing.T, v *Volume, f *os.File) {
	offsets, err := v.LabelOffsets()
	if err != nil || len(offsets) != 3 {
		t.Fatalf("label at %v: %v", offsets, err)
	}
	label, err := EncodeLabel("UFD-7Q4K2")
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range offsets {
		old := make([]byte, LabelBytes)
		if _, err := f.ReadAt(old, at); err != nil || string(old) != "UFD-SYSTEM " {
			t.Errorf("%q at %d: %v", old, at, err)
		}
		if _, err := f.WriteAt(label, at); err != nil {
			t.Fatal(err)
		}
	}
	for _, tag := range []string{"LABEL", "LABEL_FATBOOT"} { // the directory's, the boot sector's
		if out := runTool(t, "blkid", "-p", "-o", "value", "-s", tag, f.Name()); strings.TrimSpace(out) != "UFD-7Q4K2" {
			t.Errorf("blkid reads %s %q", tag, out)
		}
	}
	if out := runTool(t, "fsck.fat", "-n", f.Name()); strings.Contains(out, "differ") || strings.Contains(out, "label") {
		t.Errorf("fsck.fat:\n%s", out)
	}
	for _, bad := range []string{"twelve chars", "lower"} {
		if _, err := EncodeLabel(bad); err == nil {
			t.Errorf("%q is a label", bad)
		}
	}
}

func TestMakeTooSmall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tree, "big"), make([]byte, 300<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	err := Make(t.Context(), filepath.Join(dir, "fat.img"), tree, Options{Size: 260 << 20, SectorSize: 512, Hidden: 2048, Label: "UFD-SYSTEM"})
	if f := protocol.AsFault(err); f.Code != protocol.FaultTool || f.Params["tool"] != "mcopy" {
		t.Errorf("%v", err)
	}
}

func FuzzVolume(f *testing.F) {
	f.Add([]byte("EFI     \x20\x20\x20\x10"), []byte{0xff, 0xff, 0xff, 0x0f})
	f.Add(bytes.Repeat([]byte{0x41, 'a', 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f}, 30), []byte{3, 0, 0, 0, 2, 0, 0, 0})
	f.Fuzz(func(t *testing.T, root, table []byte) {
		image := make([]byte, 64<<10)
		image[bpbSectorSize+1], image[bpbClusterSize], image[bpbReserved], image[bpbFATs] = 2, 1, 8, 1
		image[bpbSectors], image[bpbFATSize], image[bpbRoot], image[bpbBackup] = 128, 1, 2, 6
		copy(image[bpbType:], "FAT32   ")
		image[bpbSignature], image[bpbSignature+1] = 0x55, 0xAA
		copy(image[8*512+8:9*512], table)
		copy(image[9*512:], root)
		v, err := Open(bytes.NewReader(image))
		if err != nil {
			t.Fatal(err)
		}
		v.UsedExtents()
		_, _ = v.LabelOffsets()
		if file, err := v.Find("EFI/Microsoft/Boot/BCD"); err == nil {
			_, _ = file.Extents()
		}
		if dir, err := v.Find(""); err == nil {
			files, _ := dir.List()
			for _, file := range files {
				_, _ = file.Extents()
			}
		}
	})
}

func FuzzBootSector(f *testing.F) {
	f.Add(make([]byte, 512))
	f.Fuzz(func(_ *testing.T, boot []byte) {
		image := make([]byte, 64<<10)
		copy(image, boot)
		copy(image[bpbType:], "FAT32   ")
		image[bpbSignature], image[bpbSignature+1] = 0x55, 0xAA
		if v, err := Open(bytes.NewReader(image)); err == nil {
			v.UsedExtents()
			_, _ = v.Find("EFI/Boot/bootx64.efi")
		}
	})
}
