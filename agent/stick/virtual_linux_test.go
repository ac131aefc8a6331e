package stick

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/tool"
	"github.com/stickpress/stickpress/agent/vdisk"
)

// standIn does on Linux what the programs of Windows would do: its "virtual
// disk" is a folder for each volume until it is detached, and then a VHDX that
// mkfs.fat, mkntfs, wimlib and qemu-img make of them.
type standIn struct {
	t      *testing.T
	plan   *Plan
	image  string
	system string // stands for S:\
	said   []tool.Command
	fails  bool   // the preparation does
	fail   string // name of the program that fails
	status int
}

func (s *standIn) host() *windowsHost {
	return &windowsHost{
		look: func(...tool.Command) error { return nil }, run: s.run,
		letter: func() (string, error) { return "S:", nil },
		root:   func(string) string { return s.system }, turn: make(chan struct{}, 1),
	}
}

func (s *standIn) run(_ context.Context, c tool.Command) error {
	s.said = append(s.said, c)
	if c.Name == s.fail {
		return &tool.ExitError{Tool: c.Name, Status: s.status, Output: "it fails"}
	}
	option := func(name string) string {
		for _, a := range c.Args {
			if v, ok := strings.CutPrefix(a, name); ok {
				return v
			}
		}
		return ""
	}
	switch {
	case c.Name == icacls.Name:
		_, err := os.Stat(strings.ReplaceAll(c.Args[0], `\`, "/"))
		return err
	case c.Name == bcdboot.Name:
		return s.bcdboot(c.Args[len(c.Args)-1] == "ALL")
	case slices.Contains(c.Args, "/List-Image"):
		list := foreign(s.t, "wimlib-imagex", "dir", option("/ImageFile:"), option("/Index:"))
		_, err := io.WriteString(c.Stdout, "\r\nDeployment Image Servicing and Management tool\r\nVersion: 10.0.26100.1\r\n\r\n"+
			strings.ReplaceAll(strings.ReplaceAll(list, "/", `\`), "\n", "\r\n")+"The operation completed successfully.\r\n")
		return err
	case slices.Contains(c.Args, "/Apply-Image"):
		foreign(s.t, "wimlib-imagex", "apply", option("/ImageFile:"), option("/Index:"), option("/ApplyDir:"))
		_, err := io.WriteString(c.Stdout, "\r\n[==   5.0%                  ]\r\n[======100.0%======] \r\nThe operation completed successfully.\r\n")
		return err
	}
	script, err := os.ReadFile(strings.ReplaceAll(c.Args[1], `\`, "/"))
	if err != nil {
		return err
	}
	lines := strings.Split(string(script), "\r\n")
	file := strings.Split(lines[0], `"`)[1]
	if strings.HasPrefix(lines[0], "create") {
		return os.WriteFile(file, nil, 0o600)
	}
	if slices.Contains(lines, "convert gpt") { // the disk was there
		return s.empty(file)
	}
	if s.fails {
		return nil // nobody looks at the disk
	}
	return s.detach(file, strings.Split(lines[2], `"`)[1])
}

// bcdboot leaves what ours must win over.
func (s *standIn) bcdboot(bios bool) error {
	files := map[string]string{
		"EFI/Microsoft/Boot/BCD": "bcdboot's store", "EFI/Microsoft/Boot/BCD.LOG": "its log", "EFI/Microsoft/Boot/bootmgfw.efi": "the host's",
	}
	if bios {
		files["Boot/BCD"], files["Boot/BCD.LOG1"], files["bootmgr"] = "bcdboot's store", "its log", "the host's"
	}
	var errs []error
	for name, text := range files {
		path := filepath.Join(s.system, name)
		errs = append(errs, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600))
	}
	return errors.Join(errs...)
}

func (s *standIn) detach(file, mount string) error {
	t, dir := s.t, s.t.TempDir()
	system, windows := s.plan.Partition(RoleSystem), s.plan.Partition(RoleWindows)
	raw, volume, fat := filepath.Join(dir, "raw"), filepath.Join(dir, "ntfs"), filepath.Join(dir, "fat")
	for path, size := range map[string]int64{raw: s.plan.Class + behind, volume: windows.Length, fat: system.Length} {
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, size)); err != nil {
			return err
		}
	}
	size := s.plan.SectorSize
	sector := func(n int64) string { return fmt.Sprint(n / int64(size)) }
	foreign(t, "mkfs.fat", "-F", "32", "-S", fmt.Sprint(size), "-n", SystemLabel(""), "-h", sector(system.Offset), fat)
	files, err := filepath.Glob(filepath.Join(s.system, "*"))
	if err != nil {
		return err
	}
	foreign(t, "env", slices.Concat([]string{"MTOOLS_SKIP_CHECK=1", "mcopy", "-s", "-i", fat}, files, []string{"::"})...)

	foreign(t, "mkntfs", "-F", "-Q", "-q", "-L", WindowsLabel(""), "-s", fmt.Sprint(size), "-c", fmt.Sprint(ntfsCluster),
		"-p", sector(windows.Offset), "-H", "255", "-S", "63", volume)
	image := filepath.Join(dir, "tree.wim")
	foreign(t, "wimlib-imagex", "capture", mount, image, "tree", "--compress=none")
	foreign(t, "wimlib-imagex", "apply", image, "1", volume)
	if err := errors.Join(copySparse(raw, system.Offset, fat, 0, system.Length), copySparse(raw, windows.Offset, volume, 0, windows.Length)); err != nil {
		return err
	}
	if size == 512 {
		foreign(t, "qemu-img", "convert", "-f", "raw", "-O", "vhdx", "-o", "subformat=dynamic", raw, file)
	} else if err := s.fill(file, raw); err != nil { // qemu-img makes no other sectors
		return err
	}
	return errors.Join(os.Remove(raw), os.RemoveAll(mount), os.Mkdir(mount, 0o700))
}

// empty checks a disk that the agent made.
func (s *standIn) empty(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	d, err := vdisk.Open(f, info.Size())
	if err == nil && (d.SectorSize() != s.plan.SectorSize || d.Size() != s.plan.Class+behind) {
		err = fmt.Errorf("a disk of %d bytes in sectors of %d", d.Size(), d.SectorSize())
	}
	return err
}

// fill writes what is no zeros into a disk.
func (s *standIn) fill(file, raw string) error {
	in, err := os.Open(raw)
	if err != nil {
		return err
	}
	defer in.Close()
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := vdisk.NewWriter(f, s.plan.Class+behind, s.plan.SectorSize, [16]byte{1})
	if err != nil {
		return err
	}
	b := make([]byte, 1<<20)
	for at := int64(0); ; at += int64(len(b)) {
		if at, err = unix.Seek(int(in.Fd()), at, unix.SEEK_DATA); errors.Is(err, unix.ENXIO) {
			return w.Finish()
		}
		at -= at % int64(len(b))
		if _, err := in.ReadAt(b, at); err != nil {
			return err
		}
		if _, err := w.WriteAt(b, at); err != nil {
			return err
		}
	}
}

// copySparse copies what is no hole.
func copySparse(to string, toAt int64, from string, fromAt, n int64) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	for at := fromAt; at < fromAt+n; {
		data, err := unix.Seek(int(in.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) || err == nil && data >= fromAt+n {
			break
		}
		if err != nil {
			return err
		}
		hole, err := unix.Seek(int(in.Fd()), data, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		at = min(hole, fromAt+n)
		if _, err := io.Copy(io.NewOffsetWriter(out, toAt+data-fromAt), io.NewSectionReader(in, data, at-data)); err != nil {
			return err
		}
	}
	return nil
}

func newStandIn(t *testing.T, spec Spec) (*standIn, *preparation) {
	t.Helper()
	plan, err := NewPlan(spec.Layout, spec.CapacityClass, spec.SectorSize)
	if err != nil {
		t.Fatal(err)
	}
	s := &standIn{t: t, plan: plan, image: spec.ImagePath, system: t.TempDir()}
	p := newPreparation(plan, spec, filepath.Join(t.TempDir(), spec.Digest()), func(int64, int64) {})
	if err := os.Mkdir(p.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p.host = s.host()
	return s, p
}

// TestVirtualMaster: a stick pressed from a virtual disk holds, file by file,
// what one holds that was pressed from volumes made with wimlib.
func TestVirtualMaster(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		layout string
		sector int
	}{
		"mbr-dual": {protocol.LayoutMBRDual, 512}, "gpt-uefi": {protocol.LayoutGPTUEFI, 512}, "4096-byte sectors": {protocol.LayoutGPTUEFI, 4096},
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); virtualMaster(t, c.layout, c.sector) })
	}
}

func virtualMaster(t *testing.T, layout string, sector int) {
	t.Helper()
	old := []byte("<old/>")
	spec := specFor(writeImage(t, smallWindows(t, map[string][]byte{
		"Windows/System32/Sysprep/unattend.xml": old, "Windows/Panther/setupact.log": old, "Windows/Panther/Unattend/unattend.xml": old,
	})), layout)
	spec.BootSignature, spec.SectorSize = protocol.BootSignature2023, sector
	s, p := newStandIn(t, spec)
	if err := p.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	made, err := openMaster(p.dir, p.plan, spec)
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	var said, want []string
	for _, c := range s.said {
		said = append(said, c.Name+" "+strings.Join(c.Args, " "))
	}
	v := newVirtualDisk(p.plan, spec, p.dir, "S:")
	for _, w := range v.words(false) {
		if w.between == "" {
			want = append(want, w.command.Name+" "+strings.Join(w.command.Args, " "))
		}
	}
	if !slices.Equal(said, want) {
		t.Errorf("the programs were told\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
	}

	usual, err := Prepare(t.Context(), t.TempDir(), spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer usual.Close()
	personal, err := NewPersonal(layout, rand.Reader, "stick_1", []byte("<unattend/>"))
	if err != nil {
		t.Fatal(err)
	}
	a, b := trees(t, made, personal), trees(t, usual, personal)
	if out := foreign(t, "diff", "--recursive", "--brief", "--no-dereference", a, b); out != "" {
		t.Errorf("the sticks differ:\n%s", out)
	}
}

// trees presses a master onto a file and returns a folder with the files of
// both volumes and, for BIOS, the code in the boot sectors.
func trees(t *testing.T, m *Master, personal Personal) string {
	t.Helper()
	dir := t.TempDir()
	stick, out := filepath.Join(dir, "stick"), filepath.Join(dir, "out")
	if err := errors.Join(os.WriteFile(stick, nil, 0o600), os.Truncate(stick, deviceBytes), os.MkdirAll(filepath.Join(out, "system"), 0o700)); err != nil {
		t.Fatal(err)
	}
	device, err := OpenFile(stick, m.plan.SectorSize)
	if err != nil {
		t.Fatal(err)
	}
	target := Target{Device: device, Personal: personal, Context: t.Context(), Report: &reporter{t: t}}
	if o := Press(t.Context(), m, []Target{target})[0]; o.Err != nil {
		t.Fatal(o.Err)
	}
	if err := device.Close(); err != nil {
		t.Fatal(err)
	}
	system, windows := m.plan.Partition(RoleSystem), m.plan.Partition(RoleWindows)
	foreign(t, "env", "MTOOLS_SKIP_CHECK=1", "mcopy", "-s", "-n", "-i", fmt.Sprintf("%s@@%d", stick, system.Offset), "::", filepath.Join(out, "system"))
	volume, image := filepath.Join(dir, "ntfs"), filepath.Join(dir, "out.wim")
	if err := errors.Join(os.WriteFile(volume, nil, 0o600), os.Truncate(volume, windows.Length), copySparse(volume, 0, stick, windows.Offset, windows.Length)); err != nil {
		t.Fatal(err)
	}
	foreign(t, "wimlib-imagex", "capture", volume, image, "windows", "--compress=none")
	foreign(t, "wimlib-imagex", "apply", image, "1", filepath.Join(out, "windows"))
	if layout := m.plan.Layout; layout == protocol.LayoutMBRDual {
		// The code, not the BPB: formatters differ there.
		boot := make([]byte, 3*512)
		f, err := os.Open(stick)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.ReadAt(boot, system.Offset)
		code := slices.Concat(boot[:3], boot[90:512], boot[2*512:])
		if err := errors.Join(err, f.Close(), os.WriteFile(filepath.Join(out, "code"), code, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestVirtualFails: a program that fails ends the preparation as a fault, the
// disk is detached, and nothing is left.
func TestVirtualFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		program string
		status  int
		code    string
	}{
		{diskpart.Name, 5, protocol.FaultTool},
		{"dism.exe", 87, protocol.FaultTool},
		{"dism.exe", 13, protocol.FaultImageCorrupt},
		{bcdboot.Name, 1, protocol.FaultTool},
		{icacls.Name, 5, protocol.FaultTool},
	} {
		spec := specFor(writeImage(t, smallWindows(t, nil)), protocol.LayoutMBRDual)
		s, p := newStandIn(t, spec)
		s.fails, s.fail, s.status = true, c.program, c.status
		err := p.run(t.Context())
		if f := protocol.AsFault(err); f == nil || f.Code != c.code {
			t.Errorf("%s fails with %d: %v", c.program, c.status, err)
		}
		last := s.said[len(s.said)-1]
		if c.program != "dism.exe" && !slices.Contains(last.Args, filepath.Join(p.dir, "tmp")+`\`+detachScript) {
			t.Errorf("%s fails: the last word was %s %q", c.program, last.Name, last.Args)
		}
	}
}

// TestVirtualLinks: a link in place of the hive would have had another file of
// the host edited.
func TestVirtualLinks(t *testing.T) {
	t.Parallel()
	theirs := filepath.Join(t.TempDir(), "SYSTEM")
	before := smallWindows(t, nil)["Windows/System32/config/SYSTEM"]
	if err := os.WriteFile(theirs, before, 0o600); err != nil {
		t.Fatal(err)
	}
	image := writeImage(t, smallWindows(t, map[string][]byte{"Windows/System32/config/SYSTEM": nil}))
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(theirs, link); err != nil {
		t.Fatal(err)
	}
	foreign(t, "wimlib-imagex", "update", image, "1", "--command=add "+link+" /Windows/System32/config/SYSTEM")
	s, p := newStandIn(t, specFor(image, protocol.LayoutMBRDual))
	s.fails = true
	if f := protocol.AsFault(p.run(t.Context())); f == nil || f.Code != protocol.FaultImageContent {
		t.Errorf("got %v", f)
	}
	if after, err := os.ReadFile(theirs); err != nil || !bytes.Equal(before, after) {
		t.Error("the host's file was changed")
	}
}
