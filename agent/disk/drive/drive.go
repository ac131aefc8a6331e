// Package drive knows how Windows describes its disks and volumes, and which
// of them may not be written.
//
// Nothing here asks Windows: agent/disk does, with DeviceIoControl and CfgMgr32
// (list_windows.go), and hands over bytes and strings as it got them. So all of
// this is read and tested on any system. Bytes are decoded in structure.go and
// layout.go, the names of devices in instance.go; guard.go holds the reasons
// against a disk.
//
// Source of the structures: Microsoft's winioctl.h, ntddscsi.h and usbioctl.h.
// The tests have a C compiler lay them out from the headers of mingw-w64.
package drive

import (
	"strings"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Drive is a disk of the machine with what the guards need to know of it.
type Drive struct {
	protocol.Device
	Number   uint32   // of \\.\PhysicalDriveN, given anew at each start
	Bus      Bus      // how it says that it is attached
	Layout   Layout   // the partition table as Windows has read it
	Volumes  []Volume // those that lie on it, in whole or in part
	ReadOnly bool     // write-protected
	Instance string   // instance ID of the USB device; empty when not USB
}

// Volume is a volume of the machine.
type Volume struct {
	Name    string   // `\\?\Volume{…}\`
	Extents []Extent // where on which disks it lies
	Mounts  []string // drive letters and folders, `E:\`, `C:\data\`
	Label   string   // may be empty
	Format  string   // "NTFS"; empty when Windows recognises nothing
	// Encrypted says that its first sector on the disk is BitLocker's. With a
	// Format it is open to whoever uses the machine.
	Encrypted bool
}

// On reports whether a part of the volume lies on a disk.
func (v *Volume) On(disk uint32) bool {
	for _, e := range v.Extents {
		if e.Disk == disk {
			return true
		}
	}
	return false
}

// Title is what a person knows the volume by: its label, or its kind.
func (v *Volume) Title() string {
	switch {
	case v.Encrypted && v.Format == "":
		return "bitlocker"
	case strings.TrimSpace(v.Label) != "":
		return strings.TrimSpace(v.Label)
	}
	return strings.ToLower(v.Format)
}

// letter reports whether a mount point is a drive letter, which Windows gives
// to every removable volume by itself, and not a folder, which somebody chose.
func letter(mount string) bool {
	return len(mount) == 3 && mount[1:] == `:\`
}

// Kind says what sort of device a disk is. Windows's own word for the bus is
// trusted only where it makes a disk less of a stick: an enclosure that passes
// a bridge, a virtual disk and a member of a pool are disks, whatever they
// hang on.
func Kind(bus Bus, removable, usb bool) string {
	switch bus {
	case BusSpaces, BusVirtual, BusFileBacked, BusRAID, BusISCSI:
		return protocol.KindDisk
	case BusUSB:
		return protocol.KindUSB
	case BusSD, BusMMC:
		return protocol.KindCard
	}
	switch {
	case usb:
		return protocol.KindUSB
	case removable:
		return protocol.KindCard
	}
	return protocol.KindDisk
}
