// Package press holds the test of the whole stick engine: the sample image is
// prepared and pressed onto sticks that are full of old bytes, and foreign
// tools say what they find on them.
package press

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/bcd"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
	"github.com/stickpress/stickpress/agent/volume"
	"github.com/stickpress/stickpress/cmd/e2e/sample"
)

const (
	mib = 1 << 20
	gib = 1 << 30
	// stickBytes is what is sold as 32 GB.
	stickBytes = 30_752_636_928
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

// imagePath is the sample, made once for all tests.
var imagePath string

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "stickpress-press-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	imagePath, err = sample.Make(context.Background(), dir, sample.Options{SmallFiles: 600, BigFiles: 2, BigBytes: 5 * mib})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "MTOOLSRC=/dev/null", "MTOOLS_SKIP_CHECK=1", "LC_ALL=C.UTF-8")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, stderr.Bytes())
	}
	return string(out)
}

// silent is a Reporter for tests that look at the outcome.
type silent struct{ t *testing.T }

func (silent) StepBegun(protocol.Step)              {}
func (silent) StepDone(protocol.Step)               {}
func (silent) Touched() error                       { return nil }
func (silent) Progress(protocol.Step, int64, int64) {}
func (s silent) Log(l protocol.LogLine)             { s.t.Log(l) }

// noDiscard keeps old bytes where they are, as most sticks do.
type noDiscard struct{ *stick.File }

func (noDiscard) Discard(int64, int64) error { return errors.ErrUnsupported }

// pressed is a stick that was pressed, and what it was made from.
type pressed struct {
	path     string
	sector   int64
	master   *stick.Master
	personal stick.Personal
	answer   []byte
}

// press prepares a master and presses it onto n sticks full of 0xA5.
func press(t *testing.T, layout string, sector, n int) []pressed {
	t.Helper()
	dir := t.TempDir()
	m, err := stick.Prepare(t.Context(), filepath.Join(dir, "masters"), stick.Spec{
		ImagePath: imagePath, ImageSHA256: "sample", Edition: 1, Layout: layout, CapacityClass: 28 * gib, SectorSize: sector,
		BootSignature: protocol.BootSignature2011, PortableOperatingSystem: true,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	var sticks []pressed
	var targets []stick.Target
	for i := range n {
		answer := fmt.Appendf(nil, "<?xml version=\"1.0\"?>\n<unattend xmlns=\"urn:schemas-microsoft-com:unattend\"><!-- %d --></unattend>", i)
		personal, err := stick.NewPersonal(layout, rand.Reader, fmt.Sprint("stick_", i), answer)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, fmt.Sprint("stick", i, ".img"))
		fillOld(t, path, m.Extents())
		d, err := stick.OpenFile(path, sector)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		targets = append(targets, stick.Target{Device: noDiscard{d}, Personal: personal, Context: t.Context(), Report: silent{t}})
		sticks = append(sticks, pressed{path, int64(sector), m, personal, answer})
	}
	for _, o := range stick.Press(t.Context(), m, targets) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	return sticks
}

// fillOld makes a stick file that holds 0xA5 at both ends and wherever
// content will be, and 4 MiB around it: a byte that should have been written
// and was not shows.
func fillOld(t *testing.T, path string, used []volume.Extent) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(stickBytes); err != nil {
		t.Fatal(err)
	}
	around := append([]volume.Extent{{Offset: 0, Length: 2 * mib}, {Offset: stickBytes - 4*mib, Length: 4 * mib}}, used...)
	for i, e := range around {
		from, to := max(0, e.Offset-4*mib), min(stickBytes, e.End()+4*mib)
		around[i] = volume.Extent{Offset: from, Length: to - from}
	}
	old := bytes.Repeat([]byte{0xA5}, 4*mib)
	for _, e := range volume.Join(around, 0) {
		for at := e.Offset; at < e.End(); at += int64(len(old)) {
			if _, err := f.WriteAt(old[:min(int64(len(old)), e.End()-at)], at); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestPress(t *testing.T) {
	t.Parallel()
	for _, layout := range []string{protocol.LayoutMBRDual, protocol.LayoutGPTUEFI} {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			sticks := press(t, layout, 512, 2)
			for i, s := range sticks {
				t.Run(fmt.Sprint("stick ", i), func(t *testing.T) {
					t.Parallel()
					ids := s.table(t, layout)
					system, windows := s.partition(t, stick.RoleSystem), s.partition(t, stick.RoleWindows)
					s.checkSystem(t, layout, system, ids)
					s.checkWindows(t, windows)
					s.checkBitmap(t, windows)
					if i == 0 { // the same bytes on both
						s.checkFiles(t, windows)
					}
				})
			}
		})
	}
}

// Sticks with 4096-byte sectors: all structures count in those.
func TestPress4Kn(t *testing.T) {
	t.Parallel()
	s := press(t, protocol.LayoutGPTUEFI, 4096, 1)[0]
	if out := tool(t, "fdisk", "-b", "4096", "-l", s.path); !strings.Contains(out, strings.ToUpper(s.personal.DiskGUID.String())) || !strings.Contains(out, "EFI System") {
		t.Errorf("fdisk:\n%s", out)
	}
	system, windows := s.partition(t, stick.RoleSystem), s.partition(t, stick.RoleWindows)
	tool(t, "fsck.fat", "-n", system)
	s.checkWindows(t, windows)
	s.checkBitmap(t, windows)
}

// identity is what the partition table says about disk and partitions.
type identity struct {
	disk       string
	partitions []string
}

// table has the partition table judged and returns what is in it.
func (s pressed) table(t *testing.T, layout string) identity {
	t.Helper()
	if out := tool(t, "sfdisk", "--verify", s.path); !strings.Contains(out, "No errors detected") {
		t.Errorf("sfdisk:\n%s", out)
	}
	if layout == protocol.LayoutGPTUEFI {
		if out := tool(t, "sgdisk", "-v", s.path); !strings.Contains(out, "No problems found") {
			t.Errorf("sgdisk:\n%s", out)
		}
	}
	var dump struct {
		Table struct {
			ID         string
			Partitions []struct {
				Start, Size int64
				UUID        string
			}
		} `json:"partitiontable"`
	}
	if err := json.Unmarshal([]byte(tool(t, "sfdisk", "--json", s.path)), &dump); err != nil {
		t.Fatal(err)
	}
	ids := identity{disk: dump.Table.ID}
	for i, p := range dump.Table.Partitions {
		ids.partitions = append(ids.partitions, p.UUID)
		if want := s.master.Plan().Partitions[i]; p.Start*512 != want.Offset || p.Size*512 != want.Length {
			t.Errorf("partition %d: %+v, want %+v", i+1, p, want)
		}
	}
	return ids
}

// partition copies a partition's allocated bytes, old ones too, into a file.
func (s pressed) partition(t *testing.T, role stick.Role) string {
	t.Helper()
	part := s.master.Plan().Partition(role)
	in, err := os.Open(s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	path := filepath.Join(t.TempDir(), string(role)+".img")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := out.Truncate(part.Length); err != nil {
		t.Fatal(err)
	}
	for at := part.Offset; at < part.End(); {
		data, err := unix.Seek(int(in.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) || data >= part.End() {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		hole, err := unix.Seek(int(in.Fd()), data, unix.SEEK_HOLE)
		if err != nil {
			t.Fatal(err)
		}
		hole = min(hole, part.End())
		if _, err := out.Seek(data-part.Offset, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(out, io.NewSectionReader(in, data, hole-data)); err != nil {
			t.Fatal(err)
		}
		at = hole
	}
	return path
}

// checkSystem looks at the FAT32 volume and the boot stores on it.
func (s pressed) checkSystem(t *testing.T, layout, system string, ids identity) {
	t.Helper()
	tool(t, "fsck.fat", "-n", system)
	if uuid := strings.TrimSpace(tool(t, "blkid", "-p", "-o", "value", "-s", "UUID", system)); uuid != fmt.Sprintf("%04X-%04X", s.personal.FATSerial>>16, s.personal.FATSerial&0xffff) {
		t.Errorf("FAT serial %s", uuid)
	}
	if label := strings.TrimSpace(tool(t, "blkid", "-p", "-o", "value", "-s", "LABEL", system)); label != stick.LabelSystem {
		t.Errorf("FAT label %s", label)
	}
	// Boot files are those of the image.
	image := t.TempDir()
	tool(t, "wimlib-imagex", "extract", imagePath, "1", "/Windows/Boot", "--dest-dir="+image, "--no-acls")
	files := map[string]string{
		"EFI/Boot/bootx64.efi": "EFI/bootmgfw.efi", "EFI/Microsoft/Boot/bootmgfw.efi": "EFI/bootmgfw.efi",
		"EFI/Microsoft/Boot/Fonts/wgl4_boot.ttf": "Fonts/wgl4_boot.ttf", "EFI/Microsoft/Boot/Resources/bootres.dll": "Resources/bootres.dll",
	}
	stores := map[string]bcd.Firmware{"EFI/Microsoft/Boot/BCD": bcd.UEFI}
	if layout == protocol.LayoutMBRDual {
		files["bootmgr"], files["Boot/Fonts/wgl4_boot.ttf"] = "PCAT/bootmgr", "Fonts/wgl4_boot.ttf"
		stores["Boot/BCD"] = bcd.BIOS
	}
	for path, from := range files {
		want, err := os.ReadFile(filepath.Join(image, "Boot", from))
		if err != nil {
			t.Fatal(err)
		}
		if got := tool(t, "mtype", "-i", system, "::/"+path); got != string(want) {
			t.Errorf("%s is not the image's", path)
		}
	}
	for path, firmware := range stores {
		s.checkStore(t, layout, firmware, []byte(tool(t, "mtype", "-i", system, "::/"+path)), ids)
	}
}

// checkStore compares a boot store with one that is made from what the
// partition table, as sfdisk reads it, says about the disk; and has hivex
// read it.
func (s pressed) checkStore(t *testing.T, layout string, firmware bcd.Firmware, store []byte, ids identity) {
	t.Helper()
	want := bcd.Store{
		Firmware: firmware, Description: "Windows", Locale: "en-US", Timeout: 30,
		Loader: s.personal.LoaderID, Resume: s.personal.ResumeID,
	}
	if layout == protocol.LayoutMBRDual {
		signature, err := strconv.ParseUint(strings.TrimPrefix(ids.disk, "0x"), 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		want.Boot, want.Windows = bcd.MBR{Signature: uint32(signature), Offset: mib}, bcd.MBR{Signature: uint32(signature), Offset: 351 * mib}
	} else {
		var guids []bcd.GUID
		for _, text := range append([]string{ids.disk}, ids.partitions...) {
			g, err := bcd.ParseGUID(text)
			if err != nil {
				t.Fatal(err)
			}
			guids = append(guids, g)
		}
		want.Boot, want.Windows = bcd.GPT{Disk: guids[0], Partition: guids[1]}, bcd.GPT{Disk: guids[0], Partition: guids[3]}
	}
	raw, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw, store) {
		t.Errorf("boot store for %v does not name this disk", firmware)
	}
	file := filepath.Join(t.TempDir(), "BCD")
	if err := os.WriteFile(file, store, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := tool(t, "hivexregedit", "--export", file, `\Objects`); !strings.Contains(out, s.personal.LoaderID.Braced()) {
		t.Errorf("hivexregedit finds no loader:\n%.2000s", out)
	}
}

// checkWindows looks at the NTFS volume: its state, the settings, the answer
// file and who may read it.
func (s pressed) checkWindows(t *testing.T, windows string) {
	t.Helper()
	tool(t, "ntfsfix", "-n", windows)
	if out := tool(t, "ntfsinfo", "-m", windows); !strings.Contains(out, "Volume Name: "+stick.LabelWindows) || !strings.Contains(out, fmt.Sprintf("Sector Size: %d", s.sector)) {
		t.Errorf("ntfsinfo:\n%s", out)
	}
	if uuid := strings.TrimSpace(tool(t, "blkid", "-p", "-o", "value", "-s", "UUID", windows)); uuid != fmt.Sprintf("%016X", s.personal.NTFSSerial) {
		t.Errorf("NTFS serial %s, want %016X", uuid, s.personal.NTFSSerial)
	}
	// The volume begins where its boot sector says.
	boot := make([]byte, 512)
	f, err := os.Open(windows)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(boot, 0); err != nil {
		t.Fatal(err)
	}
	hidden := int64(boot[28]) | int64(boot[29])<<8 | int64(boot[30])<<16 | int64(boot[31])<<24
	if part := s.master.Plan().Partition(stick.RoleWindows); hidden*s.sector != part.Offset {
		t.Errorf("%d hidden sectors, the partition begins at %d", hidden, part.Offset/s.sector)
	}

	answer := tool(t, "ntfscat", windows, "Windows/Panther/unattend.xml")
	if len(answer) != stick.AnswerFileLimit || strings.TrimRight(answer, " ") != string(s.answer) {
		t.Errorf("answer file of %d bytes: %.200q", len(answer), answer)
	}
	audit := tool(t, "ntfssecaudit", "-v", windows, "Windows/Panther/unattend.xml")
	info := tool(t, "ntfsinfo", "-F", "Windows/Panther/unattend.xml", windows)
	if !strings.Contains(audit, "No errors were found") || !strings.Contains(audit, "owner S-1-5-32-544") ||
		strings.Count(info, "type:allow") != 2 || !strings.Contains(info, "SID: S-1-5-18") || !strings.Contains(info, "SID: S-1-5-32-544") {
		t.Errorf("who may read the answer file:\n%s\n%s", audit, info)
	}
	for _, dir := range []string{"Windows/Panther", "Windows/System32/Sysprep"} {
		for _, name := range strings.Split(tool(t, "ntfsls", "-f", "-p", dir, windows), "\n") {
			if strings.Contains(strings.ToLower(name), "unattend") && name != "unattend.xml" {
				t.Errorf("%s holds %s", dir, name)
			}
		}
	}

	hive := filepath.Join(t.TempDir(), "SYSTEM")
	if err := os.WriteFile(hive, []byte(tool(t, "ntfscat", windows, "Windows/System32/config/SYSTEM")), 0o600); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		`ControlSet001\Services\partmgr\Parameters SanPolicy`:                      "4",
		`ControlSet001\Control PortableOperatingSystem`:                            "1",
		`ControlSet001\Control\Session Manager\Power HiberbootEnabled`:             "0",
		`ControlSet001\Control\BitLocker PreventDeviceEncryption`:                  "1",
		`ControlSet001\Control\ComputerName\ComputerName ComputerName`:             "SAMPLE-PC",
		`ControlSet001\Control\Session Manager\Environment PROCESSOR_ARCHITECTURE`: "AMD64",
	} {
		at := strings.LastIndexByte(key, ' ')
		if got := strings.TrimSpace(tool(t, "hivexget", hive, key[:at], key[at+1:])); got != want {
			t.Errorf("%s = %q, want %s", key, got, want)
		}
	}
	for _, key := range []string{"Setup", "MountedDevices"} {
		if out := tool(t, "hivexregedit", "--export", hive, `\`+key); strings.Contains(out, "UnattendFile") || strings.Contains(out, "DosDevices") {
			t.Errorf("%s:\n%s", key, out)
		}
	}
}

// checkBitmap asks ntfscat for the bitmap: every cluster that it calls used
// was written.
func (s pressed) checkBitmap(t *testing.T, windows string) {
	t.Helper()
	bitmap := tool(t, "ntfscat", "-f", "-i", "6", windows)
	part := s.master.Plan().Partition(stick.RoleWindows)
	written := s.master.Extents()
	at := 0
	for c := range (part.Length/s.sector - 1) * s.sector / 4096 {
		if bitmap[c/8] == 0 || bitmap[c/8]>>(c%8)&1 == 0 {
			continue
		}
		offset := part.Offset + c*4096
		for at < len(written) && written[at].End() <= offset {
			at++
		}
		if at == len(written) || offset < written[at].Offset {
			t.Fatalf("cluster %d is in use and was not written", c)
		}
	}
	if last := written[len(written)-1]; last.End() != part.End() {
		t.Error("the backup boot sector was not written")
	}
}

// checkFiles compares every file and directory with the image: names,
// content, attributes, times, security descriptors. What we change is named.
func (s pressed) checkFiles(t *testing.T, windows string) {
	t.Helper()
	captured := filepath.Join(t.TempDir(), "captured.wim")
	tool(t, "wimlib-imagex", "capture", windows, captured, "--compress=none")
	want, have := describe(t, imagePath), describe(t, captured)
	ours := func(path string) bool {
		lower := strings.ToLower(path)
		return strings.HasPrefix(lower, "/windows/panther/unattend") || lower == "/windows/system32/sysprep/unattend.xml"
	}
	for path, w := range want {
		h, ok := have[path]
		switch {
		case ours(path):
		case !ok:
			t.Errorf("%s is missing", path)
		case path == "/Windows/System32/config/SYSTEM":
			if h.content == w.content || h.security != w.security || h.attributes != w.attributes {
				t.Errorf("%s: %+v, was %+v", path, h, w)
			}
		case h != w:
			t.Errorf("%s: %+v, want %+v", path, h, w)
		}
	}
	for path := range have {
		if _, ok := want[path]; !ok && path != "/Windows/Panther/unattend.xml" && path != "/System Volume Information" {
			t.Errorf("%s is not in the image", path)
		}
	}
	if len(want) < 600 {
		t.Errorf("only %d files were compared", len(want))
	}
}

// file is what wimlib knows about one.
type file struct{ attributes, security, created, written, content, links string }

func describe(t *testing.T, wim string) map[string]file {
	t.Helper()
	files := make(map[string]file)
	var path string
	for line := range strings.Lines(tool(t, "wimlib-imagex", "dir", wim, "1", "--detailed")) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		key = strings.TrimSpace(key)
		if key == "Full Path" {
			path = strings.Trim(value, `"`)
			files[path] = file{}
			continue
		}
		f := files[path]
		switch key {
		case "Attributes":
			// FILE_ATTRIBUTE_NORMAL says that there is no other attribute.
			f.attributes = strings.Replace(value, "0x00000080", "0x00000000", 1)
		case "Security Descriptor":
			f.security = value
		case "Creation Time":
			f.created = value
		case "Last Write Time":
			f.written = value
		case "Link Count":
			f.links = value
		case "Hash":
			f.content += value + " "
		}
		files[path] = f
	}
	delete(files, "/")
	return files
}
