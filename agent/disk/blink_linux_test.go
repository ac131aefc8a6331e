package disk

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

// transfers are how often a disk was read and written (kernel:
// Documentation/block/stat.rst).
func transfers(t *testing.T, node string) (reads, writes int) {
	t.Helper()
	f := strings.Fields(readText("/sys/block/"+filepath.Base(node), "stat"))
	reads, _ = strconv.Atoi(f[0])
	writes, _ = strconv.Atoi(f[4])
	return reads, writes
}

func TestBlink(t *testing.T) {
	t.Parallel()
	l := loops()
	node := attach(t, sparse(t, 29*gib))
	id := device(t, l, node).Identity
	reads, writes := transfers(t, node)
	ctx, cancel := context.WithCancel(t.Context())
	b := &blinker{}
	b.each = func() {
		if b.pauses == 3 {
			cancel()
		}
	}
	if err := l.Blink(ctx, id, b.Now, b.pause); err != nil || b.pauses != 3 {
		t.Fatalf("%d pauses, %v", b.pauses, err)
	}
	if r, w := transfers(t, node); r-reads < 3*8 || w != writes {
		t.Errorf("%d reads, %d writes", r-reads, w-writes)
	}

	// An attempt that takes the stick ends it.
	b = &blinker{each: func() { openLoop(t, l, node) }}
	faultIs(t, l.Blink(t.Context(), id, b.Now, b.pause), protocol.FaultDeviceBusy)
	if b.pauses != 1 {
		t.Errorf("%d pauses", b.pauses)
	}
}

func TestBlinkRefusals(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	l := tr.lister()
	b := &blinker{}
	internal := device(t, l, "sda").Identity
	faultIs(t, l.Blink(t.Context(), internal, b.Now, b.pause), protocol.FaultNotRemovable)
	other := device(t, l, "sdb").Identity
	other.Connection++
	faultIs(t, l.Blink(t.Context(), other, b.Now, b.pause), protocol.FaultDeviceChanged)
	other.Port = "9-9"
	faultIs(t, l.Blink(t.Context(), other, b.Now, b.pause), protocol.FaultDeviceGone)

	l = &Lister{VirtualDir: t.TempDir()}
	path := filepath.Join(l.VirtualDir, "stick-1.img")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	id := device(t, l, "stick-1.img").Identity
	b.each = func() { _ = os.Remove(path) }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Blink(ctx, id, b.Now, b.pause); err != nil {
		t.Errorf("that was over before it began: %v", err)
	}
}
