package stick

import (
	"bytes"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Where a cache runs full, the fault says so and nothing is left.
func TestPrepareCacheFull(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("a small filesystem can be mounted by root alone")
	}
	image := writeImage(t, smallWindows(t, map[string][]byte{"Windows/big": bytes.Repeat([]byte("0123456789abcdef"), 1<<20)}))
	for _, size := range []string{"8m", "1m", "80m"} {
		dir := t.TempDir()
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		_, err := Prepare(t.Context(), dir, specFor(image, protocol.LayoutMBRDual), nil)
		if f := protocol.AsFault(err); f == nil || f.Code != protocol.FaultCacheFull || f.Params["free_bytes"] == "" {
			t.Errorf("%s: %v", size, err)
		}
		onlyLocks(t, dir)
	}
}
