package disk

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"github.com/stickpress/stickpress/agent/disk/drive"
	"github.com/stickpress/stickpress/agent/protocol"
)

// These run under Wine, too: cmd/e2e/wine builds and starts them.

// folder is t.TempDir() without os.RemoveAll, which Wine 8 cannot do.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "stickpress-disk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		files, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, f := range append(files, dir) {
			if err := os.Remove(f); err != nil {
				t.Error(err)
			}
		}
	})
	return dir
}

func sparse(t *testing.T, path string, size int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = control(windows.Handle(f.Fd()), drive.SetSparse, nil, 0)
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func code(err error) string {
	var f *protocol.Fault
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}

func only(t *testing.T, l *Lister) protocol.Device {
	t.Helper()
	list, err := l.List(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("%d devices: %v", len(list), err)
	}
	return list[0]
}

func TestVirtualStick(t *testing.T) {
	dir := folder(t)
	sparse(t, filepath.Join(dir, "stick-3.img"), MinBytes)
	l, other := &Lister{VirtualDir: dir}, &Lister{VirtualDir: dir, patience: 200 * time.Millisecond}
	d := only(t, l)
	if !d.Writable() || d.Serial != "VIRTUAL-0003" || d.Bytes != MinBytes || d.Busy {
		t.Fatalf("%+v", d)
	}
	wrong := d.Identity
	wrong.Connection++
	if _, err := l.Open(t.Context(), wrong); code(err) != protocol.FaultDeviceChanged {
		t.Errorf("another connection: %v", err)
	}

	h, err := l.Open(t.Context(), d.Identity)
	if err != nil {
		t.Fatal(err)
	}
	if d := only(t, l); !d.Busy {
		t.Errorf("held, and listed as %+v", d)
	}
	for _, who := range []*Lister{l, other} {
		if _, err := who.Open(t.Context(), d.Identity); code(err) != protocol.FaultDeviceBusy {
			t.Errorf("opened twice: %v", err)
		}
	}
	// Buffers that lie anywhere, and more than one of ours holds.
	want := bytes.Repeat([]byte("0123456789abcde\n"), 3<<16)
	if n, err := h.WriteAt(want, 4096); n != len(want) || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if err := errors.Join(h.Sync(), h.Check()); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want)+1)[1:]
	if _, err := h.ReadAt(got, 4096); err != nil || !bytes.Equal(got, want) {
		t.Errorf("read back something else: %v", err)
	}
	for _, off := range []int64{-512, 100, MinBytes - 512} {
		if _, err := h.WriteAt(want[:1024], off); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("write at %d: %v", off, err)
		}
	}
	if err := errors.Join(h.Eject(), h.Close()); err != nil {
		t.Error(err)
	}
	if d := only(t, l); d.Busy {
		t.Error("busy after the end")
	}
}

func TestVirtualGuards(t *testing.T) {
	dir := folder(t)
	file := filepath.Join(dir, "stick.img")
	l := &Lister{VirtualDir: dir}
	first := func() string {
		t.Helper()
		d := only(t, l)
		if d.Writable() {
			return ""
		}
		return d.Refusals[0].Code
	}
	sparse(t, file, MinBytes-1)
	if got := first(); got != protocol.FaultTooSmall {
		t.Errorf("too small: %q", got)
	}
	sparse(t, file, MinBytes)
	if got := first(); got != "" {
		t.Errorf("right: %q", got)
	}
	if err := os.Link(file, filepath.Join(folder(t), "second name")); err != nil {
		t.Fatal(err)
	}
	if got := first(); got != protocol.FaultNotRemovable {
		t.Errorf("two names: %q", got)
	}
	if _, err := l.Open(t.Context(), protocol.Identity{Kind: protocol.KindVirtual, Port: "none.img"}); code(err) != protocol.FaultDeviceGone {
		t.Errorf("none: %v", err)
	}
}

func TestWatch(t *testing.T) {
	dir := folder(t)
	l := &Lister{VirtualDir: dir}
	signals := l.Watch(t.Context())
	before := l.fingerprint()
	sparse(t, filepath.Join(dir, "new.img"), 512)
	if l.fingerprint() == before {
		t.Fatal("a new stick is not seen")
	}
	select {
	case <-signals:
	case <-time.After(time.Minute):
		t.Error("no signal")
	}
}
