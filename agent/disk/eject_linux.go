package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Eject finishes with the device and makes it safe to pull out: what was
// written is flushed, the kernel reads the new partition table, a USB disk is
// stopped and its port switched off, as a desktop's "safely remove" does, so
// that no automounter sees the fresh volumes. A USB stick is listed again when
// it is plugged in again; another slot of the same card reader stays. The
// claim ends in every case, also when an error is returned.
func (h *Handle) Eject() error {
	defer h.Close()
	if err := h.Sync(); err != nil {
		return err
	}
	if h.sys == "" {
		return h.close()
	}
	fd := int(h.file.Fd())
	// Loop devices without partition scanning say EINVAL.
	if err := ioctl(fd, unix.BLKRRPART, nil); err != nil && !errors.Is(err, unix.EINVAL) {
		return h.failed(fmt.Errorf("read the partition table of %s again: %w", h.device.Path, err))
	}
	if h.usb != "" {
		// Many sticks know no STOP; the port is switched off all the same.
		_ = scsi(fd, [10]byte{0x1b, 0, 0, 0, 0x02}, 6) // START STOP UNIT, LOEJ=1, START=0 (SBC-4, 5.29)
		if err := h.remove(); err != nil {
			return err
		}
	}
	return h.close()
}

// remove takes the device off its bus: the whole USB device if this disk is
// all there is to it, else this disk alone.
func (h *Handle) remove() error {
	path := filepath.Join(h.usb, "remove")
	disks, _ := filepath.Glob(filepath.Join(h.usb, "*/host*/target*/*/block/*"))
	if len(disks) > 1 || !exists(h.usb, "remove") {
		path = filepath.Join(h.sys, "device/delete")
	}
	if err := os.WriteFile(path, []byte("1"), 0o200); err != nil {
		return fmt.Errorf("take %s off its port: %w", h.device.Path, err)
	}
	return nil
}
