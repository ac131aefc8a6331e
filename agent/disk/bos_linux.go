package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// learnSpeed asks a device once per connection how fast it could be: a device
// that is busy is not asked for nothing.
func (l *Lister) learnSpeed(c *candidate) {
	if c.usb == "" {
		return
	}
	c.MaxMbps = l.learned(c.Connection, func() (int, error) {
		bos, err := l.readBOS(c.usb)
		return maxMbps(bos), err
	})
}

// readBOS returns a USB device's binary object store, empty if it has none:
// devices before 2.1 are not asked, some hang themselves up. The kernel tells
// since Linux 6.11; before that the device is asked. An error means that it
// could not be asked.
func (l *Lister) readBOS(usb string) ([]byte, error) {
	version, err := strconv.ParseFloat(readText(usb, "version"), 64)
	if err != nil || version < 2.01 {
		return nil, nil //nolint:nilerr // without a version there is no descriptor that could be read
	}
	if bos, err := os.ReadFile(filepath.Join(usb, "bos_descriptors")); err == nil {
		return bos, nil
	}
	node := filepath.Join(l.dev(), "bus/usb", fmt.Sprintf("%03d/%03d", readInt(usb, "busnum"), readInt(usb, "devnum")))
	f, err := os.OpenFile(node, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	bos := make([]byte, 255)
	n, err := getDescriptor(int(f.Fd()), 0x0f00, bos)
	if err != nil {
		return nil, nil //nolint:nilerr // it has none, or does not say: asking again helps nobody
	}
	return bos[:n], nil
}

// getDescriptor sends GET_DESCRIPTOR (USB 3.2, 9.4.3) to a device's default
// pipe, which needs no claim on it and disturbs no transfer
// (struct usbdevfs_ctrltransfer of <linux/usbdevice_fs.h>).
func getDescriptor(fd int, kind uint16, into []byte) (int, error) {
	type control struct {
		requestType, request uint8
		value, index, length uint16
		timeout              uint32 // milliseconds
		data                 uintptr
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&into[0])
	c := control{
		requestType: 0x80, request: 6, value: kind, length: uint16(len(into)),
		timeout: 1000, data: uintptr(unsafe.Pointer(&into[0])),
	}
	request := 3<<30 | unsafe.Sizeof(c)<<16 | 'U'<<8 // USBDEVFS_CONTROL
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&c)))
	if errno != 0 {
		return 0, fmt.Errorf("get descriptor %#x: %w", kind, errno)
	}
	return int(n), nil
}
