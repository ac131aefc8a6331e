package disk

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/windows"

	"github.com/stickpress/stickpress/agent/protocol"
)

// What is opened to be read cannot be written, through the Handle or past it;
// nor can anybody else meanwhile.
func TestVirtualRead(t *testing.T) {
	dir := folder(t)
	path := filepath.Join(dir, "stick-1.img")
	sparse(t, path, 1<<20)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte("0123456789abcde\n"), 256)
	_, err = f.WriteAt(want, 4096)
	if err := errors.Join(err, f.Close(), os.Chmod(path, 0o400)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(path, 0o600) })
	l := &Lister{VirtualDir: dir}
	d := only(t, l)
	if d.Writable() {
		t.Fatalf("write-protected and small, and offered: %+v", d)
	}
	if _, err := l.Open(t.Context(), d.Identity); code(err) != protocol.FaultReadOnly {
		t.Errorf("opened for writing: %v", err)
	}
	h, err := l.OpenToRead(t.Context(), d.Identity)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if _, err := h.ReadAt(got, 4096); err != nil || !bytes.Equal(got, want) {
		t.Errorf("read something else: %v", err)
	}
	if _, err := h.WriteAt(got, 0); code(err) != protocol.FaultReadOnly {
		t.Errorf("write: %v", err)
	}
	if err := h.Discard(0, 4096); code(err) != protocol.FaultReadOnly {
		t.Errorf("discard: %v", err)
	}
	if _, err := writeAt(h.disk, aligned(4096), 0); !errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		t.Errorf("a write past the handle: %v", err)
	}
	if _, err := l.OpenToRead(t.Context(), d.Identity); code(err) != protocol.FaultDeviceBusy {
		t.Errorf("opened twice: %v", err)
	}
	if _, err := openPath(path, windows.GENERIC_WRITE); err == nil {
		t.Error("somebody else may write")
	}
	if err := errors.Join(h.Check(), h.Sync(), h.Close()); err != nil {
		t.Error(err)
	}
	if h.touched.Load() {
		t.Error("it counts as touched")
	}
}

func TestVirtualBlink(t *testing.T) {
	dir := folder(t)
	path := filepath.Join(dir, "stick-1.img")
	sparse(t, path, MinBytes)
	l := &Lister{VirtualDir: dir}
	id := only(t, l).Identity
	ctx, cancel := context.WithCancel(t.Context())
	b := &blinker{}
	b.each = func() {
		if b.pauses == 3 {
			cancel()
		}
	}
	if err := l.Blink(ctx, id, b.Now, b.pause); err != nil || b.pauses != 3 {
		t.Errorf("%d pauses, %v", b.pauses, err)
	}
	// An attempt that takes the stick ends it.
	b = &blinker{each: func() {
		h, err := l.Open(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
	}}
	if err := l.Blink(t.Context(), id, b.Now, b.pause); code(err) != protocol.FaultDeviceBusy || b.pauses != 1 {
		t.Errorf("%d pauses, %v", b.pauses, err)
	}
	other := id
	other.Connection++
	if err := l.Blink(t.Context(), other, b.Now, b.pause); code(err) != protocol.FaultDeviceChanged {
		t.Errorf("another connection: %v", err)
	}
	other.Port = "none.img"
	if err := l.Blink(t.Context(), other, b.Now, b.pause); code(err) != protocol.FaultDeviceGone {
		t.Errorf("none: %v", err)
	}
}
