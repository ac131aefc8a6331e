package press

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/bcd"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
)

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
	if label := strings.TrimSpace(tool(t, "blkid", "-p", "-o", "value", "-s", "LABEL", system)); label != stick.SystemLabel(s.personal.StickID) {
		t.Errorf("FAT label %s", label)
	}
	s.checkTag(t, layout, system, ids)
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

// checkTag reads the stick's manifest with mtools and compares it with what
// other tools say about the stick.
func (s pressed) checkTag(t *testing.T, layout, system string, ids identity) {
	t.Helper()
	raw := tool(t, "mtype", "-i", system, "::/"+stick.TagName)
	var tag struct {
		Stick, Name, Image, Job, Reference, Layout, Master string
		ImageVersion                                       string `json:"image_version"`
		DiskID                                             string `json:"disk_id"`
	}
	if err := json.Unmarshal([]byte(raw), &tag); err != nil {
		t.Fatal(err)
	}
	if want := s.personal.Tag; len(raw) != 8<<10 || tag.Stick != s.personal.StickID || tag.Image != want.Image || tag.ImageVersion != want.ImageVersion ||
		tag.Job != want.Job || tag.Reference != want.Reference || tag.Layout != layout || tag.Master != s.master.Digest() {
		t.Errorf("%s of %d bytes: %+v", stick.TagName, len(raw), tag)
	}
	if !strings.EqualFold(tag.DiskID, strings.TrimPrefix(ids.disk, "0x")) {
		t.Errorf("%s names disk %s, sfdisk %s", stick.TagName, tag.DiskID, ids.disk)
	}
	if strings.Contains(raw, "unattend") {
		t.Errorf("%s holds the answer file", stick.TagName)
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
