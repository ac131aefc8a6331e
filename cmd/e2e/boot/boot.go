// Package boot starts a stick in a virtual machine and reports what its boot
// manager saw.
//
// It answers the one question that no format checker can: does this stick start?
// Try runs qemu without hardware acceleration (so it works on any machine), with
// the stick as a removable USB drive and real firmware: OVMF for UEFI, SeaBIOS
// for BIOS. The stick must carry the stand-in boot manager of package sample,
// which prints one STICKPRESS-BOOT line to the serial port. The stick's file is
// never changed: the machine writes to a throw-away overlay.
package boot

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Firmware is what starts the machine.
type Firmware string

// The firmwares.
const (
	UEFI Firmware = "uefi" // OVMF, Debian package ovmf
	BIOS Firmware = "bios" // SeaBIOS, comes with qemu
)

// Bus is how the stick is attached.
type Bus string

// The buses.
const (
	USB  Bus = "usb"  // removable usb-storage on an xHCI controller
	AHCI Bus = "ahci" // SATA disk
)

// Options of one Try.
type Options struct {
	// Image is the stick's raw file or device; it is opened read-only.
	Image string
	// Firmware defaults to UEFI.
	Firmware Firmware
	// Bus defaults to USB.
	Bus Bus
	// SectorSize is the drive's, logical and physical, in bytes: 512, which is
	// what 0 means, or 4096 (USB alone).
	SectorSize int
	// Timeout bounds the whole start; it defaults to 90 s. A start takes 4-10 s
	// on an idle machine.
	Timeout time.Duration
}

// State of something that a boot manager or Windows's setup looks for.
type State string

// The states.
const (
	Found    State = "found"
	Missing  State = "missing"
	Shadowed State = "shadowed" // an answer file that Windows prefers hides ours
)

// Report is what the stand-in boot manager said.
type Report struct {
	Firmware Firmware
	Store    State         // the boot store on the boot partition
	Loader   State         // winload on the NTFS partition
	Answer   State         // \Windows\Panther\unattend.xml
	Signer   string        // 2011 or 2023: which UEFI boot manager ran; none on BIOS
	Line     string        // the line itself
	Serial   string        // everything that came over the serial port, control codes removed
	Took     time.Duration // from power-on to the line
}

// OK says whether everything was found, and nothing hides the answer file.
func (r Report) OK() bool {
	return r.Store == Found && r.Loader == Found && r.Answer == Found
}

// ErrNoReport is wrapped when the stick did not start or its boot manager said
// nothing in time. The message ends with the last lines on the serial port.
var ErrNoReport = errors.New("no report from the stick's boot manager")

// ErrLoad is wrapped when the BIOS stand-in found itself loaded wrongly.
var ErrLoad = errors.New("the boot record loaded the boot manager wrongly")

// Try starts the stick once. It always ends the machine and leaves nothing
// behind. Errors: a missing program or firmware is named with its package;
// ErrNoReport and ErrLoad are wrapped as said there; ctx's error when it ended first.
func Try(ctx context.Context, o Options) (Report, error) {
	if o.Firmware == "" {
		o.Firmware = UEFI
	}
	if o.Bus == "" {
		o.Bus = USB
	}
	if o.Timeout == 0 {
		o.Timeout = 90 * time.Second
	}
	started := time.Now()
	bounded, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()

	serial, err := run(bounded, o)
	report, parseErr := parse(serial)
	report.Took = time.Since(started)
	switch {
	case ctx.Err() != nil:
		return report, fmt.Errorf("try boot of %s: %w", o.Image, ctx.Err())
	case err != nil:
		return report, fmt.Errorf("try boot of %s: %w", o.Image, err)
	case parseErr != nil:
		return report, fmt.Errorf("try boot of %s (%s, %s): %w", o.Image, o.Firmware, o.Bus, parseErr)
	}
	return report, nil
}

var (
	// Terminal control sequences: firmware and GRUB clear and colour the screen.
	controlCodes = regexp.MustCompile(`\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()][A-Za-z0-9]|\x1bc|\r`)
	// A terminal of 80 columns may break the line between words.
	reportLine = regexp.MustCompile(`STICKPRESS-BOOT\s+firmware=(uefi|bios)\s+store=(found|missing)\s+` +
		`loader=(found|missing)\s+answer=(found|missing|shadowed)\s+signer=(2011|2023|none)`)
	loadError = regexp.MustCompile(`STICKPRESS-BOOT firmware=bios error=(\w+)\n`)
)

// finished says whether serial holds a final word, so that the machine can be ended.
func finished(serial string) bool {
	clean := controlCodes.ReplaceAllString(serial, "")
	return reportLine.MatchString(clean) || loadError.MatchString(clean) ||
		strings.Contains(clean, "Press a key to restart.") // our boot code gave up
}

func parse(serial string) (Report, error) {
	r := Report{Serial: controlCodes.ReplaceAllString(serial, "")}
	if m := reportLine.FindStringSubmatch(r.Serial); m != nil {
		r.Line, r.Firmware = strings.Join(strings.Fields(m[0]), " "), Firmware(m[1])
		r.Store, r.Loader, r.Answer, r.Signer = State(m[2]), State(m[3]), State(m[4]), m[5]
		return r, nil
	}
	if m := loadError.FindStringSubmatch(r.Serial); m != nil {
		return r, fmt.Errorf("%w: %s", ErrLoad, m[1])
	}
	return r, fmt.Errorf("%w; the serial port said last: %q", ErrNoReport, tail(r.Serial, 400))
}

func tail(s string, n int) string {
	s = strings.TrimSpace(s)
	return s[max(0, len(s)-n):]
}
