package wim

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

// A tree goes onto a volume by wimlib and comes back by Capture.
func TestCapture(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree, plain, volume := newTree(t), filepath.Join(dir, "plain.wim"), newVolume(t, 64<<20)
	for _, left := range []string{"PageFile.sys", "Windows/Temp/a.txt", "Windows/song.MP3", "System Volume Information/tracking.log"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(tree, left)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tree, left), []byte(left), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	runTool(t, "wimlib-imagex", "capture", tree, plain, "--compress=none")
	runTool(t, "wimlib-imagex", "apply", plain, "1", volume)
	before, err := os.ReadFile(volume)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out.wim")
	var last [2]int64
	exclude := []string{`\pagefile.sys`, `\windows\temp\*`, `*.mp3`, `\System Volume Information`}
	p := Properties{Name: "-name", Description: "what it is", XML: [][2]string{{"WINDOWS/ARCH", "9"}, {"DISPLAYNAME", "Größe"}}}
	err = Wimlib{}.Capture(t.Context(), volume, out, exclude, p, func(done, total int64) { last = [2]int64{done, total} })
	if err != nil {
		t.Fatal(err)
	}
	if last[0] == 0 || last[0] != last[1] {
		t.Errorf("progress ended at %v", last)
	}
	if after, err := os.ReadFile(volume); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the volume was changed: %v", err)
	}
	paths, err := Wimlib{}.List(t.Context(), Source{Path: out, Edition: 1})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"/Windows/Panther/Unattend.xml": true, "/Windows/Panther/unattend.XML": true, "/Windows/System32/config/SYSTEM": true, "/Windows/Temp": true,
		"/PageFile.sys": false, "/Windows/Temp/a.txt": false, "/Windows/song.MP3": false, "/System Volume Information": false,
	} {
		if slices.Contains(paths, path) != want {
			t.Errorf("%s in the image: %v", path, !want)
		}
	}
	info := runTool(t, "wimlib-imagex", "info", out, "1")
	for _, want := range []string{"-name\n", "what it is\n", "x86_64\n", "Größe\n"} {
		if !strings.Contains(info, want) {
			t.Errorf("no %q in\n%s", want, info)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "exclude-*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestCaptureRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	zeros := filepath.Join(dir, "zeros.img")
	if err := os.WriteFile(zeros, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	err := Wimlib{}.Capture(t.Context(), zeros, filepath.Join(dir, "out.wim"), nil, Properties{}, nil)
	if f := protocol.AsFault(err); f.Code != protocol.FaultTool {
		t.Errorf("no volume: %v", err)
	}
	if err := (Wimlib{}).Capture(t.Context(), dir, filepath.Join(dir, "out.wim"), nil, Properties{}, nil); err == nil || errors.As(err, new(*protocol.Fault)) {
		t.Errorf("a folder: %v", err)
	}
}
