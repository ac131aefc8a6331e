package wim

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

func TestDISMCapture(t *testing.T) {
	t.Parallel()
	var got []int64
	d := dismSays("\r\nSaving image\r\n[==   50.0%    ]\r\nThe operation completed successfully.\r\n", 0)
	d.Dir = t.TempDir()
	err := d.Capture(t.Context(), `C:\m`, `C:\a.wim`, []string{`\pagefile.sys`, "*.mp3"}, Properties{Name: "n"}, 2000,
		func(done, total int64) { got = append(got, done, total) })
	if want := []int64{1000, 2000, 2000, 2000}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%d, %v", got, err)
	}
	list, err := os.ReadFile(filepath.Join(d.Dir, CaptureConfig))
	if want := "[ExclusionList]\r\n\\pagefile.sys\r\n*.mp3\r\n"; err != nil || string(list) != want {
		t.Errorf("%q, %v", list, err)
	}
	for status, full := range map[int]bool{87: false, 13: false, 0x80070070: true} {
		d := dismSays("Error: it", status)
		d.Dir = t.TempDir()
		err := d.Capture(t.Context(), `C:\m`, `C:\a.wim`, nil, Properties{Name: "n"}, 1, func(int64, int64) {})
		if f := protocol.AsFault(err); f.Code != protocol.FaultTool || errors.Is(err, syscall.ENOSPC) != full {
			t.Errorf("%#x: %v", status, err)
		}
	}
}

// A list beyond ASCII is in UTF-16, as the tools of Windows know it.
func TestListFile(t *testing.T) {
	t.Parallel()
	raw := listFile([]string{`\Größe 山`})
	if !bytes.HasPrefix(raw, []byte{0xFF, 0xFE, '[', 0}) || !bytes.Contains(raw, []byte{'G', 0, 'r', 0, 0xF6, 0, 0xDF, 0, 'e', 0, ' ', 0, 0x71, 0x5C, '\r', 0, '\n', 0}) {
		t.Errorf("%q", raw)
	}
	dir := t.TempDir()
	tree, list, out := filepath.Join(dir, "tree"), filepath.Join(dir, "list"), filepath.Join(dir, "out.wim")
	for _, name := range []string{"Größe 山", "other"} {
		if err := errors.Join(os.MkdirAll(tree, 0o755), os.WriteFile(filepath.Join(tree, name), nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(list, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	runTool(t, "wimlib-imagex", "capture", tree, out, "--config="+list)
	if names := runTool(t, "wimlib-imagex", "dir", out, "1"); names != "/\n/other\n" {
		t.Errorf("in the image: %q", names)
	}
}
