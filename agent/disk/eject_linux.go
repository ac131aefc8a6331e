package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"unsafe"

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
		_ = startStop(fd)
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

// sgHeader is struct sg_io_hdr of <scsi/sg.h>.
type sgHeader struct {
	interfaceID    int32
	dxferDirection int32
	cmdLen         uint8
	mxSbLen        uint8
	iovecCount     uint16
	dxferLen       uint32
	dxferp         uintptr
	cmdp           uintptr
	sbp            uintptr
	timeout        uint32 // milliseconds
	flags          uint32
	packID         int32
	usrPtr         uintptr
	status         uint8
	maskedStatus   uint8
	msgStatus      uint8
	sbLenWr        uint8
	hostStatus     uint16
	driverStatus   uint16
	resid          int32
	duration       uint32
	info           uint32
}

// startStop sends START STOP UNIT with LOEJ=1, START=0 (SBC-4, 5.29): stop
// and eject.
func startStop(fd int) error {
	const (
		sgIO       = 0x2285 // SG_IO
		sgDxferNot = -1     // SG_DXFER_NONE
	)
	command := [6]byte{0x1b, 0, 0, 0, 0x02, 0}
	var sense [32]byte
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&command)
	pin.Pin(&sense)
	header := sgHeader{
		interfaceID: 'S', dxferDirection: sgDxferNot, timeout: 10_000,
		cmdLen: uint8(len(command)), cmdp: uintptr(unsafe.Pointer(&command)),
		mxSbLen: uint8(len(sense)), sbp: uintptr(unsafe.Pointer(&sense)),
	}
	if err := ioctl(fd, sgIO, unsafe.Pointer(&header)); err != nil {
		return fmt.Errorf("stop unit: %w", err)
	}
	if header.status != 0 || header.hostStatus != 0 || header.driverStatus != 0 {
		return fmt.Errorf("stop unit: status %#x/%#x/%#x", header.status, header.hostStatus, header.driverStatus)
	}
	return nil
}
