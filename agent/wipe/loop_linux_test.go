package wipe

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/disk"
	"github.com/stickpress/stickpress/agent/protocol"
)

// openLoop returns a loop device full of old bytes, opened with all guards,
// and the file behind it.
func openLoop(t *testing.T, bytes int64) (*disk.Handle, string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("loop devices need root: run the tests as root or with sudo")
	}
	file := filepath.Join(t.TempDir(), "stick")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for at := int64(0); at < bytes; at += mib {
		if _, err := f.WriteAt([]byte(strings.Repeat("secret 7", mib/8)), at); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), "losetup", "--find", "--show", file).CombinedOutput()
	if err != nil {
		t.Fatalf("losetup: %v\n%s", err, out)
	}
	node := strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command("losetup", "--detach", node).Run() })
	l := &disk.Lister{AllowLoop: true}
	devices, err := l.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		if d.Path == node {
			h, err := l.Open(context.Background(), d.Identity)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { h.Close() })
			return h, file
		}
	}
	t.Fatalf("%s is not listed", node)
	return nil, ""
}

// A loop device forgets what is discarded, and its file has nothing left.
func TestDiscardOnLoop(t *testing.T) {
	t.Parallel()
	h, file := openLoop(t, 64*mib)
	w, r := newWipe(t, h, protocol.WipeAuto, 2)
	result, err := w.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := *result.Wipe; got.Method != protocol.WipeDiscard || got.Fallback != "" || got.Secure || got.BytesDiscarded != 64*mib {
		t.Errorf("%+v, log %v", got, r.codes)
	}
	left(t, h, file)
}

func TestOverwriteOnLoop(t *testing.T) {
	t.Parallel()
	h, file := openLoop(t, 64*mib)
	w, _ := newWipe(t, h, protocol.WipeOverwrite, 2)
	result, err := w.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if result.BytesWritten != 2*64*mib+4*edgeBytes || result.BytesVerified != 64*mib {
		t.Errorf("%+v", result)
	}
	left(t, h, file)
}

// left looks for old bytes behind the device.
func left(t *testing.T, h *disk.Handle, file string) {
	t.Helper()
	if err := h.Eject(); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) != 64*mib || bytes.Contains(b, []byte("secret 7")) {
		t.Errorf("the file of %d bytes still holds old content", len(b))
	}
}
