package disk

import (
	"fmt"
	"runtime"
	"unsafe"
)

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

// scsi sends a command of length bytes that moves no data.
func scsi(fd int, command [10]byte, length uint8) error {
	const (
		sgIO       = 0x2285 // SG_IO
		sgDxferNot = -1     // SG_DXFER_NONE
	)
	var sense [32]byte
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&command)
	pin.Pin(&sense)
	header := sgHeader{
		interfaceID: 'S', dxferDirection: sgDxferNot, timeout: 10_000,
		cmdLen: length, cmdp: uintptr(unsafe.Pointer(&command)),
		mxSbLen: uint8(len(sense)), sbp: uintptr(unsafe.Pointer(&sense)),
	}
	if err := ioctl(fd, sgIO, unsafe.Pointer(&header)); err != nil {
		return fmt.Errorf("command %#x: %w", command[0], err)
	}
	if header.status != 0 || header.hostStatus != 0 || header.driverStatus != 0 {
		return fmt.Errorf("command %#x: status %#x/%#x/%#x", command[0], header.status, header.hostStatus, header.driverStatus)
	}
	return nil
}
