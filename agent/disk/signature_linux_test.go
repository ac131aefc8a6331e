package disk

import (
	"os"
	"os/exec"
	"path/filepath"
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
