package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/protocol"
)

// These tests put real obstacles on real (loop) block devices: the kernel's
// own claims, mounts and swap areas are what the guards must see. Whatever is
// made is taken away again, also after a failure.

const gib = int64(1) << 30

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatalf("%s is missing: install util-linux and e2fsprogs", name)
	}
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// sparse makes a file that a loop device can stand on.
func sparse(t *testing.T, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	return path
}

func rdev(t *testing.T, node string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(node, &st); err != nil {
		t.Fatal(err)
	}
	return st.Rdev
}

// attach makes a loop device with partitions over a file.
func attach(t *testing.T, file string, options ...string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("loop devices need root: run the tests as root or with sudo")
	}
	node := run(t, "losetup", append(options, "--find", "--show", "--partscan", file)...)
	t.Cleanup(func() {
		// Only what is still ours; in use, it goes when its last user does.
		if readText("/sys/block/"+filepath.Base(node), "loop/backing_file") == file {
			_ = exec.Command("losetup", "--detach", node).Run()
		}
	})
	return node
}

func mountAt(t *testing.T, node, point string, flags uintptr, fstype string) {
	t.Helper()
	if err := patiently(func() error { return unix.Mount(node, point, fstype, flags, "") }); err != nil {
		t.Fatalf("mount %s at %s: %v", node, point, err)
	}
	t.Cleanup(func() { _ = unix.Unmount(point, unix.MNT_DETACH) })
}

// mediaFolder is a mount point as an automounter makes it.
func mediaFolder(t *testing.T) string {
	t.Helper()
	if err := os.MkdirAll("/media", 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/media", "stickpress-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // unmounted by then
	return dir
}

func mkfs(t *testing.T, node string) {
	t.Helper()
	err := patiently(func() error {
		out, err := exec.Command("mkfs.ext4", "-q", "-F", "-L", "PHOTOS", "-E", "nodiscard,lazy_itable_init=1", "-O", "^has_journal", node).CombinedOutput()
		if err != nil && (strings.Contains(string(out), "busy") || strings.Contains(string(out), "in use")) {
			return unix.EBUSY
		}
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("mkfs.ext4 %s: %v", node, err)
	}
}

// patiently tries again while the device is claimed: other tests list all
// loop devices, which claims each for a moment.
func patiently(try func() error) error {
	for late := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if err := try(); !errors.Is(err, unix.EBUSY) || time.Now().After(late) {
			return err
		}
	}
}

// partition gives the loop device one partition and returns its node. The
// kernel is told directly: it may have been built without partition tables.
func partition(t *testing.T, node string) string {
	t.Helper()
	run(t, "addpart", node, "1", "2048", "2097152")
	t.Cleanup(func() { _ = exec.Command("delpart", node, "1").Run() })
	return node + "p1"
}

func loops() *Lister { return &Lister{AllowLoop: true, patience: 50 * time.Millisecond} }

// refused checks that List and Open give the same reason.
func refused(t *testing.T, l *Lister, node string, want ...string) {
	t.Helper()
	d := device(t, l, node)
	if got := codes(d); !slices.Equal(got, want) {
		t.Errorf("%s is refused for %v, want %v", node, got, want)
	}
	h, err := l.Open(context.Background(), d.Identity)
	if err == nil {
		h.Close()
		t.Errorf("%s was opened, want %v", node, want)
		return
	}
	if f := protocol.AsFault(err); !slices.Contains(want, f.Code) {
		t.Errorf("open %s: %v, want one of %v", node, err, want)
	}
}

// faultIs checks the fault's code and returns the fault, never nil: a panic
// would keep the other tests from taking their obstacles away.
func faultIs(t *testing.T, err error, code string) *protocol.Fault {
	t.Helper()
	if !errors.Is(err, protocol.NewFault(code)) {
		t.Errorf("%v, want %s", err, code)
		return protocol.NewFault("")
	}
	return protocol.AsFault(err)
}

// TestOwnRootDisk shows the guards the disk that this machine runs on.
func TestOwnRootDisk(t *testing.T) {
	t.Parallel()
	l := &Lister{DataDirs: []string{"/nowhere/yet"}}
	devices, err := l.List(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, d := range devices {
		if d.Kind == protocol.KindDisk && d.Writable() {
			t.Errorf("internal disk %s is offered", d.Path)
		}
		if c := codes(d); slices.Contains(c, protocol.FaultSystem) {
			found = true
			t.Logf("%s: %v", d.Path, c)
			for _, want := range []string{protocol.FaultMounted, protocol.FaultDataDir, protocol.FaultNotRemovable} {
				if !slices.Contains(c, want) {
					t.Errorf("root disk %s is refused for %v; %s is missing", d.Path, c, want)
				}
			}
			if _, err := l.Open(context.Background(), d.Identity); err == nil {
				t.Fatalf("root disk %s was opened", d.Path)
			}
		}
	}
	if !found {
		s, err := l.look()
		if err != nil {
			t.Fatal(err)
		}
		if len(s.running) > 0 {
			t.Errorf("no listed disk holds the running system, which is on %v", s.running)
		}
	}
}

func TestLoopGuards(t *testing.T) {
	t.Parallel()
	ctx := context.Background()

	t.Run("not allowed", func(t *testing.T) {
		t.Parallel()
		refused(t, &Lister{}, attach(t, sparse(t, 29*gib)), protocol.FaultLoopNotAllowed)
	})
	t.Run("over another disk", func(t *testing.T) {
		t.Parallel()
		node := attach(t, sparse(t, 29*gib))
		mkfs(t, node)
		mountAt(t, node, t.TempDir(), 0, "ext4")
		refused(t, loops(), attach(t, node), protocol.FaultNotRemovable)
		link := filepath.Join(t.TempDir(), "node")
		if err := unix.Mknod(link, unix.S_IFBLK|0o600, int(rdev(t, node))); err != nil {
			t.Fatal(err)
		}
		refused(t, loops(), attach(t, link), protocol.FaultNotRemovable)
	})
	t.Run("over a file that another one mounts", func(t *testing.T) {
		t.Parallel()
		file := sparse(t, 29*gib)
		node := attach(t, file)
		mkfs(t, node)
		mountAt(t, node, t.TempDir(), 0, "ext4")
		refused(t, loops(), attach(t, file), protocol.FaultHolders)
		name := filepath.Join(t.TempDir(), "another name")
		if err := os.Link(file, name); err != nil {
			t.Fatal(err)
		}
		refused(t, loops(), attach(t, name), protocol.FaultHolders)
	})
	t.Run("too small", func(t *testing.T) {
		t.Parallel()
		l, node := loops(), attach(t, sparse(t, 27*gib))
		if d := device(t, l, node); !slices.Equal(codes(d), []string{protocol.FaultTooSmall}) {
			t.Errorf("refused for %v", codes(d))
		}
		openLoop(t, l, node) // to be erased, not pressed
	})
	t.Run("mounted", func(t *testing.T) {
		t.Parallel()
		node := attach(t, sparse(t, 29*gib))
		mkfs(t, node)
		mountAt(t, node, t.TempDir(), 0, "ext4")
		refused(t, loops(), node, protocol.FaultMounted)
		if d := device(t, loops(), node); !slices.Equal(d.Volumes, []string{"PHOTOS"}) {
			t.Errorf("volumes %q, want the label", d.Volumes)
		}
	})
	t.Run("bind mount of a folder in a partition", func(t *testing.T) {
		t.Parallel()
		node := attach(t, sparse(t, 29*gib))
		part := partition(t, node)
		mkfs(t, part)
		first, second := t.TempDir(), t.TempDir()
		mountAt(t, part, first, 0, "ext4")
		mountAt(t, first+"/lost+found", second, unix.MS_BIND, "")
		if err := unix.Unmount(first, 0); err != nil {
			t.Fatal(err)
		}
		refused(t, loops(), node, protocol.FaultMounted)
	})
	t.Run("automounted", func(t *testing.T) {
		t.Parallel()
		node, point := attach(t, sparse(t, 29*gib)), mediaFolder(t)
		part := partition(t, node)
		mkfs(t, part)
		mountAt(t, part, point, 0, "ext4")
		l := loops()
		d := device(t, l, node)
		if !d.Writable() || !slices.Equal(d.AutomountedAt, []string{point}) {
			t.Fatalf("%v, automounted at %v", codes(d), d.AutomountedAt)
		}
		data := loops()
		data.DataDirs = []string{point + "/data"}
		refused(t, data, node, protocol.FaultDataDir)
		configured := loops()
		configured.Etc = t.TempDir()
		if err := os.WriteFile(configured.Etc+"/fstab", []byte("LABEL=PHOTOS "+point+" ext4\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, configured, node, protocol.FaultMounted)

		// A file in use keeps the volume; without it Open unmounts.
		user, err := os.Create(point + "/photo")
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.Open(ctx, d.Identity)
		faultIs(t, err, protocol.FaultMounted)
		user.Close()
		h, err := l.Open(ctx, d.Identity)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		if !slices.Equal(h.Unmounted(), []string{point}) {
			t.Errorf("unmounted %v, want %s", h.Unmounted(), point)
		}
		if err := unix.Mount(part, point, "ext4", 0, ""); !errors.Is(err, unix.EBUSY) {
			t.Errorf("mount of the open device: %v, want EBUSY", err)
		}
	})
	t.Run("swap", func(t *testing.T) {
		t.Parallel()
		node := attach(t, sparse(t, 29*gib))
		run(t, "mkswap", node, "1024")
		// A List of another test may look at it right now, exclusively.
		for tries := 50; ; tries-- {
			out, err := exec.Command("swapon", "--priority", "0", node).CombinedOutput()
			if err == nil {
				break
			}
			if tries == 0 {
				t.Fatalf("swapon: %v\n%s", err, out)
			}
		}
		t.Cleanup(func() { _ = exec.Command("swapoff", node).Run() })
		refused(t, loops(), node, protocol.FaultSwap)
	})
	t.Run("another opener", func(t *testing.T) {
		t.Parallel()
		node := attach(t, sparse(t, 29*gib))
		other, err := os.OpenFile(node, os.O_RDONLY|unix.O_EXCL, 0)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, loops(), node, protocol.FaultDeviceBusy)
		other.Close()
		locker, err := os.Open(node)
		if err != nil {
			t.Fatal(err)
		}
		defer locker.Close()
		if err := unix.Flock(int(locker.Fd()), unix.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		refused(t, loops(), node, protocol.FaultDeviceBusy)
	})
	t.Run("ZFS", func(t *testing.T) {
		t.Parallel()
		file := sparse(t, 29*gib)
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{0x0c, 0xb1, 0xba, 0, 0, 0, 0, 0}, 132<<10); err != nil {
			t.Fatal(err)
		}
		f.Close()
		node := attach(t, file)
		pool, err := os.OpenFile(node, os.O_RDONLY|unix.O_EXCL, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		if d := device(t, loops(), node); !slices.Equal(codes(d), []string{protocol.FaultHolders}) || d.Refusals[0].Params["holder"] != "zfs" {
			t.Errorf("refusals %v, want zfs as the holder", d.Refusals)
		}
		_, err = loops().Open(ctx, device(t, loops(), node).Identity)
		faultIs(t, err, protocol.FaultDeviceBusy)
	})
	t.Run("loop device over it", func(t *testing.T) {
		t.Parallel()
		node := attach(t, sparse(t, 29*gib))
		attach(t, node)
		refused(t, loops(), node, protocol.FaultHolders)
	})
	t.Run("read-only", func(t *testing.T) {
		t.Parallel()
		node := attach(t, sparse(t, 29*gib), "--read-only")
		refused(t, loops(), node, protocol.FaultReadOnly)
	})
}
