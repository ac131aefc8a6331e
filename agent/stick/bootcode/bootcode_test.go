package bootcode

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestAssembled assembles the sources again: what is embedded must be what they say.
func TestAssembled(t *testing.T) {
	t.Parallel()
	for name, embedded := range map[string][]byte{"mbr": mbrCode, "fat32": fat32Code} {
		out := filepath.Join(t.TempDir(), name+".bin")
		cmd := exec.Command("nasm", "-f", "bin", "-w+all", "-w+error", "-o", out, name+".asm")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("nasm %s.asm (Debian package nasm): %v\n%s", name, err, text)
		}
		fresh, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(fresh, embedded) {
			t.Errorf("%s.bin is not what %s.asm assembles to: run go generate ./agent/stick/bootcode", name, name)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	if got := len(MBR()); got != MBRCodeSize {
		t.Errorf("master boot record: %d bytes, want %d", got, MBRCodeSize)
	}
	if got := len(fat32Code); got != 2*sectorSize {
		t.Errorf("partition boot record: %d bytes, want %d", got, 2*sectorSize)
	}
	MBR()[0] = 0
	if mbrCode[0] == 0 {
		t.Error("MBR hands out the embedded bytes, not a copy")
	}
}

// format makes a FAT32 volume with mkfs.fat and returns its path.
func format(t *testing.T, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "volume.img")
	args = append([]string{"-F", "32", "-n", "UFD-SYSTEM", "-C", path}, args...)
	args = append(args, "65536")
	if text, err := exec.Command("mkfs.fat", args...).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.fat (Debian package dosfstools): %v\n%s", err, text)
	}
	return path
}

func head(t *testing.T, path string) []byte {
	t.Helper()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return whole[:PatchSize]
}

func TestPatchFAT32(t *testing.T) {
	t.Parallel()
	path := format(t, "-h", "2048")
	before := head(t, path)
	boot := bytes.Clone(before)
	if err := PatchFAT32(boot); err != nil {
		t.Fatal(err)
	}

	if !bytes.Equal(boot[3:bpbEnd], before[3:bpbEnd]) {
		t.Error("OEM name or BPB changed")
	}
	if !bytes.Equal(sector(boot, 1), sector(before, 1)) || !bytes.Equal(sector(boot, 7), sector(before, 7)) {
		t.Error("FSInfo or its backup changed")
	}
	if !bytes.Equal(sector(boot, 0)[bpbEnd:], fat32Code[bpbEnd:sectorSize]) || !bytes.Equal(sector(boot, 2), fat32Code[sectorSize:]) {
		t.Error("code not installed")
	}
	if !bytes.Equal(sector(boot, 6), sector(boot, 0)) || !bytes.Equal(sector(boot, 8), sector(boot, 2)) {
		t.Error("backup differs from the boot sectors")
	}

	again := bytes.Clone(boot)
	if err := PatchFAT32(again); err != nil || !bytes.Equal(again, boot) {
		t.Errorf("second patch: %v, bytes equal: %v", err, bytes.Equal(again, boot))
	}

	// fsck.fat compares boot sector and backup, and complains about anything odd.
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(boot, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.Command("fsck.fat", "-n", path).CombinedOutput(); err != nil {
		t.Errorf("fsck.fat: %v\n%s", err, text)
	}
}

func TestPatchFAT32Refuses(t *testing.T) {
	t.Parallel()
	good := head(t, format(t, "-h", "63"))
	with := func(off int, b ...byte) []byte {
		boot := bytes.Clone(good)
		copy(boot[off:], b)
		return boot
	}
	for name, boot := range map[string][]byte{
		"too short":            good[:PatchSize-1],
		"no mark":              with(offMark, 0),
		"4096-byte sectors":    head(t, format(t, "-h", "63", "-S", "4096", "-s", "1")),
		"hidden sectors 0":     head(t, format(t, "-h", "0")),
		"FAT16":                with(offSectorsPerFAT, 9),
		"root directory fixed": with(offRootEntries, 0, 2),
		"FSInfo in the way":    with(offFSInfo, SecondSector),
		"two reserved sectors": with(offReserved, 2),
		"backup too low":       with(offBackup, SecondSector),
		"backup too high":      with(offBackup, 14),
		"backup in the FAT":    with(offReserved, 8),
	} {
		before := bytes.Clone(boot)
		if err := PatchFAT32(boot); !errors.Is(err, ErrVolume) {
			t.Errorf("%s: got %v, want ErrVolume", name, err)
		}
		if !bytes.Equal(boot, before) {
			t.Errorf("%s: refused, yet changed", name)
		}
	}
}

// TestPatchFAT32NoBackup patches a volume that keeps no backup boot sector.
func TestPatchFAT32NoBackup(t *testing.T) {
	t.Parallel()
	for _, none := range [][]byte{{0, 0}, {0xff, 0xff}} {
		boot := head(t, format(t, "-h", "63"))
		copy(boot[offBackup:], none)
		backup := bytes.Clone(boot[6*sectorSize : 9*sectorSize])
		if err := PatchFAT32(boot); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(boot[6*sectorSize:9*sectorSize], backup) {
			t.Error("a backup was written to a volume without one")
		}
	}
}
