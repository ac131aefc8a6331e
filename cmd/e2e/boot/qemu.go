package boot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Where distributions keep OVMF; code and variable store belong together.
var ovmf = []struct{ code, vars string }{
	{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
	{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
}

// run starts the machine and returns what came over its serial port. The end of
// the time allowed is no error: the caller judges by what was said.
func run(ctx context.Context, o Options) (string, error) {
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		return "", fmt.Errorf("qemu is not installed: install the package qemu-system-x86: %w", err)
	}
	if _, err := os.Stat(o.Image); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "stickpress-boot-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	args, err := arguments(o, dir)
	if err != nil {
		return "", err
	}

	machine, end := context.WithCancel(ctx)
	defer end()
	cmd := exec.CommandContext(machine, qemu, args...) // killed when machine ends
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)      // the overlay
	cmd.WaitDelay = 5 * time.Second
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start qemu: %w", err)
	}
	serial, readErr := readUntilFinished(out)
	end()
	waitErr := cmd.Wait()

	var exit *exec.ExitError
	switch {
	case finished(serial), ctx.Err() != nil:
		return serial, nil
	case errors.As(waitErr, &exit) && exit.Exited() && exit.ExitCode() != 0:
		return serial, fmt.Errorf("qemu: %w: %s", waitErr, strings.TrimSpace(complaint.String()))
	case readErr != nil:
		return serial, fmt.Errorf("read the serial port: %w", readErr)
	}
	return serial, nil
}

// readUntilFinished reads until there is a final word or the machine is gone.
func readUntilFinished(r io.Reader) (string, error) {
	var serial bytes.Buffer
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		serial.Write(buf[:n])
		if finished(serial.String()) || errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) {
			return serial.String(), nil
		}
		if err != nil {
			return serial.String(), err
		}
	}
}

// arguments describes the machine; dir takes the throw-away variable store.
func arguments(o Options, dir string) ([]string, error) {
	image, err := filepath.Abs(o.Image)
	if err != nil {
		return nil, err
	}
	args := []string{
		"-accel", "tcg", "-m", "512", "-nic", "none", "-no-user-config", "-no-reboot",
		// -nographic makes SeaBIOS speak on the serial port, too.
		"-nographic", "-serial", "stdio", "-monitor", "none",
		"-drive", "if=none,id=stick,format=raw,snapshot=on,file=" + strings.ReplaceAll(image, ",", ",,"),
	}
	switch {
	case o.Bus == USB && o.SectorSize > 512:
		// usb-storage is this pair; only apart does it take a sector size.
		args = append(args, "-device", "qemu-xhci", "-device", "usb-bot,id=bot", "-device", fmt.Sprintf(
			"scsi-hd,bus=bot.0,scsi-id=0,lun=0,drive=stick,removable=on,logical_block_size=%d,physical_block_size=%[1]d,bootindex=0", o.SectorSize))
	case o.Bus == USB:
		args = append(args, "-device", "qemu-xhci", "-device", "usb-storage,drive=stick,removable=on,bootindex=0")
	case o.Bus == AHCI && o.SectorSize <= 512:
		args = append(args, "-device", "ahci,id=sata", "-device", "ide-hd,drive=stick,bus=sata.0,bootindex=0")
	default:
		return nil, fmt.Errorf("unknown bus %q with sectors of %d bytes", o.Bus, o.SectorSize)
	}
	switch o.Firmware {
	case BIOS:
		return args, nil
	case UEFI:
		more, err := uefiArguments(dir)
		return append(args, more...), err
	default:
		return nil, fmt.Errorf("unknown firmware %q", o.Firmware)
	}
}

func uefiArguments(dir string) ([]string, error) {
	for _, f := range ovmf {
		if _, err := os.Stat(f.code); err != nil {
			continue
		}
		vars, err := os.ReadFile(f.vars)
		if err != nil {
			return nil, fmt.Errorf("read UEFI variable store: %w", err)
		}
		own := filepath.Join(dir, "vars.fd")
		if err := os.WriteFile(own, vars, 0o600); err != nil {
			return nil, err
		}
		return []string{
			"-drive", "if=pflash,unit=0,format=raw,readonly=on,file=" + f.code,
			"-drive", "if=pflash,unit=1,format=raw,file=" + own,
		}, nil
	}
	return nil, errors.New("OVMF is not installed: install the package ovmf")
}
