package usb

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// modules are what the probe needs of the kernel; what they depend on is
// found in modules.dep.
var modules = []string{
	"virtio_pci", "virtio_console", "virtio_blk", "ahci", "sd_mod", "xhci-pci", "usb-storage", "uas",
	"md-mod", "dm-mod", "vfat", "nls_cp437", "nls_ascii", "nls_utf8",
}

// kernel finds the newest of Debian's kernels that has its modules beside it.
func kernel(t *testing.T) (image, moduleDir string) {
	t.Helper()
	images, err := filepath.Glob("/boot/vmlinuz-*")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(images)
	for _, image := range slices.Backward(images) {
		dir := "/lib/modules/" + strings.TrimPrefix(filepath.Base(image), "vmlinuz-")
		if _, err := os.Stat(dir + "/modules.dep"); err == nil {
			return image, dir
		}
	}
	t.Fatal("no kernel with modules in /boot and /lib/modules: install the package linux-image-amd64 (Ubuntu: linux-image-generic)")
	return "", ""
}

// loadOrder lists module files so that each comes after what it depends on.
// A module that is not a file is built into the kernel.
func loadOrder(t *testing.T, dir string) []string {
	t.Helper()
	text, err := os.ReadFile(dir + "/modules.dep")
	if err != nil {
		t.Fatal(err)
	}
	needs, byName := map[string][]string{}, map[string]string{}
	for line := range strings.Lines(string(text)) {
		path, list, _ := strings.Cut(line, ":")
		needs[path] = strings.Fields(list)
		name, _, _ := strings.Cut(filepath.Base(path), ".ko")
		byName[strings.ReplaceAll(name, "_", "-")] = path
	}
	var order []string
	var visit func(path string)
	visit = func(path string) {
		if slices.Contains(order, path) {
			return
		}
		for _, need := range needs[path] {
			visit(need)
		}
		order = append(order, path)
	}
	for _, name := range modules {
		if path, ok := byName[strings.ReplaceAll(name, "_", "-")]; ok {
			visit(path)
		}
	}
	return order
}

// module reads a module's file, which some distributions compress.
func module(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r io.Reader
	switch filepath.Ext(path) {
	case ".ko":
		return b, nil
	case ".zst":
		r, err = zstd.NewReader(bytes.NewReader(b))
	case ".xz":
		r, err = xz.NewReader(bytes.NewReader(b))
	case ".gz":
		r, err = gzip.NewReader(bytes.NewReader(b))
	default:
		return nil, fmt.Errorf("module %s: unknown compression", path)
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// initramfs builds the probe and packs it with the modules.
func initramfs(t *testing.T, moduleDir string) string {
	t.Helper()
	dir := t.TempDir()
	probe := filepath.Join(dir, "probe")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", probe, "./probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the probe: %v\n%s", err, out)
	}
	image, err := os.ReadFile(probe)
	if err != nil {
		t.Fatal(err)
	}

	var c cpio
	for _, name := range []string{"dev", "proc", "sys", "run", "media", "modules"} {
		c.add(name, 0o040755, 0, 0, nil)
	}
	c.add("dev/console", 0o020600, 5, 1, nil) // init's standard output
	c.add("dev/null", 0o020666, 1, 3, nil)
	c.add("init", 0o100755, 0, 0, image)
	for i, path := range loadOrder(t, moduleDir) {
		b, err := module(filepath.Join(moduleDir, path))
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(filepath.Base(path), ".ko")
		c.add(fmt.Sprintf("modules/%03d-%s.ko", i, name), 0o100644, 0, 0, b)
	}
	c.add("TRAILER!!!", 0, 0, 0, nil)
	path := filepath.Join(dir, "initramfs")
	if err := os.WriteFile(path, c.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// cpio is an archive in the "newc" format that the kernel unpacks (kernel:
// Documentation/driver-api/early-userspace/buffer-format.rst).
type cpio struct {
	bytes.Buffer
	inode int
}

func (c *cpio) add(name string, mode, major, minor int, data []byte) {
	c.inode++
	// ino mode uid gid nlink mtime filesize maj min rmaj rmin namesize chksum
	fmt.Fprintf(c, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		c.inode, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name)+1, 0, name)
	c.pad()
	c.Write(data)
	c.pad()
}

func (c *cpio) pad() {
	for c.Len()%4 != 0 {
		c.WriteByte(0)
	}
}
