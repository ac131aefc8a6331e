package sample_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/cmd/e2e/sample"
)

// little keeps the tests quick: everything odd is there, the bulk is not.
var little = sample.Options{SmallFiles: 40, BigFiles: 1, BigBytes: 1 << 20}

func TestMake(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	wim, err := sample.Make(t.Context(), dir, little)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("leaves only the image", func(t *testing.T) {
		left, err := os.ReadDir(dir)
		if err != nil || len(left) != 1 {
			t.Errorf("%v, %v", left, err)
		}
	})
	t.Run("describes itself", func(t *testing.T) {
		for i, e := range sample.Editions {
			info := tool(t, "wimlib-imagex", "info", wim, string(rune('1'+i)))
			for _, want := range []string{e.Name, e.ID, "x86_64", "26100", "en-US", "WINDOWS"} {
				if !strings.Contains(info, want) {
					t.Errorf("edition %d: no %q in\n%s", i+1, want, info)
				}
			}
		}
		tool(t, "wimlib-imagex", "verify", wim)
	})

	volume := apply(t, wim)
	t.Run("applies with what only NTFS can hold", func(t *testing.T) {
		cat := func(args ...string) string { return tool(t, "ntfscat", args...) }
		if got := cat("-n", sample.StreamName, volume, sample.StreamFile); got != sample.StreamContent {
			t.Errorf("stream: %q", got)
		}
		if got := cat(volume, "Windows/Web/Wallpaper/山水/桂林 (1).jpg"); !strings.Contains(got, "桂林") {
			t.Errorf("Chinese name: %q", got)
		}
		info := tool(t, "ntfsinfo", "-f", "-F", "Windows/SysWOW64/kernel32.dll", volume)
		if names := strings.Count(info, "'kernel32.dll'"); names != 3 {
			t.Errorf("kernel32.dll has %d names, want 3 of one file", names)
		}
		if !strings.HasPrefix(cat(volume, "Windows/Boot/EFI/bootmgfw.efi"), "MZ") {
			t.Error("bootmgfw.efi is no EFI program")
		}
	})
	t.Run("has registry hives that hivex reads", func(t *testing.T) {
		software := filepath.Join(t.TempDir(), "SOFTWARE")
		system := filepath.Join(t.TempDir(), "SYSTEM")
		check(t, os.WriteFile(software, []byte(tool(t, "ntfscat", volume, "Windows/System32/config/SOFTWARE")), 0o600))
		check(t, os.WriteFile(system, []byte(tool(t, "ntfscat", volume, "Windows/System32/config/SYSTEM")), 0o600))
		for _, c := range []struct{ file, key, value, want string }{
			{software, `\Microsoft\Windows NT\CurrentVersion`, "EditionID", "Enterprise"},
			{software, `\Microsoft\Windows\CurrentVersion\Setup\State`, "ImageState", "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"},
			{system, `\Setup`, "UnattendFile", `C:\Windows\System32\Sysprep\unattend.xml`},
			{system, `\ControlSet001\Control\ProductOptions`, "ProductType", "WinNT"},
		} {
			if got := tool(t, "hivexget", c.file, c.key, c.value); strings.TrimSpace(got) != c.want {
				t.Errorf("%s!%s = %q, want %q", c.key, c.value, got, c.want)
			}
		}
		export := tool(t, "hivexregedit", "--export", system, `\`)
		for _, want := range []string{`"Default"=dword:00000001`, `"SanPolicy"=dword:00000001`, `"HiberbootEnabled"=dword:00000001`, `DosDevices`} {
			if !strings.Contains(export, want) {
				t.Errorf("SYSTEM has no %s", want)
			}
		}
	})
}

// TestMakeCaches: one file per set of options, made once.
func TestMakeCaches(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tiny := sample.Options{SmallFiles: -1, BigFiles: -1}
	first, err := sample.Make(t.Context(), dir, tiny)
	check(t, err)
	before, err := os.Stat(first)
	check(t, err)
	second, err := sample.Make(t.Context(), dir, tiny)
	check(t, err)
	after, err := os.Stat(second)
	check(t, err)
	if first != second || !os.SameFile(before, after) {
		t.Error("made again")
	}
	other, err := sample.Make(t.Context(), dir, sample.Options{SmallFiles: -1, BigFiles: -1, ImageState: "IMAGE_STATE_COMPLETE"})
	if err != nil || other == first {
		t.Errorf("other options, same file (%v)", err)
	}
}

// TestMakeFails: a failed call says why and leaves nothing behind.
func TestMakeFails(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sample.Make(ctx, dir, little); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if _, err := sample.Make(t.Context(), filepath.Join(dir, "none"), little); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such folder: %v", err)
	}

	t.Setenv("PATH", t.TempDir())
	if _, err := sample.Make(t.Context(), dir, little); err == nil || !strings.Contains(err.Error(), "install the package wimtools") {
		t.Errorf("no wimlib: %v", err)
	}
	_, err := sample.BIOSBootManager(t.Context(), 0)
	if !errors.Is(err, sample.ErrNoGRUB) || !strings.Contains(err.Error(), "grub-common and grub-pc-bin") {
		t.Errorf("no GRUB: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestFrontAssembled assembles bootmgr.asm again: bootmgr.bin must be what it says.
func TestFrontAssembled(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "bootmgr.bin")
	tool(t, "nasm", "-f", "bin", "-w+all", "-w+error", "-o", out, "bootmgr.asm")
	fresh, err := os.ReadFile(out)
	check(t, err)
	committed, err := os.ReadFile("bootmgr.bin")
	check(t, err)
	if !bytes.Equal(fresh, committed) {
		t.Error("bootmgr.bin is not what bootmgr.asm assembles to: run go generate ./cmd/e2e/sample")
	}
}

// apply puts the first edition onto an NTFS volume in a file.
func apply(t *testing.T, wim string) string {
	t.Helper()
	volume := filepath.Join(t.TempDir(), "volume.img")
	check(t, os.WriteFile(volume, nil, 0o600))
	check(t, os.Truncate(volume, 64<<20))
	tool(t, "mkntfs", "--quiet", "--fast", "--force", "--partition-start", "0", "--heads", "255", "--sectors-per-track", "63", volume)
	tool(t, "wimlib-imagex", "apply", wim, "1", volume)
	return volume
}

// tool runs a foreign program and returns its standard output.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, complaint.String())
	}
	return string(out)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
