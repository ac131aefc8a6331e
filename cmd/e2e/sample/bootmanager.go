package sample

import (
	"archive/tar"
	"bytes"
	"context"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:generate nasm -f bin -o bootmgr.bin bootmgr.asm

// Microsoft's boot managers may not be shipped with Stickpress, so sample images
// carry stand-ins: GRUB (of the machine that makes the image, never of this
// repository) with a configuration that looks for what a boot manager needs and
// prints one line:
//
//	STICKPRESS-BOOT firmware=uefi store=found loader=found answer=found signer=2011
//
// store is the boot store on the boot partition, loader winload on the NTFS
// partition, answer the answer file ("shadowed" if Panther\Unattend holds one,
// which Windows would prefer). signer tells the two UEFI boot managers of an
// image apart; it is "none" on BIOS machines. If a BIOS boot record loaded the
// stand-in wrongly, the line is STICKPRESS-BOOT firmware=bios error=WHAT.
var (
	//go:embed standin.cfg
	standInConfig string
	//go:embed bootmgr.bin
	biosFront []byte
)

// Signer is the certificate authority that a real UEFI boot manager would be
// signed under; stand-ins are not signed, they only say which file they were.
type Signer string

// The authorities, and the file in the image that each one's stand-in is.
const (
	Signer2011 Signer = "2011" // Windows\Boot\EFI\bootmgfw.efi
	Signer2023 Signer = "2023" // Windows\Boot\EFI_EX\bootmgfw_EX.efi
)

// ErrNoGRUB is wrapped by the error that says which packages are missing.
var ErrNoGRUB = errors.New("GRUB is not installed")

var grubModules = []string{
	"normal", "memdisk", "tar", "part_msdos", "part_gpt", "fat", "ntfs", "ntfscomp",
	"test", "echo", "regexp", "serial", "terminal", "terminfo", "sleep", "halt",
}

// UEFIBootManager makes the stand-in for bootmgfw.efi: an x86-64 EFI program that
// also starts as \EFI\Boot\bootx64.efi. The error wraps ErrNoGRUB if GRUB is missing.
func UEFIBootManager(ctx context.Context, signer Signer) ([]byte, error) {
	return grubImage(ctx, "x86_64-efi", "grub-efi-amd64-bin", nil, settings{
		"firmware": "uefi", "signer": string(signer),
		"store_path": "/EFI/Microsoft/Boot/BCD", "loader_file": "winload.efi", "here_mark": "",
	})
}

// BIOSBootManager makes the stand-in for \bootmgr, padded to size bytes (Windows 11's
// is about 450 KB) so that loading it exercises what loading the real one does.
// A size that is too small is raised. The error wraps ErrNoGRUB if GRUB is missing.
func BIOSBootManager(ctx context.Context, size int) ([]byte, error) {
	core, err := grubImage(ctx, "i386-pc", "grub-pc-bin", []string{"biosdisk"}, settings{
		"firmware": "bios", "signer": "none",
		"store_path": "/Boot/BCD", "loader_file": "winload.exe", "here_mark": "/bootmgr",
	})
	if err != nil {
		return nil, err
	}
	const diskboot = 512 // GRUB's own block-list loader; bootmgr.asm takes its place
	if len(core) <= diskboot {
		return nil, fmt.Errorf("make BIOS boot manager: GRUB's core image has only %d bytes", len(core))
	}
	return frontBIOS(core[diskboot:], size), nil
}

// frontBIOS puts bootmgr.asm's code before core and fills its header.
func frontBIOS(core []byte, size int) []byte {
	const header, paragraph = 32, 16
	up := func(n int) int { return (n + paragraph - 1) / paragraph * paragraph }

	end := len(biosFront) + up(len(core))
	file := make([]byte, max(end, up(size)))
	copy(file, biosFront)
	copy(file[len(biosFront):], core)
	filler := rand.NewChaCha8([32]byte{'f', 'i', 'l', 'l'})
	_, _ = filler.Read(file[end:]) // ChaCha8 never fails

	var sum uint32
	for i := header; i < len(file); i += 4 {
		sum = bits.RotateLeft32(sum, 1) + binary.LittleEndian.Uint32(file[i:])
	}
	binary.LittleEndian.PutUint32(file[8:], uint32((len(file)-header)/paragraph))
	binary.LittleEndian.PutUint32(file[12:], sum)
	binary.LittleEndian.PutUint32(file[16:], uint32(up(len(core))/paragraph))
	return file
}

// settings are variables set before standin.cfg runs.
type settings map[string]string

// grubImage runs grub-mkimage for target with the stand-in's configuration in a
// memory disk, which GRUB's normal mode reads as $prefix/grub.cfg.
func grubImage(ctx context.Context, target, debPackage string, extra []string, set settings) ([]byte, error) {
	modules := filepath.Join("/usr/lib/grub", target)
	_, dirErr := os.Stat(modules)
	tool, toolErr := exec.LookPath("grub-mkimage")
	if toolErr != nil || errors.Is(dirErr, fs.ErrNotExist) {
		return nil, fmt.Errorf("make stand-in boot manager: %w: install the packages grub-common and %s", ErrNoGRUB, debPackage)
	}

	dir, err := os.MkdirTemp("", "stickpress-grub-")
	if err != nil {
		return nil, fmt.Errorf("make stand-in boot manager: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	memdisk, image := filepath.Join(dir, "memdisk.tar"), filepath.Join(dir, "image")
	disk, err := configTar(set)
	if err != nil {
		return nil, fmt.Errorf("make stand-in boot manager: %w", err)
	}
	if err := os.WriteFile(memdisk, disk, 0o600); err != nil {
		return nil, fmt.Errorf("make stand-in boot manager: %w", err)
	}
	args := append([]string{
		"-O", target, "-d", modules, "-m", memdisk, "-p", "(memdisk)/boot/grub", "-o", image,
	}, append(grubModules, extra...)...)
	if text, err := exec.CommandContext(ctx, tool, args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make stand-in boot manager: grub-mkimage for %s: %w: %s", target, err, bytes.TrimSpace(text))
	}
	data, err := os.ReadFile(image)
	if err != nil {
		return nil, fmt.Errorf("make stand-in boot manager: %w", err)
	}
	return data, nil
}

func configTar(set settings) ([]byte, error) {
	var config strings.Builder
	for _, name := range []string{"firmware", "signer", "store_path", "loader_file", "here_mark"} {
		fmt.Fprintf(&config, "set %s=\"%s\"\n", name, set[name])
	}
	config.WriteString(standInConfig)

	var out bytes.Buffer
	w := tar.NewWriter(&out)
	head := &tar.Header{Name: "boot/grub/grub.cfg", Mode: 0o644, Size: int64(config.Len()), Format: tar.FormatUSTAR}
	if err := w.WriteHeader(head); err != nil {
		return nil, fmt.Errorf("pack its configuration: %w", err)
	}
	if _, err := w.Write([]byte(config.String())); err != nil {
		return nil, fmt.Errorf("pack its configuration: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack its configuration: %w", err)
	}
	return out.Bytes(), nil
}
