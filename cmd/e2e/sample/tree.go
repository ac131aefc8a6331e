package sample

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// timestamp of every file and key: the same options give the same content.
var timestamp = time.Date(2024, time.September, 6, 5, 0, 0, 0, time.UTC)

// content is the files of the image by path, slashes between names.
type content map[string][]byte

// plan returns what lies in the image for its first edition.
func plan(ctx context.Context, o Options) (content, error) {
	files, err := hives(Editions[0], o.ImageState)
	if err != nil {
		return nil, err
	}
	c := content(files)
	if err := c.addBoot(ctx); err != nil {
		return nil, err
	}
	c.addAnswers()
	c.addNames()
	c.addBulk(o)
	return c, nil
}

// addBoot adds boot managers, loaders, and what goes along with them on a stick.
func (c content) addBoot(ctx context.Context) error {
	old, err := UEFIBootManager(ctx, Signer2011)
	if err != nil {
		return err
	}
	fresh, err := UEFIBootManager(ctx, Signer2023)
	if err != nil {
		return err
	}
	bios, err := BIOSBootManager(ctx, 450<<10)
	if err != nil {
		return err
	}
	const dir = "Windows/Boot/"
	c[dir+"EFI/bootmgfw.efi"] = old
	c[dir+"EFI_EX/bootmgfw_EX.efi"] = fresh
	c[dir+"PCAT/bootmgr"] = bios

	for _, name := range []string{
		"EFI/bootmgr.efi", "EFI/memtest.efi", "EFI_EX/bootmgr_EX.efi", "PCAT/memtest.exe", "PCAT/bootnxt", "Resources/bootres.dll",
		"EFI/boot.stl", "EFI/winsipolicy.p7b",
	} {
		c[dir+name] = program(dir + name)
	}
	for _, name := range []string{
		"EFI/en-US/bootmgfw.efi.mui", "EFI/en-US/bootmgr.efi.mui", "EFI/en-US/memtest.efi.mui", "EFI/qps-ploc/memtest.efi.mui",
		"PCAT/en-US/bootmgr.exe.mui", "PCAT/en-US/memtest.exe.mui", "Resources/en-US/bootres.dll.mui",
	} {
		c[dir+name] = program(dir + name)
	}
	for _, font := range []string{"chs_boot", "msyh_boot", "segmono_boot", "segoen_slboot", "segoe_slboot", "wgl4_boot"} {
		c[dir+"Fonts/"+font+".ttf"] = random(dir+font, 24<<10)
		c[dir+"Fonts_EX/"+font+"_EX.ttf"] = random(dir+font+"_EX", 24<<10)
	}
	for _, name := range []string{
		"winload.efi", "winload.exe", "winresume.efi", "winresume.exe", "ntoskrnl.exe", "kernel32.dll", "drivers/partmgr.sys", "drivers/usbstor.sys",
	} {
		c["Windows/System32/"+name] = program(name)
	}
	return nil
}

// addAnswers adds answer files where Windows looks for them before, or beside,
// the place of ours.
func (c content) addAnswers() {
	stale := []byte("<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n" +
		"<unattend xmlns=\"urn:schemas-microsoft-com:unattend\"><!-- left over in the image --></unattend>\r\n")
	for _, path := range []string{
		"Windows/Panther/Unattend.xml", "Windows/Panther/Unattend/unattend.xml", "Windows/Panther/Unattend/Autounattend.xml",
		"Windows/System32/Sysprep/unattend.xml",
	} {
		c[path] = stale
	}
	c["Windows/Panther/setupact.log"] = []byte("sysprep ran here\r\n")
}

// addNames adds what is hard about names: scripts, emoji, length, case, depth.
func (c content) addNames() {
	for _, path := range []string{
		"Users/Public/Documents/Größenänderung.txt", "Users/Public/Documents/Ελληνικά.txt",
		"Windows/Web/Wallpaper/山水/桂林 (1).jpg", "Windows/Web/Wallpaper/😀.jpg",
		"Users/Public/Documents/" + strings.Repeat("long name ", 24) + "end.txt",
		"Users/Public/Documents/a,b;c=d [e] {f} 'g' & %h%.txt",
		"Program Files (x86)/Sample/" + strings.Repeat("d/", 40) + "deep.txt",
		"Windows/System32/drivers/etc/hosts", "Windows/WinSxS/empty.manifest",
	} {
		c[path] = []byte(path + "\r\n")
	}
	c["Windows/WinSxS/empty.manifest"] = nil
}

// addBulk adds the many and the big.
func (c content) addBulk(o Options) {
	for i := range o.SmallFiles {
		path := fmt.Sprintf("Windows/WinSxS/amd64_sample_%02d/component-%04d.dat", i%40, i)
		c[path] = random(path, int(seed(path)[0])*64+i%64)
	}
	for i := range o.BigFiles {
		path := fmt.Sprintf("Windows/Installer/package-%d.msi", i)
		c[path] = random(path, int(o.BigBytes))
	}
}

// write puts the files below root, and links among them.
func (c content) write(root string) error {
	for path, data := range c {
		full := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(full, data, 0o644); err != nil {
			return err
		}
	}
	for _, dir := range []string{"PerfLogs", "ProgramData", "Windows/Temp", "Windows/SoftwareDistribution"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	// Windows keeps its components in WinSxS and links them into System32.
	for link, target := range map[string]string{
		"Windows/WinSxS/amd64_winload/winload.efi": "Windows/System32/winload.efi",
		"Windows/WinSxS/amd64_winload/winload.exe": "Windows/System32/winload.exe",
		"Windows/WinSxS/amd64_kernel/kernel32.dll": "Windows/System32/kernel32.dll",
		"Windows/SysWOW64/kernel32.dll":            "Windows/System32/kernel32.dll",
	} {
		full := filepath.Join(root, link)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return err
		}
		if err := os.Link(filepath.Join(root, target), full); err != nil {
			return err
		}
	}
	// Windows: Users\All Users -> C:\ProgramData
	if err := os.Symlink(filepath.Join(root, "ProgramData"), filepath.Join(root, "Users/All Users")); err != nil {
		return err
	}
	return stamp(root)
}

func stamp(root string) error {
	return filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.Type()&os.ModeSymlink != 0 {
			return err
		}
		return os.Chtimes(path, timestamp, timestamp)
	})
}

// program is something that begins like a Windows program and says what it is.
func program(name string) []byte {
	text := fmt.Sprintf("MZ\r\nStickpress sample: stands for %s\r\n", name)
	return append([]byte(text), random(name, 6<<10)...)
}

// random returns n bytes that depend on name only: every other KiB compresses.
func random(name string, n int) []byte {
	data := make([]byte, n)
	source := rand.NewChaCha8(seed(name))
	for at := 0; at < n; at += 2048 {
		_, _ = source.Read(data[at:min(at+1024, n)]) // never fails
		if at+1024 < n {
			rest := data[at+1024 : min(at+2048, n)]
			copy(rest, bytes.Repeat([]byte(name+" "), len(rest)/(len(name)+1)+1))
		}
	}
	return data
}

func seed(name string) [32]byte {
	var s [32]byte
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	binary.LittleEndian.PutUint64(s[:], h)
	return s
}
