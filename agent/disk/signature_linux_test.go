package disk

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSignatures reads what the real mkfs programs write.
func TestSignatures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		command []string
		want    string
	}{
		"empty":          {[]string{"true"}, ""},
		"NTFS":           {[]string{"mkntfs", "-Q", "-F", "-q", "-L", "Windows"}, "ntfs"},
		"FAT32":          {[]string{"mkfs.fat", "-F", "32", "-n", "UFD-SYSTEM"}, "UFD-SYSTEM"},
		"FAT32 unnamed":  {[]string{"mkfs.fat", "-F", "32"}, "vfat"},
		"FAT16":          {[]string{"mkfs.fat", "-F", "16", "-n", "CAMERA"}, "CAMERA"},
		"ext4":           {[]string{"mkfs.ext4", "-q", "-F", "-L", "backup"}, "backup"},
		"ext2 unlabeled": {[]string{"mke2fs", "-q", "-F", "-t", "ext2"}, "ext"},
		"swap":           {[]string{"mkswap"}, "swap"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "volume")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, 128<<20); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(c.command[0], append(c.command[1:], path)...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %v (install ntfs-3g, dosfstools, e2fsprogs, util-linux)\n%s", c.command, err, out)
			}
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			got := volumes(f, []int64{0, 200 << 20})
			if c.want == "" && len(got) != 0 || c.want != "" && (len(got) != 1 || got[0] != c.want) {
				t.Errorf("volumes %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzSignature(f *testing.F) {
	f.Add([]byte("\xeb\x52\x90NTFS    "))
	f.Add(make([]byte, 129<<10))
	f.Fuzz(func(_ *testing.T, b []byte) { signature(b) })
}

// TestBitLocker: no program here encrypts a volume with BitLocker, so the first
// sectors are made by hand, and blkid says what they are.
func TestBitLocker(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		oem      string
		guid     string
		guidAt   int
		metadata int // where the offsets of the metadata are
	}{
		"Windows 7 and later":   {oem: "-FVE-FS-", metadata: 176},
		"BitLocker To Go":       {"MSWIN4.1", bitLockerToGo, 424, 440},
		"To Go, used part only": {"MSWIN4.1", bitLockerUsed, 424, 440},
	} {
		b := make([]byte, 1<<20)
		copy(b, "\xeb\x58\x90"+c.oem)
		copy(b[c.guidAt:], c.guid)
		copy(b[510:], "\x55\xaa")
		for i := range 3 {
			at := 64 << 10 * (i + 1)
			binary.LittleEndian.PutUint64(b[c.metadata+8*i:], uint64(at))
			copy(b[at:], "-FVE-FS-\x40\x00\x02\x00")
		}
		path := filepath.Join(t.TempDir(), "volume")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("blkid", "-p", "-o", "value", "-s", "TYPE", path).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != "BitLocker" {
			t.Errorf("%s: blkid says %q, %v", name, out, err)
		}
		if got := signature(b[:signatureBytes]); got != bitLocker {
			t.Errorf("%s: signature %q", name, got)
		}
	}
}
