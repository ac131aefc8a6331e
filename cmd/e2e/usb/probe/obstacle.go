//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/backoff"
	"github.com/stickpress/stickpress/agent/disk"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/cmd/e2e/usb"
)

// write writes 1 MiB and reads it back.
func write(h *disk.Handle, offset int64, fill byte) error {
	b := bytes.Repeat([]byte{fill}, 1<<20)
	if _, err := h.WriteAt(b, offset); err != nil {
		return err
	}
	if err := h.Sync(); err != nil {
		return err
	}
	back := make([]byte, len(b))
	if _, err := h.ReadAt(back, offset); err != nil {
		return err
	}
	if !bytes.Equal(b, back) {
		return fmt.Errorf("read back something else at %d", offset)
	}
	return nil
}

// flood writes the device's first GiB again and again until that fails.
func (p *probe) flood(h *disk.Handle) error {
	b := bytes.Repeat([]byte{0x5a}, 1<<20)
	for i := int64(0); ; i++ {
		if _, err := h.WriteAt(b, i%1024<<20); err != nil {
			return err
		}
		if i == 8 {
			p.send(&usb.Response{Event: usb.EventFlooding})
		}
	}
}

// blink lets a stick's light flash three times.
func (p *probe) blink(id protocol.Identity) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	flashes := 0
	return p.lister.Blink(ctx, id, time.Now, func(ctx context.Context, d time.Duration) error {
		if flashes++; flashes == 3 {
			cancel()
			return ctx.Err()
		}
		return backoff.Sleep(ctx, backoff.System{}, d)
	})
}

func mountPoints() ([]string, error) {
	f, err := os.Open("/proc/mounts")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var points []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		points = append(points, strings.Fields(lines.Text())[1])
	}
	return points, lines.Err()
}

func swapOn(path string) error {
	name, err := unix.BytePtrFromString(path)
	if err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_SWAPON, uintptr(unsafe.Pointer(name)), 0, 0); errno != 0 {
		return fmt.Errorf("swapon %s: %w", path, errno)
	}
	return nil
}

// joinArray makes a disk the member of a software RAID array, through the md
// driver's own files (kernel: Documentation/admin-guide/md.rst).
func joinArray(path string) error {
	num, err := os.ReadFile(filepath.Join("/sys/class/block", filepath.Base(path), "dev"))
	if err != nil {
		return err
	}
	if err := os.WriteFile("/sys/module/md_mod/parameters/new_array", []byte("md127"), 0o200); err != nil {
		return err
	}
	return os.WriteFile("/sys/block/md127/md/new_dev", bytes.TrimSpace(num), 0o200)
}

// mapOver lays a linear device-mapper volume over the disk's second sector
// onwards, as LVM does, with the ioctls of <linux/dm-ioctl.h>.
func mapOver(path string) error {
	const (
		headerBytes = 312 // struct dm_ioctl
		specBytes   = 40  // struct dm_target_spec
		create      = 0xc138fd03
		suspend     = 0xc138fd06 // without the suspend flag: resume
		load        = 0xc138fd09
	)
	control, err := os.OpenFile("/dev/mapper/control", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer control.Close()
	command := func(request uintptr, target string) error {
		b := make([]byte, 4096)
		put := func(at int, v uint32) { *(*uint32)(unsafe.Pointer(&b[at])) = v }
		put(0, 4) // version 4.0.0
		put(12, uint32(len(b)))
		put(16, headerBytes) // data_start
		copy(b[48:], "vg-home")
		if target != "" {
			put(20, 1)               // target_count
			put(headerBytes+8, 2048) // length in sectors, from 0
			copy(b[headerBytes+24:], "linear")
			copy(b[headerBytes+specBytes:], target)
		}
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, control.Fd(), request, uintptr(unsafe.Pointer(&b[0]))); errno != 0 {
			return fmt.Errorf("device-mapper %#x: %w", request, errno)
		}
		return nil
	}
	if err := command(create, ""); err != nil {
		return err
	}
	if err := command(load, path+" 2048"); err != nil {
		return err
	}
	return command(suspend, "")
}
