package disk

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/protocol"
)

func openLoop(t *testing.T, l *Lister, node string) *Handle {
	t.Helper()
	h, err := l.Open(context.Background(), device(t, l, node).Identity)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func TestLoopSwappedBeforeOpen(t *testing.T) {
	t.Parallel()
	l := loops()
	var confirmed protocol.Identity
	for swapped := false; !swapped; {
		node := attach(t, sparse(t, 29*gib))
		confirmed = device(t, l, node).Identity
		run(t, "losetup", "--detach", node)
		// Somebody else may have taken the free node: then once more.
		file := sparse(t, 29*gib)
		swapped = exec.Command("losetup", node, file).Run() == nil
		if swapped {
			t.Cleanup(func() { run(t, "losetup", "--detach", node) })
		}
	}
	_, err := l.Open(context.Background(), confirmed)
	if f := faultIs(t, err, protocol.FaultDeviceChanged); f.Params["what"] != "connection" {
		t.Errorf("%v differs, want the connection", f.Params["what"])
	}
}

// What happens between Open and the first write stops the first write.
func TestLastCheckBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	t.Run("another user", func(t *testing.T) {
		t.Parallel()
		l := loops()
		node := attach(t, sparse(t, 29*gib))
		h := openLoop(t, l, node)
		attach(t, node)
		for range 2 {
			_, err := h.WriteAt(bytes.Repeat([]byte{1}, 4096), 0)
			faultIs(t, err, protocol.FaultHolders)
		}
		faultIs(t, h.Discard(0, 4096), protocol.FaultHolders)
		head := make([]byte, 4096)
		if _, err := h.ReadAt(head, 0); err != nil || !bytes.Equal(head, make([]byte, 4096)) {
			t.Errorf("the first sectors changed, or: %v", err)
		}
	})
	t.Run("another size", func(t *testing.T) {
		t.Parallel()
		l, file := loops(), sparse(t, 29*gib)
		node := attach(t, file)
		h := openLoop(t, l, node)
		if err := os.Truncate(file, 30*gib); err != nil {
			t.Fatal(err)
		}
		run(t, "losetup", "--set-capacity", node)
		_, err := h.WriteAt(make([]byte, 4096), 0)
		faultIs(t, err, protocol.FaultDeviceChanged)
	})
}

func TestHandleOnLoop(t *testing.T) {
	t.Parallel()
	l, file := loops(), sparse(t, 29*gib)
	node := attach(t, file)
	h := openLoop(t, l, node)
	if !h.direct || h.Size() != 29*gib || h.SectorSize() != 512 || h.Device().Path != node {
		t.Errorf("direct %v, %d bytes, sectors of %d, %s", h.direct, h.Size(), h.SectorSize(), h.Device().Path)
	}
	if d := device(t, l, node); !d.Busy || !d.Writable() || d.Identity != h.Device().Identity {
		t.Errorf("while open: busy %v, refusals %v", d.Busy, codes(d))
	}
	_, err := l.Open(context.Background(), h.Device().Identity)
	faultIs(t, err, protocol.FaultDeviceBusy)
	refused(t, loops(), node, protocol.FaultDeviceBusy) // another agent
	probe, err := os.Open(node)                         // udev, before it looks at a disk
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(probe.Fd()), unix.LOCK_SH|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("udev's lock: %v, want EWOULDBLOCK", err)
	}
	probe.Close()

	pattern := bytes.Repeat([]byte("Stickpress 0123\n"), 3<<20/16)
	for _, skew := range []int{0, 1, 512} { // aligned and unaligned buffers
		buffer := aligned(len(pattern) + 1024)[skew:][:len(pattern)]
		copy(buffer, pattern)
		at := int64(skew+1) * 8 << 20
		if n, err := h.WriteAt(buffer, at); n != len(pattern) || err != nil {
			t.Fatalf("write with skew %d: %d, %v", skew, n, err)
		}
		back := aligned(len(pattern) + 1024)[skew:][:len(pattern)]
		if n, err := h.ReadAt(back, at); n != len(pattern) || err != nil || !bytes.Equal(back, pattern) {
			t.Fatalf("read with skew %d: %d, %v", skew, n, err)
		}
	}
	for _, span := range [][2]int64{{1, 512}, {512, 100}, {-512, 512}, {29 * gib, 512}, {29*gib - 512, 1024}} {
		if _, err := h.WriteAt(make([]byte, span[1]), span[0]); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("write %d bytes at %d: %v, want invalid", span[1], span[0], err)
		}
	}
	if err := h.Discard(8<<20, 1<<20); err != nil {
		t.Errorf("discard: %v", err)
	}
	hole := make([]byte, 1<<20)
	if _, err := h.ReadAt(hole, 8<<20); err != nil || !bytes.Equal(hole, make([]byte, 1<<20)) {
		t.Errorf("discarded bytes: %v, or not zero", err)
	}
	// No loop device can.
	if err := h.SecureDiscard(8<<20, 1<<20); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("secure discard: %v", err)
	}
	if err := h.Eject(); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Errorf("close after eject: %v", err)
	}
	if _, err := h.WriteAt(make([]byte, 512), 0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("write after close: %v, want closed", err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	back := make([]byte, len(pattern))
	if _, err := f.ReadAt(back, 16<<20); err != nil || !bytes.Equal(back, pattern) {
		t.Errorf("the file beneath does not hold what was written: %v", err)
	}
	if d := device(t, l, node); d.Busy || !d.Writable() {
		t.Errorf("after eject: busy %v, refusals %v", d.Busy, codes(d))
	}
}

// The kernel forgets the partitions that it knew before the stick was written.
func TestEjectReadsTheTableAgain(t *testing.T) {
	t.Parallel()
	l := loops()
	node := attach(t, sparse(t, 29*gib))
	part := partition(t, node)
	h := openLoop(t, l, node)
	if _, err := h.WriteAt(make([]byte, 512), 0); err != nil {
		t.Fatal(err)
	}
	known := filepath.Join("/sys/class/block", filepath.Base(part))
	if _, err := os.Stat(known); err != nil {
		t.Errorf("the old partition before eject: %v", err)
	}
	if err := h.Eject(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(known); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old partition after eject: %v, want none", err)
	}
}

// The open descriptor must be the listed device even where everything that
// the device says of itself is the same.
func TestCheckLooksThroughTheDescriptor(t *testing.T) {
	t.Parallel()
	l := loops()
	node := attach(t, sparse(t, 29*gib))
	h := openLoop(t, l, node)
	good, err := l.find(h.Device().Identity)
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(h.file.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	if err := h.checkBlock(good, &st); err != nil {
		t.Fatal(err)
	}
	otherSeq := t.TempDir()
	if err := os.WriteFile(otherSeq+"/diskseq", []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*candidate, *unix.Stat_t){
		"node":       func(_ *candidate, st *unix.Stat_t) { st.Mode = unix.S_IFCHR },
		"number":     func(c *candidate, _ *unix.Stat_t) { c.num.minor++ },
		"connection": func(c *candidate, _ *unix.Stat_t) { c.sys = otherSeq },
		"bytes":      func(c *candidate, _ *unix.Stat_t) { c.Bytes++ },
	} {
		c, s := *good, st
		change(&c, &s)
		f := faultIs(t, h.checkBlock(&c, &s), protocol.FaultDeviceChanged)
		if got := f.Params["what"]; got != what {
			t.Errorf("%s differs, but %q is named", what, got)
		}
	}

	v := rack(t, "a.img")
	file := openVirtual(t, v, "a.img")
	c, err := v.find(file.Device().Identity)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Fstat(int(file.file.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	st.Ino++
	faultIs(t, file.checkFile(c, &st), protocol.FaultDeviceChanged)
}
