package stick

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stickpress/stickpress/agent/hive"
	"github.com/stickpress/stickpress/agent/ntfs"
	"github.com/stickpress/stickpress/agent/protocol"
)

// smallWindows is the least that a stick can be made of. nil removes a file.
func smallWindows(t *testing.T, changes map[string][]byte) map[string][]byte {
	t.Helper()
	system, err := hive.Write(hive.Key{Name: "SYSTEM", Keys: []hive.Key{
		{Name: "Select", Values: []hive.Value{hive.DWORD("Default", 1)}},
		{Name: "ControlSet001", Keys: []hive.Key{{Name: "Control"}, {Name: "Services"}}},
		{Name: "Setup", Values: []hive.Value{hive.SZ("UnattendFile", `C:\old.xml`)}},
	}}, hive.Options{Name: "SYSTEM"})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{
		"Windows/System32/config/SYSTEM":         system,
		"Windows/System32/winload.efi":           []byte("winload.efi"),
		"Windows/System32/winload.exe":           []byte("winload.exe"),
		"Windows/Boot/EFI/bootmgfw.efi":          []byte("bootmgfw.efi 2011"),
		"Windows/Boot/EFI/memtest.efi":           []byte("memtest.efi"),
		"Windows/Boot/EFI/en-US/x.mui":           []byte("x.mui"),
		"Windows/Boot/EFI_EX/bootmgfw_EX.efi":    []byte("bootmgfw.efi 2023"),
		"Windows/Boot/PCAT/bootmgr":              []byte("bootmgr"),
		"Windows/Boot/PCAT/memtest.exe":          []byte("memtest.exe"),
		"Windows/Boot/Fonts/wgl4_boot.ttf":       []byte("font 2011"),
		"Windows/Boot/Fonts/other.ttf":           []byte("other"),
		"Windows/Boot/Fonts_EX/wgl4_boot_EX.ttf": []byte("font 2023"),
		"Windows/Boot/Resources/bootres.dll":     []byte("bootres.dll"),
	}
	maps.Copy(files, changes)
	return files
}

func writeImage(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	for path, data := range files {
		if data == nil {
			continue
		}
		path = filepath.Join(tree, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	image := filepath.Join(dir, "install.wim")
	foreign(t, "wimlib-imagex", "capture", tree, image, "Windows", "--compress=none")
	return image
}

func specFor(image, layout string) Spec {
	return Spec{
		ImagePath: image, ImageSHA256: "test", Edition: 1, Layout: layout, CapacityClass: Classes[0], SectorSize: 512,
		BootSignature: protocol.BootSignature2011,
	}
}

// What is wrong with an image is said, and leaves nothing behind.
func TestPrepareFaults(t *testing.T) {
	t.Parallel()
	dirty := bytes.Clone(smallWindows(t, nil)["Windows/System32/config/SYSTEM"])
	dirty[4] ^= 1   // the first sequence number
	dirty[508] ^= 1 // its part of the checksum
	for name, c := range map[string]struct {
		files map[string][]byte
		spec  func(*Spec)
		edit  func(t *testing.T, image string)
		code  string
		param string // of the fault, "name=value"
	}{
		"no hive":       {files: map[string][]byte{"Windows/System32/config/SYSTEM": nil}, code: protocol.FaultImageContent, param: "path=/Windows/System32/config/SYSTEM"},
		"dirty hive":    {files: map[string][]byte{"Windows/System32/config/SYSTEM": dirty}, code: protocol.FaultHiveDirty},
		"no hive at it": {files: map[string][]byte{"Windows/System32/config/SYSTEM": []byte("x")}, code: protocol.FaultImageCorrupt},
		"no loader":     {files: map[string][]byte{"Windows/System32/winload.efi": nil}, code: protocol.FaultImageContent},
		"no BIOS loader": {
			files: map[string][]byte{"Windows/System32/winload.exe": nil}, code: protocol.FaultImageContent, param: "path=/Windows/System32/winload.exe",
		},
		"no boot manager": {files: map[string][]byte{"Windows/Boot/EFI/bootmgfw.efi": nil}, code: protocol.FaultImageContent},
		"no 2023": {
			files: map[string][]byte{"Windows/Boot/EFI_EX/bootmgfw_EX.efi": nil}, code: protocol.FaultImageContent,
			spec: func(s *Spec) { s.BootSignature = protocol.BootSignature2023 }, param: "path=/Windows/Boot/EFI_EX/bootmgfw_EX.efi",
		},
		"no edition":  {spec: func(s *Spec) { s.Edition = 2 }, code: protocol.FaultEdition, param: "edition=2"},
		"odd sectors": {spec: func(s *Spec) { s.SectorSize = 1024 }, code: protocol.FaultSectorSize},
		"truncated": {
			edit: func(t *testing.T, image string) {
				if err := os.Truncate(image, 1000); err != nil {
					t.Fatal(err)
				}
			}, code: protocol.FaultImageCorrupt,
		},
		"too big": {
			edit: func(t *testing.T, image string) {
				foreign(t, "wimlib-imagex", "info", image, "1", "--image-property", "TOTALBYTES=40000000000")
			}, code: protocol.FaultImageTooBig, param: "need_bytes=40000000000",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image, dir := writeImage(t, smallWindows(t, c.files)), t.TempDir()
			spec := specFor(image, protocol.LayoutMBRDual)
			if c.spec != nil {
				c.spec(&spec)
			}
			if c.edit != nil {
				c.edit(t, image)
			}
			_, err := Prepare(t.Context(), dir, spec, nil)
			f := protocol.AsFault(err)
			if f == nil || f.Code != c.code || f.Touched {
				t.Fatalf("%v, want %s", err, c.code)
			}
			if param, value, ok := strings.Cut(c.param, "="); ok && f.Params[param] != value {
				t.Errorf("%v, want %s", f.Params, c.param)
			}
			onlyLocks(t, dir)
		})
	}
}

// With sectors of 4096 bytes an mbr-dual stick is one for UEFI: its volumes have
// such sectors, say foreign tools, and nothing on it is for a BIOS.
func TestPrepare4Kn(t *testing.T) {
	t.Parallel()
	spec := specFor(writeImage(t, smallWindows(t, map[string][]byte{"Windows/Boot/PCAT/bootmgr": nil, "Windows/System32/winload.exe": nil})), protocol.LayoutMBRDual)
	spec.SectorSize = 4096
	m, err := Prepare(t.Context(), t.TempDir(), spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	system, windows := filepath.Join(m.dir, systemFile), filepath.Join(m.dir, windowsFile)
	if out := foreign(t, "fsck.fat", "-n", "-v", system); !strings.Contains(out, "4096 bytes per logical sector") {
		t.Errorf("fsck.fat says\n%s", out)
	}
	if out := foreign(t, "ntfsinfo", "-m", windows); !strings.Contains(out, "Sector Size: 4096") {
		t.Errorf("ntfsinfo says\n%s", out)
	}
	foreign(t, "ntfsfix", "-n", windows)
	files := foreign(t, "mdir", "-b", "-/", "-i", system, "::/")
	if !strings.Contains(files, "/EFI/Microsoft/Boot/BCD") || strings.Contains(files, "::/Boot/") || strings.Contains(files, "::/bootmgr") {
		t.Errorf("on the system volume:\n%s", files)
	}
	if code := m.plan.mbr(Personal{DiskSignature: 7})[:440]; !bytes.Equal(code, make([]byte, 440)) {
		t.Error("the table has boot code that no BIOS can read")
	}
	facts, err := m.Facts()
	if err != nil || len(facts.Stores) != 1 || facts.SectorSize != 4096 {
		t.Errorf("%+v, %v", facts, err)
	}
}

// A link in an image leads nowhere on this host: nothing is read or written
// there.
func TestPrepareLinks(t *testing.T) {
	t.Parallel()
	files := smallWindows(t, nil)
	for path, target := range map[string]string{
		"/Windows/System32/config/SYSTEM":  "file",
		"/Windows/Boot/EFI/bootmgfw.efi":   "file",
		"/Windows/Boot":                    "folder",
		"/Windows/Boot/EFI":                "folder/EFI",
		"/Windows/System32/config/nothing": "", // harmless
	} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			dir, host := t.TempDir(), t.TempDir()
			theirs := files["Windows/System32/config/SYSTEM"]
			if err := errors.Join(
				os.MkdirAll(filepath.Join(host, "folder/EFI"), 0o755),
				os.WriteFile(filepath.Join(host, "file"), theirs, 0o644),
				os.WriteFile(filepath.Join(host, "folder/EFI/bootmgfw.efi"), nil, 0o644),
				os.Symlink(filepath.Join(host, target), filepath.Join(host, "link")),
			); err != nil {
				t.Fatal(err)
			}
			image := writeImage(t, files)
			if target != "" {
				foreign(t, "wimlib-imagex", "update", image, "1", "--command=delete --recursive "+path)
			}
			foreign(t, "wimlib-imagex", "update", image, "1", "--command=add "+filepath.Join(host, "link")+" "+path)
			m, err := Prepare(t.Context(), dir, specFor(image, protocol.LayoutMBRDual), nil)
			if target == "" {
				if err != nil {
					t.Fatal(err)
				}
				m.Close()
				return
			}
			if f := protocol.AsFault(err); f == nil || f.Code != protocol.FaultImageContent {
				t.Errorf("%v, want %s", err, protocol.FaultImageContent)
			}
			if now, err := os.ReadFile(filepath.Join(host, "file")); err != nil || !bytes.Equal(now, theirs) {
				t.Errorf("a file of this host was changed (%v)", err)
			}
			onlyLocks(t, dir)
		})
	}
}

func onlyLocks(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		if filepath.Ext(e.Name()) != ".lock" {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}

func sameFile(t *testing.T, a, b *Master) bool {
	t.Helper()
	x, err := a.files[0].file.Stat()
	y, err2 := b.files[0].file.Stat()
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return os.SameFile(x, y)
}

// Calls for one Spec share the work; a finished master is used again; one
// that is not as it was left is made anew.
func TestPrepareOnce(t *testing.T) {
	t.Parallel()
	image, dir := writeImage(t, smallWindows(t, nil)), t.TempDir()
	spec := specFor(image, protocol.LayoutGPTUEFI)
	// What a killed program left.
	if err := os.MkdirAll(filepath.Join(dir, spec.Digest()+".tmp", "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	masters := make([]*Master, 3)
	var wait sync.WaitGroup
	for i := range masters {
		wait.Go(func() {
			last := int64(0)
			m, err := Prepare(t.Context(), dir, spec, func(done, total int64) {
				if done < last || done > total {
					t.Errorf("progress %d of %d after %d", done, total, last)
				}
				last = done
			})
			if err != nil {
				t.Error(err)
				return
			}
			masters[i] = m
			t.Cleanup(func() { m.Close() })
		})
	}
	wait.Wait()
	if t.Failed() {
		return
	}
	for _, m := range masters {
		if !sameFile(t, m, masters[0]) || m.Digest() != spec.Digest() {
			t.Error("the work was done twice")
		}
	}
	folder := filepath.Join(dir, spec.Digest())
	for name, damage := range map[string]func() error{
		"manifest gone":    func() error { return os.Remove(filepath.Join(folder, manifestName)) },
		"manifest damaged": func() error { return flip(filepath.Join(folder, manifestName), 200) },
		"manifest empty":   func() error { return os.WriteFile(filepath.Join(folder, manifestName), nil, 0o600) },
		"volume gone":      func() error { return os.Remove(filepath.Join(folder, windowsFile)) },
		"volume changed":   func() error { return flip(filepath.Join(folder, windowsFile), 5000) },
		"volume short":     func() error { return os.Truncate(filepath.Join(folder, systemFile), 1<<20) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		m, err := Prepare(t.Context(), dir, spec, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if sameFile(t, m, masters[0]) {
			t.Errorf("%s: the damaged master was used", name)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

func flip(path string, at int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	b := make([]byte, 1)
	_, err = f.ReadAt(b, at)
	b[0] ^= 1
	_, werr := f.WriteAt(b, at)
	return errors.Join(err, werr, f.Close())
}

// Sweep takes away what nobody works on, and nothing else.
func TestSweep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"dead.tmp", "alive.tmp", "finished"} {
		if err := os.MkdirAll(filepath.Join(dir, name, "tmp"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	alive, err := acquire(t.Context(), filepath.Join(dir, "alive.lock"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer alive.release()
	if err := Sweep(dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"dead.tmp": false, "alive.tmp": true, "finished": true} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Sweep(filepath.Join(dir, "none")); err != nil {
		t.Error(err)
	}
}

func TestPrepareCancelled(t *testing.T) {
	t.Parallel()
	image, dir := writeImage(t, smallWindows(t, nil)), t.TempDir()
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := protocol.NewFault(protocol.FaultCancelled)
	_, err := Prepare(ctx, dir, specFor(image, protocol.LayoutMBRDual), func(int64, int64) { cancel(cause) })
	if !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
	onlyLocks(t, dir)
}

// An image that holds more than it says is applied without the fence.
func TestPrepareWideImage(t *testing.T) {
	t.Parallel()
	image := writeImage(t, smallWindows(t, map[string][]byte{"Windows/big": bytes.Repeat([]byte("0123456789abcdef"), 5<<18)}))
	foreign(t, "wimlib-imagex", "info", image, "1", "--image-property", "TOTALBYTES=1000")
	size := Classes[0]
	m, err := Prepare(t.Context(), t.TempDir(), specFor(image, protocol.LayoutMBRDual), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Bytes() < 20<<20 || m.Bytes() > size {
		t.Errorf("%d bytes", m.Bytes())
	}
	foreign(t, "ntfsfix", "-n", filepath.Join(m.dir, windowsFile))
}

// The fence leaves nothing behind: what is used afterwards is the files' and
// little more.
func TestFenceIsLowered(t *testing.T) {
	t.Parallel()
	m, err := Prepare(t.Context(), t.TempDir(), specFor(writeImage(t, smallWindows(t, nil)), protocol.LayoutMBRDual), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	v, err := ntfs.Open(m.files[1])
	if err != nil {
		t.Fatal(err)
	}
	free, err := v.FreeExtents()
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	for _, e := range free {
		n += e.Length
	}
	if used := m.plan.Partition(RoleWindows).Length - n; used > 80*mib {
		t.Errorf("%d bytes are in use", used)
	}
}
