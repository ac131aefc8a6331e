package apitest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// DiskBytes is the size of the disk of DiskImage.
const DiskBytes = 4 << 20

// DiskImage makes a disk of 4 MiB with an MBR, whose signature is cafe1234, and
// content in two places; a script (Debian: fdisk, zstd, xz-utils, qemu-utils,
// bmap-tools) turns the file "disk" into the file "out", whose bytes it returns.
func DiskImage(t testing.TB, script string) []byte {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", `truncate -s 4M disk
printf 'label: dos\nlabel-id: 0xcafe1234\nstart=2048,type=c,bootable\n' | sfdisk -q disk
printf content | dd of=disk bs=1 seek=2000000 conv=notrunc status=none
`+script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
