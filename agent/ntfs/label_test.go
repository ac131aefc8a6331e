package ntfs

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/volume"
)

// Labels of all lengths lie across the ends of strides too; ntfslabel reads
// what was put in their place, and ntfs-3g, which compares $MFTMirr, opens the
// volume.
func TestLabel(t *testing.T) {
	t.Parallel()
	for _, sectorSize := range []int{512, 4096} {
		t.Run(strconv.Itoa(sectorSize), func(t *testing.T) {
			displaced := false
			for _, n := range []int{1, 19, 40, 70, 90, 128} {
				displaced = relabel(t, sectorSize, n) || displaced
			}
			if !displaced {
				t.Error("no label lay across the end of a stride")
			}
		})
	}
}

// relabel replaces a label of n characters, and reports whether it lay across the
// end of a stride.
func relabel(t *testing.T, sectorSize, n int) (displaced bool) {
	t.Helper()
	image := filepath.Join(t.TempDir(), "volume.img")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 8<<20); err != nil {
		t.Fatal(err)
	}
	runTool(t, "mkntfs", "-F", "-Q", "-q", "-s", strconv.Itoa(sectorSize), "-p", "2048", "-H", "255", "-S", "63", "-L", strings.Repeat("x", n), image)
	v, f := openVolume(t, image)
	copies, err := v.LabelExtents()
	if err != nil {
		t.Fatal(err)
	}
	if len(copies) != 2 {
		t.Fatalf("%d copies", len(copies))
	}
	label := strings.Repeat("äZ9-", 32)
	label = string([]rune(label)[:n])
	for _, extents := range copies {
		patches, err := volume.Place(extents, EncodeLabel(label))
		if err != nil || volume.Total(extents) != int64(2*n) {
			t.Fatalf("%v: %v", extents, err)
		}
		if err := volume.Apply(f, patches); err != nil {
			t.Fatal(err)
		}
	}
	if out := strings.TrimSpace(runTool(t, "ntfslabel", image)); out != label {
		t.Errorf("%d characters: ntfslabel reads %q, want %q", n, out, label)
	}
	runTool(t, "ntfsfix", "-n", image)
	runTool(t, "ntfs-3g.probe", "--readwrite", image)
	return len(copies[0]) > 1
}
