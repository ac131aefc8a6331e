package stick

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

// The two sets of boot managers end up under the same names.
func TestBootSignature(t *testing.T) {
	t.Parallel()
	image := writeImage(t, smallWindows(t, nil))
	for signature, want := range map[string]map[string]string{
		protocol.BootSignature2011: {
			"EFI/Boot/bootx64.efi": "bootmgfw.efi 2011", "EFI/Microsoft/Boot/bootmgfw.efi": "bootmgfw.efi 2011",
			"EFI/Microsoft/Boot/Fonts/wgl4_boot.ttf": "font 2011", "EFI/Microsoft/Boot/Fonts/other.ttf": "other",
			"EFI/Microsoft/Boot/en-US/x.mui": "x.mui", "EFI/Microsoft/Boot/Resources/bootres.dll": "bootres.dll",
			"bootmgr": "bootmgr", "Boot/memtest.exe": "memtest.exe", "Boot/Fonts/wgl4_boot.ttf": "font 2011",
		},
		protocol.BootSignature2023: {
			"EFI/Boot/bootx64.efi": "bootmgfw.efi 2023", "EFI/Microsoft/Boot/bootmgfw.efi": "bootmgfw.efi 2023",
			"EFI/Microsoft/Boot/Fonts/wgl4_boot.ttf": "font 2023", "EFI/Microsoft/Boot/Fonts/other.ttf": "other",
			"EFI/Microsoft/Boot/memtest.efi": "memtest.efi", "bootmgr": "bootmgr",
		},
	} {
		t.Run(signature, func(t *testing.T) {
			t.Parallel()
			spec := specFor(image, protocol.LayoutMBRDual)
			spec.BootSignature = signature
			m, err := Prepare(t.Context(), t.TempDir(), spec, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			volume := filepath.Join(m.dir, systemFile)
			for path, content := range want {
				if got := foreign(t, "mtype", "-i", volume, "::/"+path); got != content {
					t.Errorf("%s is %q, want %q", path, got, content)
				}
			}
			if list := foreign(t, "mdir", "-/", "-b", "-i", volume, "::/"); strings.Contains(strings.ToUpper(list), "_EX") {
				t.Errorf("a name kept its suffix:\n%s", list)
			}
			foreign(t, "fsck.fat", "-n", volume)
		})
	}
}

// An image that brings boot stores along does not get them onto the stick.
func TestBootStoreOfTheImage(t *testing.T) {
	t.Parallel()
	image := writeImage(t, smallWindows(t, map[string][]byte{
		"Windows/Boot/EFI/BCD": []byte("theirs"), "Windows/Boot/PCAT/bcd": []byte("theirs"),
	}))
	m, err := Prepare(t.Context(), t.TempDir(), specFor(image, protocol.LayoutMBRDual), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, firmware := range m.plan.firmwares() {
		want, err := emptyStore(m.plan, firmware)
		if err != nil {
			t.Fatal(err)
		}
		if got := foreign(t, "mtype", "-i", filepath.Join(m.dir, systemFile), "::/"+storePath(firmware)); got != string(want) {
			t.Errorf("%v: the stick's store has %d bytes, want ours of %d", firmware, len(got), len(want))
		}
	}
}

// The folder of the answer file is made where the image has none, closed to
// all but SYSTEM and Administrators, and whatever shadows the answer file is
// gone in all its spellings.
func TestAnswerFilePlace(t *testing.T) {
	t.Parallel()
	old := []byte("<old/>")
	for name, files := range map[string]map[string][]byte{
		"no Panther": nil,
		"shadows": {
			"Windows/Panther/Unattend.XML": old, "Windows/Panther/unattend.xml": old, "Windows/Panther/AutoUnattend.xml": old,
			"Windows/Panther/UNATTEND/autounattend.xml": old, "Windows/Panther/setupact.log": old,
			"Windows/System32/SysPrep/Unattend.xml": old, "Windows/System32/SysPrep/keep.exe": old,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := Prepare(t.Context(), t.TempDir(), specFor(writeImage(t, smallWindows(t, files)), protocol.LayoutMBRDual), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			volume := filepath.Join(m.dir, windowsFile)
			panther := strings.Fields(foreign(t, "ntfsls", "-f", "-p", "Windows/Panther", volume))
			want := []string{".", "..", "unattend.xml"}
			if files != nil {
				want = []string{".", "..", "setupact.log", "unattend.xml"}
				if sysprep := strings.Fields(foreign(t, "ntfsls", "-f", "-p", "Windows/System32/SysPrep", volume)); !slices.Equal(sysprep, []string{".", "..", "keep.exe"}) {
					t.Errorf("SysPrep holds %q", sysprep)
				}
			}
			if !slices.Equal(panther, want) {
				t.Errorf("Panther holds %q", panther)
			}
			closed := []string{"Windows/Panther/unattend.xml"}
			if files == nil {
				closed = append(closed, "Windows/Panther")
			}
			for _, path := range closed {
				out := foreign(t, "ntfssecaudit", "-v", volume, path)
				if !strings.Contains(out, "owner S-1-5-32-544") || !strings.Contains(out, "No errors were found") || strings.Contains(out, "01010000 00000001 00000000") {
					t.Errorf("%s:\n%s", path, out)
				}
				info := foreign(t, "ntfsinfo", "-F", path, volume)
				if strings.Count(info, "SID: S-1-5-18")+strings.Count(info, "SID: S-1-5-32-544") < 2 || strings.Contains(info, "S-1-1-0") {
					t.Errorf("%s:\n%s", path, info)
				}
			}
		})
	}
}
