package stick

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/volume"
)

func TestClassFor(t *testing.T) {
	t.Parallel()
	for size, want := range map[int64]int64{
		28 * gib: 28 * gib, 30_752_636_928: 28 * gib, 64_000_000_000: 56 * gib, 2048 * gib: 896 * gib, 56*gib - 1: 28 * gib,
	} {
		if got, err := ClassFor(size); err != nil || got != want {
			t.Errorf("%d: %d, %v", size, got, err)
		}
	}
	_, err := ClassFor(16_000_000_000)
	if f := protocol.AsFault(err); f.Code != protocol.FaultTooSmall || f.Params["missing_bytes"] != "14064771072" {
		t.Errorf("%v", err)
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	type part struct {
		role          Role
		offset, bytes int64
	}
	for _, class := range Classes {
		for layout, want := range map[string][]part{
			protocol.LayoutMBRDual: {{RoleSystem, mib, 350 * mib}, {RoleWindows, 351 * mib, class - 351*mib}},
			protocol.LayoutGPTUEFI: {{RoleSystem, mib, 260 * mib}, {RoleReserved, 261 * mib, 16 * mib}, {RoleWindows, 277 * mib, class - 278*mib}},
		} {
			p, err := NewPlan(layout, class, 512)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Partitions) != len(want) {
				t.Fatalf("%s: %v", layout, p.Partitions)
			}
			for i, w := range want {
				if got := p.Partitions[i]; got.Role != w.role || got.Offset != w.offset || got.Length != w.bytes {
					t.Errorf("%s of %d: %v, want %v", layout, class, got, w)
				}
			}
			// A device that is exactly as large as its class takes its table.
			if _, err := p.table(Personal{DiskSignature: 1}, class); err != nil {
				t.Error(err)
			}
		}
	}
	for _, c := range []struct {
		layout string
		class  int64
		sector int
	}{{protocol.LayoutMBRDual, 28 * gib, 1024}, {protocol.LayoutGPTUEFI, 28 * gib, 520}} {
		if _, err := NewPlan(c.layout, c.class, c.sector); !errors.Is(err, protocol.NewFault(protocol.FaultSectorSize)) {
			t.Errorf("%v: %v", c, err)
		}
	}
	if _, err := NewPlan(protocol.LayoutMBRDual, 30*gib, 512); err == nil {
		t.Error("30 GiB is a class")
	}
	if _, err := NewPlan("floppy", 28*gib, 512); err == nil {
		t.Error("floppy is a layout")
	}
	p, err := NewPlan(protocol.LayoutMBRDual, 896*gib, 512)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(3000*gib, 512); err != nil {
		t.Errorf("on a device of which an MBR counts a part: %v", err)
	}
}

func foreign(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// Foreign tools read the tables of real device sizes.
func TestTable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		layout string
		sector int
		size   int64
	}{
		"mbr": {protocol.LayoutMBRDual, 512, 30_752_636_928}, "mbr exact": {protocol.LayoutMBRDual, 512, 28 * gib},
		"gpt": {protocol.LayoutGPTUEFI, 512, 30_752_636_928}, "gpt exact": {protocol.LayoutGPTUEFI, 512, 28 * gib},
		"gpt odd": {protocol.LayoutGPTUEFI, 512, 28*gib + 777*512}, "gpt 4Kn": {protocol.LayoutGPTUEFI, 4096, 30_752_636_928},
		"mbr 4Kn": {protocol.LayoutMBRDual, 4096, 30_752_636_928}, "mbr on 3 TiB": {protocol.LayoutMBRDual, 512, 3072 * gib},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, err := NewPlan(c.layout, 28*gib, c.sector)
			if err != nil {
				t.Fatal(err)
			}
			personal, err := NewPersonal(c.layout, rand.Reader, "stick_1", nil)
			if err != nil {
				t.Fatal(err)
			}
			table, err := plan.table(personal, c.size)
			if err != nil {
				t.Fatal(err)
			}
			if table[len(table)-1].Offset != 0 {
				t.Error("sector 0 is not the last to be written")
			}
			path := filepath.Join(t.TempDir(), "stick.img")
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := errors.Join(f.Truncate(c.size), volume.Apply(f, table)); err != nil {
				t.Fatal(err)
			}
			if c.sector == 4096 {
				// The other tools assume 512 bytes for files.
				out := foreign(t, "fdisk", "-b", "4096", "-l", path)
				wants := []string{"Disklabel type: gpt", strings.ToUpper(personal.DiskGUID.String()), "EFI System", "Microsoft reserved", "Microsoft basic data"}
				if c.layout == protocol.LayoutMBRDual {
					wants = []string{"Disklabel type: dos", "0x" + personal.DiskID(c.layout), "W95 FAT32 (LBA)", "HPFS/NTFS/exFAT", " 350M ", " 27.7G "}
				}
				for _, want := range wants {
					if !strings.Contains(out, want) {
						t.Errorf("fdisk does not say %q:\n%s", want, out)
					}
				}
				return
			}
			if out := foreign(t, "sfdisk", "--verify", path); !strings.Contains(out, "No errors detected") {
				t.Errorf("sfdisk:\n%s", out)
			}
			if c.layout == protocol.LayoutGPTUEFI {
				if out := foreign(t, "sgdisk", "-v", path); !strings.Contains(out, "No problems found") {
					t.Errorf("sgdisk:\n%s", out)
				}
			}
			checkDump(t, foreign(t, "sfdisk", "--json", path), plan, personal)
		})
	}
}

// checkDump compares what sfdisk reads with what was meant.
func checkDump(t *testing.T, raw string, plan *Plan, personal Personal) {
	var dump struct {
		Table struct {
			ID         string
			Label      string
			Partitions []struct {
				Start, Size       int64
				Type, UUID, Attrs string
				Bootable          bool
			}
		} `json:"partitiontable"`
	}
	// It warns of devices that the table does not cover.
	if err := json.Unmarshal([]byte(raw[strings.Index(raw, "{"):]), &dump); err != nil {
		t.Fatal(err)
	}
	d := dump.Table
	id, types := "0x"+personal.DiskID(plan.Layout), []string{"c", "7"}
	if plan.Layout == protocol.LayoutGPTUEFI {
		id = strings.ToUpper(personal.DiskGUID.String())
		types = []string{typeESP.String(), typeReserved.String(), typeBasicData.String()}
	}
	if d.ID != id || len(d.Partitions) != len(plan.Partitions) {
		t.Fatalf("sfdisk reads\n%s", raw)
	}
	for i, p := range plan.Partitions {
		got := d.Partitions[i]
		if got.Start*512 != p.Offset || got.Size*512 != p.Length || !strings.EqualFold(got.Type, types[i]) {
			t.Errorf("partition %d: %+v, want %+v of type %s", i+1, got, p, types[i])
		}
		if plan.Layout == protocol.LayoutMBRDual && got.Bootable != (p.Role == RoleSystem) {
			t.Errorf("partition %d: bootable %v", i+1, got.Bootable)
		}
		if noLetter := got.Attrs == "GUID:63"; noLetter != (plan.Layout == protocol.LayoutGPTUEFI && p.Role == RoleWindows) {
			t.Errorf("partition %d: attributes %q", i+1, got.Attrs)
		}
	}
}

func TestAnswerFilePadding(t *testing.T) {
	t.Parallel()
	utf16le := append([]byte{0xFF, 0xFE}, '<', 0, 'x', 0, '/', 0, '>', 0)
	for _, data := range [][]byte{nil, []byte("<x/>"), utf16le, bytes.Repeat([]byte("x"), AnswerFileLimit)} {
		padded, err := padAnswerFile(data)
		if err != nil || len(padded) != AnswerFileLimit || !bytes.HasPrefix(padded, data) || bytes.Contains(padded[max(len(data), 100):], []byte{0, 0}) {
			t.Errorf("%.10q: %d bytes, %v", data, len(padded), err)
		}
	}
	if padded, _ := padAnswerFile(utf16le); !bytes.HasSuffix(padded, []byte{' ', 0, ' ', 0}) {
		t.Error("UTF-16 is padded with bytes")
	}
	if _, err := padAnswerFile(utf16le[:5]); err == nil {
		t.Error("half a character was accepted")
	}
	_, err := NewPersonal(protocol.LayoutMBRDual, rand.Reader, "s", make([]byte, AnswerFileLimit+1))
	if f := protocol.AsFault(err); f.Code != protocol.FaultAnswerSize || f.Params["limit_bytes"] != "65536" {
		t.Errorf("%v", err)
	}
}

func TestPersonal(t *testing.T) {
	t.Parallel()
	if _, err := NewPersonal(protocol.LayoutGPTUEFI, bytes.NewReader(make([]byte, 20)), "s", nil); err == nil {
		t.Error("too little randomness was accepted")
	}
	p, err := NewPersonal(protocol.LayoutGPTUEFI, rand.Reader, "stick_7", []byte("<unattend>secret</unattend>"))
	if err != nil {
		t.Fatal(err)
	}
	if s := p.String(); strings.Contains(s, "secret") || !strings.Contains(s, "stick_7") {
		t.Errorf("printed as %q", s)
	}
	if p.DiskID(protocol.LayoutGPTUEFI) != p.DiskGUID.String() {
		t.Error(p.DiskID(protocol.LayoutGPTUEFI))
	}
	if id := (Personal{DiskSignature: 0xAB}).DiskID(protocol.LayoutMBRDual); id != "000000ab" {
		t.Error(id)
	}
}

// All that a Spec says changes the digest, but for where the image lies.
func TestDigest(t *testing.T) {
	t.Parallel()
	base := Spec{ImagePath: "a", ImageSHA256: "x", Edition: 1, Layout: "l", CapacityClass: 1, SectorSize: 1, BootSignature: "2011"}
	seen := map[string]bool{base.Digest(): true}
	for _, change := range []func(*Spec){
		func(s *Spec) { s.ImageSHA256 = "y" }, func(s *Spec) { s.Edition = 2 }, func(s *Spec) { s.Layout = "m" },
		func(s *Spec) { s.CapacityClass = 2 }, func(s *Spec) { s.SectorSize = 2 }, func(s *Spec) { s.BootSignature = "2023" },
		func(s *Spec) { s.PortableOperatingSystem = true },
	} {
		s := base
		change(&s)
		if seen[s.Digest()] {
			t.Errorf("%+v has the digest of another", s)
		}
		seen[s.Digest()] = true
	}
	base.ImagePath = "b"
	if !seen[base.Digest()] {
		t.Error("the image's path is part of the digest")
	}
}
