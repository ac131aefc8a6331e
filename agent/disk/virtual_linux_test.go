package disk

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/protocol"
)

// rack is a folder of virtual sticks.
func rack(t *testing.T, names ...string) *Lister {
	t.Helper()
	l := &Lister{VirtualDir: t.TempDir(), patience: 50 * time.Millisecond}
	for _, name := range names {
		make64(t, filepath.Join(l.VirtualDir, name))
	}
	return l
}

func make64(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 64_000_000_000); err != nil {
		t.Fatal(err)
	}
}

func openVirtual(t *testing.T, l *Lister, name string) *Handle {
	t.Helper()
	h, err := l.Open(context.Background(), device(t, l, name).Identity)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func TestVirtualStick(t *testing.T) {
	t.Parallel()
	l := rack(t, "stick-1.img", "Blue.img")
	if err := os.WriteFile(filepath.Join(l.VirtualDir, "readme.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := device(t, l, "stick-1.img")
	if d.Kind != protocol.KindVirtual || d.Port != "stick-1.img" || d.Serial != "VIRTUAL-0001" || d.Bytes != 64_000_000_000 ||
		d.Vendor != VirtualVendor || d.Model != VirtualModel || d.SectorSize != 512 || !d.Writable() {
		t.Errorf("%+v %v", d, codes(d))
	}
	if again := device(t, l, "stick-1.img"); again.Identity != d.Identity {
		t.Errorf("identity %+v, then %+v", d.Identity, again.Identity)
	}
	if s := device(t, l, "Blue.img").Serial; s != "VIRTUAL-BLUE" {
		t.Errorf("serial %s, want VIRTUAL-BLUE", s)
	}

	h := openVirtual(t, l, "stick-1.img")
	if d := device(t, l, "stick-1.img"); !d.Busy {
		t.Error("not busy while it is open")
	}
	other := &Lister{VirtualDir: l.VirtualDir, patience: l.patience} // another agent
	refused(t, other, "stick-1.img", protocol.FaultDeviceBusy)
	data := bytes.Repeat([]byte{0xa5}, 1<<20)
	if _, err := h.WriteAt(data, 1<<30); err != nil {
		t.Fatal(err)
	}
	if err := h.Sync(); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, len(data))
	if _, err := h.ReadAt(back, 1<<30); err != nil || !bytes.Equal(back, data) {
		t.Errorf("read back: %v, or different bytes", err)
	}
	if err := h.Discard(1<<30, 1<<20); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("discard: %v", err)
	}
	if _, err := h.WriteAt(data, 64_000_000_000-512); err == nil {
		t.Error("a write past the end made the stick longer")
	}
	if err := h.Eject(); err != nil {
		t.Fatal(err)
	}
	if again := device(t, l, "stick-1.img"); again.Identity != d.Identity || again.Busy {
		t.Errorf("after writing: %+v, want %+v", again, d.Identity)
	}
}

// A device that blocks whoever looks at it blocks nobody who wants to write it.
func TestOpenOfADeviceThatHangs(t *testing.T) {
	t.Parallel()
	l := rack(t, "stick-1.img", "stick-2.img")
	hangs, other := device(t, l, "stick-1.img"), device(t, l, "stick-2.img")
	leave, err := l.enter(t.Context(), hangs.Path) // as List does
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Open(t.Context(), hangs.Identity); !errors.Is(err, protocol.NewFault(protocol.FaultDeviceBusy)) {
		t.Errorf("%v, want %s", err, protocol.FaultDeviceBusy)
	}
	h, err := l.Open(t.Context(), other.Identity)
	if err != nil {
		t.Fatal(err)
	}
	h.Close()
	leave()
	openVirtual(t, l, "stick-1.img")
}

// Files that only look like virtual sticks are refused or not found.
func TestVirtualTricks(t *testing.T) {
	t.Parallel()
	l := rack(t)
	outside := filepath.Join(t.TempDir(), "precious.img")
	make64(t, outside)
	in := func(name string) string { return filepath.Join(l.VirtualDir, name) }
	for _, err := range []error{
		os.Symlink(outside, in("symlink.img")),
		os.Link(outside, in("hardlink.img")),
		os.Mkdir(in("folder.img"), 0o700),
		unix.Mkfifo(in("pipe.img"), 0o600),
		os.Symlink("/dev/null", in("node.img")),
		os.WriteFile(in("empty.img"), nil, 0o600),
		os.WriteFile(in("small.img"), make([]byte, 4096), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"symlink.img", "hardlink.img", "folder.img", "pipe.img", "node.img"} {
		d := device(t, l, name)
		if !slices.Contains(codes(d), protocol.FaultNotRemovable) {
			t.Errorf("%s is refused for %v", name, codes(d))
		}
		_, err := l.Open(context.Background(), d.Identity)
		faultIs(t, err, protocol.FaultNotRemovable)
	}
	refused(t, l, "empty.img", protocol.FaultTooSmall)
	if d := device(t, l, "small.img"); !slices.Equal(codes(d), []string{protocol.FaultTooSmall}) {
		t.Errorf("small.img is refused for %v", codes(d))
	}
	openVirtual(t, l, "small.img")
	for _, port := range []string{"../" + filepath.Base(filepath.Dir(outside)) + "/precious.img", outside, "missing.img", "", ".", "small.txt"} {
		_, err := l.Open(context.Background(), protocol.Identity{Kind: protocol.KindVirtual, Port: port})
		faultIs(t, err, protocol.FaultDeviceGone)
	}
	_, err := (&Lister{}).Open(context.Background(), protocol.Identity{Kind: protocol.KindVirtual, Port: "small.img"})
	faultIs(t, err, protocol.FaultDeviceGone)
}

func TestVirtualSwapped(t *testing.T) {
	t.Parallel()
	t.Run("before open", func(t *testing.T) {
		t.Parallel()
		l := rack(t, "a.img")
		confirmed := device(t, l, "a.img").Identity
		if err := os.Remove(filepath.Join(l.VirtualDir, "a.img")); err != nil {
			t.Fatal(err)
		}
		make64(t, filepath.Join(l.VirtualDir, "a.img"))
		_, err := l.Open(context.Background(), confirmed)
		faultIs(t, err, protocol.FaultDeviceChanged)
	})
	for name, trick := range map[string]struct {
		do   func(path string) error
		code string
	}{
		"another file": {func(p string) error { return errors.Join(os.Rename(p, p+".old"), os.WriteFile(p, nil, 0o600)) }, protocol.FaultDeviceChanged},
		"truncated":    {func(p string) error { return os.Truncate(p, 30<<30) }, protocol.FaultDeviceChanged},
		"second name":  {func(p string) error { return os.Link(p, p+".too") }, protocol.FaultNotRemovable},
		"removed":      {os.Remove, protocol.FaultDeviceGone},
		"symlinked":    {func(p string) error { return errors.Join(os.Rename(p, p+".x"), os.Symlink(p+".x", p)) }, protocol.FaultDeviceChanged},
	} {
		t.Run(name+" after open", func(t *testing.T) {
			t.Parallel()
			l := rack(t, "a.img")
			h := openVirtual(t, l, "a.img")
			if err := trick.do(filepath.Join(l.VirtualDir, "a.img")); err != nil {
				t.Fatal(err)
			}
			_, err := h.WriteAt(make([]byte, 4096), 0)
			if f := faultIs(t, err, trick.code); f.Touched {
				t.Error("refused before the first byte, but said to be touched")
			}
		})
	}
	t.Run("loop device over it", func(t *testing.T) {
		t.Parallel()
		l := rack(t, "a.img")
		attach(t, filepath.Join(l.VirtualDir, "a.img"))
		refused(t, l, "a.img", protocol.FaultHolders)
	})
	t.Run("mounted on", func(t *testing.T) {
		t.Parallel()
		l := rack(t, "a.img", "b.img")
		mountAt(t, filepath.Join(l.VirtualDir, "b.img"), filepath.Join(l.VirtualDir, "a.img"), unix.MS_BIND, "")
		refused(t, l, "a.img", protocol.FaultMounted)
	})
}

// A virtual stick is pulled out when its file is taken away: the kernel would
// go on writing to it.
func TestVirtualPulledOut(t *testing.T) {
	t.Parallel()
	for name, pull := range map[string]func(path string) error{
		"removed":  os.Remove,
		"renamed":  func(p string) error { return os.Rename(p, p+".old") },
		"replaced": func(p string) error { return errors.Join(os.Remove(p), os.WriteFile(p, nil, 0o600)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := rack(t, "a.img")
			h := openVirtual(t, l, "a.img")
			b := make([]byte, 4096)
			if _, err := h.WriteAt(b, 0); err != nil {
				t.Fatal(err)
			}
			if err := pull(filepath.Join(l.VirtualDir, "a.img")); err != nil {
				t.Fatal(err)
			}
			_, write := h.WriteAt(b, 4096)
			_, read := h.ReadAt(b, 0)
			for what, err := range map[string]error{"write": write, "read": read, "sync": h.Sync(), "discard": h.Discard(0, 4096)} {
				if f := faultIs(t, err, protocol.FaultDeviceGone); !f.Touched {
					t.Errorf("%s: not touched", what)
				}
			}
		})
	}
}

// A folder on a filesystem without direct I/O still serves.
func TestVirtualWithoutDirectIO(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mountAt(t, "ramfs", dir, 0, "ramfs")
	l := &Lister{VirtualDir: dir}
	make64(t, filepath.Join(dir, "a.img"))
	h := openVirtual(t, l, "a.img")
	if _, err := h.WriteAt([]byte(string(make([]byte, 511))+"x"), 512); err != nil {
		t.Fatal(err)
	}
	if err := h.Sync(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 512)
	if _, err := h.ReadAt(b, 512); err != nil || b[511] != 'x' {
		t.Errorf("read back %q, %v", b[511], err)
	}
	if err := h.Discard(0, 4096); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("discard: %v", err)
	}
	h.Close()
}
