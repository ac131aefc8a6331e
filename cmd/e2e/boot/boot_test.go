package boot_test

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/cmd/e2e/boot"
	"github.com/stickpress/stickpress/cmd/e2e/sample"
)

func TestTry(t *testing.T) {
	good := boot.Report{Store: boot.Found, Loader: boot.Found, Answer: boot.Found}
	both := []boot.Bus{boot.USB, boot.AHCI}
	for _, c := range []struct {
		name     string
		stick    handmade
		firmware boot.Firmware
		buses    []boot.Bus
		want     boot.Report
	}{
		{
			"bios, 512-byte clusters, fragmented",
			handmade{fatOffset: mib, fatSize: 350 * mib, perCluster: 1, fragmented: true, crowded: true},
			boot.BIOS, both, good,
		},
		{
			"bios, across the last cylinder that a BIOS counts",
			handmade{fatOffset: lastCylinder - 40*mib, fatSize: 350 * mib, perCluster: 8, deep: 60 * mib},
			boot.BIOS, both, good,
		},
		{
			"bios, beyond 8 GiB, 32 KiB clusters",
			handmade{fatOffset: 9*gib + 63*sec, fatSize: 2200 * mib, perCluster: 64, fragmented: true},
			boot.BIOS, both, good,
		},
		{
			"bios, beyond the 28 bits of old ATA and the 31 of a signed sector",
			handmade{fatOffset: 1100 * gib, fatSize: 350 * mib, perCluster: 8, crowded: true},
			boot.BIOS, both, good,
		},
		{
			"bios, 64 KiB clusters, no store",
			handmade{fatOffset: 63 * sec, fatSize: 4400 * mib, perCluster: 128, fragmented: true, noStore: true},
			boot.BIOS,
			[]boot.Bus{boot.USB},
			boot.Report{Store: boot.Missing, Loader: boot.Found, Answer: boot.Found},
		},
		{
			"uefi, mbr",
			handmade{fatOffset: mib, fatSize: 350 * mib, perCluster: 8},
			boot.UEFI,
			[]boot.Bus{boot.USB},
			good,
		},
		{
			"uefi, gpt, shadowed answer file",
			handmade{gpt: true, fatOffset: mib, fatSize: 260 * mib, perCluster: 1, shadowed: true, signer: sample.Signer2023},
			boot.UEFI,
			[]boot.Bus{boot.AHCI},
			boot.Report{Store: boot.Found, Loader: boot.Found, Answer: boot.Shadowed},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			stick := c.stick.make(t)
			for _, bus := range c.buses {
				t.Run(string(bus), func(t *testing.T) {
					report, err := boot.Try(t.Context(), boot.Options{Image: stick, Firmware: c.firmware, Bus: bus})
					if err != nil {
						t.Fatal(err)
					}
					t.Logf("%s (%v)", report.Line, report.Took)
					if report.Firmware != c.firmware {
						t.Errorf("started by %q, want %q", report.Firmware, c.firmware)
					}
					if report.Store != c.want.Store || report.Loader != c.want.Loader || report.Answer != c.want.Answer {
						t.Errorf("saw %q", report.Line)
					}
					if want := signer(c.stick, c.firmware); report.Signer != want {
						t.Errorf("boot manager %q ran, want %q", report.Signer, want)
					}
					if report.OK() != c.want.OK() {
						t.Errorf("OK() = %v", report.OK())
					}
				})
			}
		})
	}
}

// lastCylinder is where the counting of cylinders, heads and sectors ends:
// 1024 · 255 · 63 sectors, a little less than 8 GiB. Boot code that asks the
// BIOS in that way reads something else from here on.
const lastCylinder = 1024 * 255 * 63 * sec

func signer(h handmade, f boot.Firmware) string {
	if f == boot.BIOS {
		return "none"
	}
	return string(cmp.Or(h.signer, sample.Signer2011))
}

// TestHandover: what the master boot record promises to any partition boot record.
func TestHandover(t *testing.T) {
	t.Parallel()
	stick := handmade{fatOffset: 9 * gib, fatSize: 64 * mib, perCluster: 1}.make(t)
	dir := t.TempDir()
	source, sector := filepath.Join(dir, "pbr.asm"), filepath.Join(dir, "pbr.bin")
	check(t, os.WriteFile(source, []byte(handoverASM), 0o600))
	tool(t, nil, "nasm", "-f", "bin", "-o", sector, source)
	code, err := os.ReadFile(sector)
	check(t, err)
	f, err := os.OpenFile(stick, os.O_RDWR, 0)
	check(t, err)
	_, err = f.WriteAt(code, 9*gib)
	check(t, err)
	check(t, f.Close())

	for _, bus := range []boot.Bus{boot.USB, boot.AHCI} {
		_, err = boot.Try(t.Context(), boot.Options{Image: stick, Firmware: boot.BIOS, Bus: bus})
		if !errors.Is(err, boot.ErrNoReport) || !strings.Contains(err.Error(), "handover is right") {
			t.Errorf("%s: got %v", bus, err)
		}
	}
}

// handoverASM is a boot sector that says whether DL is the first hard disk and
// DS:SI points at the active entry of a partition that begins at 9 GiB.
const handoverASM = `
	bits 16
	org 0x7c00
	mov bx, ds
	or bx, bx
	jnz bad
	cmp dl, 0x80
	jne bad
	cmp byte [si], 0x80
	jne bad
	cmp dword [si + 8], 9 << 21
	jne bad
	mov si, right
	jmp print
bad:	mov si, wrong
print:	mov ax, cs
	mov ds, ax
.next:	lodsb
	test al, al
	jz $
	mov ah, 0x0e
	mov bx, 7
	int 0x10
	jmp .next
right	db "handover is right. Press a key to restart.", 0
wrong	db "handover is wrong. Press a key to restart.", 0
	times 510 - ($ - $$) db 0
	dw 0xaa55
`

// TestTryFails: a stick that does not start is an error that tells what was seen.
func TestTryFails(t *testing.T) {
	small := handmade{fatOffset: mib, fatSize: 64 * mib, perCluster: 1}
	for _, c := range []struct {
		name  string
		stick handmade
		at    int64 // where one byte is spoiled, if not 0
		put   byte
		cause error
		says  string // part of the error's text
	}{
		{"no bootmgr", handmade{fatOffset: mib, fatSize: 64 * mib, perCluster: 1, noBootmgr: true}, 0, 0, boot.ErrNoReport, `\\bootmgr is missing`},
		{"bad bootmgr", handmade{fatOffset: mib, fatSize: 64 * mib, perCluster: 1, badBootmgr: true}, 0, 0, boot.ErrLoad, "checksum"},
		{"big bootmgr", handmade{fatOffset: mib, fatSize: 64 * mib, perCluster: 1, bigBootmgr: true}, 0, 0, boot.ErrNoReport, `\\bootmgr is too large`},
		{"no active partition", small, 446, 0, boot.ErrNoReport, "no partition is marked active"},
		{"two active partitions", small, 446 + 16, 0x80, boot.ErrNoReport, "the partition table is damaged"},
		{"no boot sector", small, mib + 510, 0, boot.ErrNoReport, "the boot partition has no boot sector"},
		{"wrong hidden sectors", small, mib + 28, 1, boot.ErrNoReport, "boot sector and partition do not match"},
		{"wrong FAT offset", small, mib + 14, 16, boot.ErrNoReport, "Stickpress: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			stick := c.stick.make(t)
			if c.at != 0 {
				spoil(t, stick, c.at, c.put)
			}
			_, err := boot.Try(t.Context(), boot.Options{Image: stick, Firmware: boot.BIOS})
			if !errors.Is(err, c.cause) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v with %q", err, c.cause, c.says)
			}
		})
	}
}

// TestTryEnds: a machine that says nothing is ended, by its own time or the caller's.
func TestTryEnds(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.img")
	check(t, os.WriteFile(empty, make([]byte, mib), 0o600))
	_, err := boot.Try(t.Context(), boot.Options{Image: empty, Firmware: boot.BIOS, Timeout: time.Second})
	if !errors.Is(err, boot.ErrNoReport) {
		t.Errorf("nothing to start: got %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := boot.Try(ctx, boot.Options{Image: empty}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: got %v", err)
	}
	if _, err := boot.Try(t.Context(), boot.Options{Image: empty + "?"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such stick: got %v", err)
	}
	if _, err := boot.Try(t.Context(), boot.Options{Image: empty, Bus: "scsi"}); err == nil {
		t.Error("unknown bus: no error")
	}
}

func spoil(t *testing.T, path string, at int64, b byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	check(t, err)
	_, err = f.WriteAt([]byte{b}, at)
	check(t, err)
	check(t, f.Close())
}
