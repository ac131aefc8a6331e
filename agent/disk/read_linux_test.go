package disk

import (
	"bytes"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/protocol"
)

// What is opened to be read cannot be written, through the Handle or past it.
func TestOpenToRead(t *testing.T) {
	t.Parallel()
	for name, node := range map[string]func(t *testing.T) (*Lister, string){
		"virtual": func(t *testing.T) (*Lister, string) {
			t.Helper()
			return rack(t, "stick-1.img"), "stick-1.img"
		},
		"loop": func(t *testing.T) (*Lister, string) { t.Helper(); return loops(), attach(t, sparse(t, 29*gib)) },
		"write-protected": func(t *testing.T) (*Lister, string) {
			t.Helper()
			return loops(), attach(t, sparse(t, 29*gib), "--read-only")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, where := node(t)
			d := device(t, l, where)
			h, err := l.OpenToRead(t.Context(), d.Identity)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { h.Close() })
			b := make([]byte, 4096)
			if _, err := h.ReadAt(b, 0); err != nil || !bytes.Equal(b, make([]byte, 4096)) {
				t.Errorf("read: %v, or no zeros", err)
			}
			_, err = h.WriteAt(b, 0)
			faultIs(t, err, protocol.FaultReadOnly)
			faultIs(t, h.Discard(0, 4096), protocol.FaultReadOnly)
			if flags, err := unix.FcntlInt(h.file.Fd(), unix.F_GETFL, 0); err != nil || flags&unix.O_ACCMODE != unix.O_RDONLY {
				t.Errorf("opened with flags %#x, %v", flags, err)
			}
			if _, err := unix.Pwrite(int(h.file.Fd()), aligned(4096), 0); err == nil {
				t.Error("the kernel lets a write through")
			}
			if h.touched.Load() {
				t.Error("it counts as touched")
			}
			_, err = l.OpenToRead(t.Context(), d.Identity)
			faultIs(t, err, protocol.FaultDeviceBusy)
			if err := h.Check(); err != nil {
				t.Errorf("a second look: %v", err)
			}
		})
	}
}

// A mounted stick changes while it is read, and is left alone; an automounter's
// too, because unmounting writes.
func TestOpenToReadMounted(t *testing.T) {
	t.Parallel()
	for name, point := range map[string]func(t *testing.T) string{
		"mounted":     func(t *testing.T) string { t.Helper(); return t.TempDir() },
		"automounted": mediaFolder,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, node := loops(), attach(t, sparse(t, 29*gib))
			mkfs(t, node)
			dir := point(t)
			mountAt(t, node, dir, 0, "ext4")
			_, err := l.OpenToRead(t.Context(), device(t, l, node).Identity)
			faultIs(t, err, protocol.FaultMounted)
			if _, err := os.Stat(dir + "/lost+found"); err != nil {
				t.Errorf("it was unmounted: %v", err)
			}
		})
	}
}
