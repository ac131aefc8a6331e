package agent

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stickpress/stickpress/agent/capture"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
)

// capturing assigns a capture of one source.
func (h *host) capturing(o *protocol.CaptureOptions, id protocol.Identity, attempt int) {
	a := h.assignment("1-1")
	a.Kind, a.Options.Capture, a.Image, a.Recipe = protocol.JobCapture, o, protocol.Image{}, protocol.Recipe{}
	a.Builds[0].Identity, a.Builds[0].Attempt = id, attempt
	h.send(a)
}

// A source that must not be captured ends the attempt, untouched, with nothing
// left on the host; where all goes well is cmd/e2e/capture.
func TestCaptureRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		d := sticktest.New(8<<20, 512)
		h.rack.devices["1-1"].unused, h.rack.devices["1-1"].size = d, d.Size()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "empty.img"), make([]byte, 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		h.files = capture.Folders{dir}
		h.start()
		file := h.files.List()[0].Identity
		o := &protocol.CaptureOptions{Image: "i", Version: "1.0.0"}

		h.capturing(nil, file, 1)
		h.wantStory(ref(1, 1), "accepted failed:kind_unsupported:untouched")
		h.capturing(o, file, 2)
		h.wantStory(ref(1, 2), "accepted preflight< failed:capture_no_windows:untouched")
		h.capturing(o, identity("1-1"), 3)
		h.wantStory(ref(1, 3), "accepted preflight< failed:capture_no_windows:untouched")
		if len(d.Written()) != 0 || h.rack.devices["1-1"].open {
			t.Errorf("%d pages were written, open %v", len(d.Written()), h.rack.devices["1-1"].open)
		}
		h.capturing(&protocol.CaptureOptions{Exclude: "[x]"}, file, 4)
		h.wantStory(ref(1, 4), "accepted preflight< failed:exclusion_invalid:untouched")
		other := file
		other.Port = "/etc/passwd"
		h.capturing(o, other, 5)
		h.wantStory(ref(1, 5), "accepted preflight< failed:device_gone:untouched")
		if left, err := os.ReadDir(filepath.Join(h.data, "cache", "work")); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

// Files are offered beside the devices, and looked at again.
func TestFilesInTheInventory(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		dir := t.TempDir()
		h.files = capture.Folders{dir}
		h.start()
		if err := os.WriteFile(filepath.Join(dir, "new.vhdx"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		later(lookEvery)
		h.srv.mu.Lock()
		inv := h.srv.invs[len(h.srv.invs)-1]
		h.srv.mu.Unlock()
		if len(inv.Files) != 1 || inv.Files[0].Port != filepath.Join(dir, "new.vhdx") {
			t.Errorf("files are %+v", inv.Files)
		}
	})
}
