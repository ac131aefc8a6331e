package imagefile

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stickpress/stickpress/api/fault"
)

const mib = 1 << 20

// shell runs the foreign tools that make the files of these tests (Debian:
// gdisk, fdisk, dosfstools, qemu-utils, xorriso, zstd, xz-utils, gzip) in a
// folder with a GPT disk, an MBR disk and a FAT without a table.
func shell(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", `
truncate -s 40M gpt.img mbr.img fat.img
sgdisk -n1:2048:0 -U 01234567-89ab-cdef-0123-456789abcdef gpt.img >&2
printf 'label: dos\nlabel-id: 0xcafe1234\nstart=2048,type=c,bootable\n' | sfdisk -q mbr.img
mkfs.fat fat.img >&2
mkdir tree; head -c 100000 /dev/urandom >tree/boot.img; head -c 3000000 /dev/urandom >tree/data
`+script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

func TestInspectDisk(t *testing.T) {
	t.Parallel()
	dir := shell(t, `
qemu-img convert -f raw -O vpc -o force_size=on gpt.img dynamic.vhd
qemu-img convert -f raw -O vpc -o subformat=fixed,force_size=on mbr.img fixed.vhd
qemu-img convert -f raw -O vhdx gpt.img disk.vhdx
zstd -q gpt.img; zstd -q -c <gpt.img >pipe.zst; xz -0 -k mbr.img; gzip -k fat.img
iso="xorriso -as mkisofs -quiet -V TEST"
$iso -o plain.iso tree; $iso -o disc.iso -b boot.img -no-emul-boot tree
$iso -o hybrid.iso -b boot.img -no-emul-boot -append_partition 2 0xef mbr.img -partition_offset 16 tree
gzip -k hybrid.iso
cp hybrid.iso odd.iso; printf 'EFI PART' | dd of=odd.iso bs=512 seek=1 conv=notrunc
cp gpt.img misnamed.wim
truncate -s 40M ext.img; mkfs.ext4 -q -F ext.img
{ gzip -c mbr.img; head -c 5000 /dev/zero; } >padded.gz
`)
	gpt := Disk{Bytes: 40 * mib, SectorSize: 512, Table: "gpt", DiskID: "01234567-89ab-cdef-0123-456789abcdef", Starts: true}
	mbr := Disk{Bytes: 40 * mib, SectorSize: 512, Table: "mbr", DiskID: "cafe1234", Starts: true}
	fat := Disk{Bytes: 40 * mib, SectorSize: 512, Starts: true}
	with := func(d Disk, compression string) *Disk { d.Compression = compression; return &d }
	for name, want := range map[string]struct {
		format string
		disk   *Disk
	}{
		"gpt.img":      {"raw", &gpt},
		"mbr.img":      {"raw", &mbr},
		"fat.img":      {"raw", &fat},
		"ext.img":      {"raw", &Disk{Bytes: 40 * mib, SectorSize: 512}},
		"padded.gz":    {"raw", with(mbr, "gz")},
		"misnamed.wim": {"raw", &gpt},
		"dynamic.vhd":  {"vhd", &gpt},
		"fixed.vhd":    {"vhd", &mbr},
		"disk.vhdx":    {"vhdx", &gpt},
		"gpt.img.zst":  {"raw", with(gpt, "zst")},
		"pipe.zst":     {"raw", with(gpt, "zst")},
		"mbr.img.xz":   {"raw", with(mbr, "xz")},
		"fat.img.gz":   {"raw", with(fat, "gz")},
		"plain.iso":    {"iso", &Disk{SectorSize: 512}},
		"disc.iso":     {"iso", &Disk{SectorSize: 512, ElTorito: true}},
		"hybrid.iso":   {"iso", &Disk{SectorSize: 512, ElTorito: true, Table: "mbr", Starts: true}},
		"odd.iso":      {"iso", &Disk{SectorSize: 512, ElTorito: true, Table: "mbr", Starts: true}},
		"hybrid.iso.gz": {"iso", &Disk{
			SectorSize: 512, ElTorito: true, Table: "mbr", Starts: true, Compression: "gz",
		}},
	} {
		info, err := Inspect(t.Context(), filepath.Join(dir, name), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want.format == "iso" {
			st, err := os.Stat(filepath.Join(dir, "hybrid.iso"))
			if err != nil {
				t.Fatal(err)
			}
			if name != "hybrid.iso" && name != "hybrid.iso.gz" {
				st, _ = os.Stat(filepath.Join(dir, name))
			}
			want.disk.Bytes, want.disk.DiskID = st.Size(), info.Disk.DiskID // xorriso draws its own
		}
		if info.Format != want.format || !reflect.DeepEqual(info.Disk, want.disk) || len(info.Editions) != 0 {
			t.Errorf("%s: %s %+v, want %s %+v", name, info.Format, info.Disk, want.format, want.disk)
		}
	}
}

func TestRefusedDisks(t *testing.T) {
	t.Parallel()
	dir := shell(t, `
qemu-img convert -f raw -O vhdx gpt.img good.vhdx
xz -0 -k gpt.img; zstd -q gpt.img
xz --x86 --lzma2=preset=0 -c gpt.img >filter.xz
head -c 100 gpt.img.xz >cut.xz; head -c 200 gpt.img.zst >cut.zst
head -c 30000000 gpt.img >cut-gpt.img; head -c 30000000 mbr.img >cut-mbr.img
head -c 9000000 good.vhdx >cut.vhdx
gzip -c good.vhdx >vhdx.gz; gzip -c gpt.img.xz >twice.gz
qemu-img convert -f raw -O vpc -o subformat=fixed,force_size=on gpt.img fixed.vhd; gzip -c fixed.vhd >vhd.gz
qemu-img convert -f raw -O qcow2 gpt.img disk.qcow2
head -c 5000000 /dev/zero >zeros.img; gzip -c zeros.img >zeros.gz
xorriso -as mkisofs -quiet -o whole.iso tree; head -c 1000000 whole.iso >cut.iso
cp gpt.img bad.img; printf x | dd of=bad.img bs=1 seek=1100 conv=notrunc
head -c 200000000 /dev/zero | zstd -q -1 --long=28 >window.zst
`)
	for name, want := range map[string]fault.Code{
		"cut.xz": "image_truncated", "cut.zst": "image_truncated", "cut-gpt.img": "image_truncated", "cut-mbr.img": "image_truncated",
		"cut.vhdx": "image_truncated", "cut.iso": "image_truncated", "vhdx.gz": "image_unsupported", "vhd.gz": "image_unsupported",
		"twice.gz": "image_unsupported", "disk.qcow2": "image_not_readable", "zeros.img": "image_not_readable", "zeros.gz": "image_not_readable",
		"bad.img": "image_corrupt", "window.zst": "image_window", "filter.xz": "image_filter",
	} {
		_, err := Inspect(t.Context(), filepath.Join(dir, name), nil)
		if err == nil {
			t.Errorf("%s was taken", name)
			continue
		}
		wantFault(t, err, want)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "good.vhdx"))
	if err != nil {
		t.Fatal(err)
	}
	metadata := bytes.Index(raw, []byte("metadata"))
	item := metadata + bytes.Index(raw[metadata:], []byte("\x37\x67\xa1\xca"))
	at := metadata + int(raw[item+16]) + int(raw[item+17])<<8 + int(raw[item+18])<<16
	raw[at+4] |= 2 // it has a parent
	_, err = inspect(bytes.NewReader(raw), int64(len(raw)), nil)
	wantFault(t, err, "image_differencing")
}
