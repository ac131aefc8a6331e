package disk

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/stickpress/stickpress/agent/disk/drive"
)

// node is a device in the tree of the device manager (DEVINST); 0 is none.
type node uint32

// Functions of the device manager (cfgmgr32.h).
var (
	cfgmgr            = windows.NewLazySystemDLL("cfgmgr32.dll")
	interfaceSize     = cfgmgr.NewProc("CM_Get_Device_Interface_List_SizeW")
	interfaceList     = cfgmgr.NewProc("CM_Get_Device_Interface_ListW")
	interfaceProperty = cfgmgr.NewProc("CM_Get_Device_Interface_PropertyW")
	locateNode        = cfgmgr.NewProc("CM_Locate_DevNodeW")
	nodeParent        = cfgmgr.NewProc("CM_Get_Parent")
	nodeProperty      = cfgmgr.NewProc("CM_Get_DevNode_PropertyW")
	ejectNode         = cfgmgr.NewProc("CM_Request_Device_EjectW")
)

// The classes of device interfaces that are looked at (winioctl.h, usbiodef.h).
var (
	interfaceDisk = windows.GUID{Data1: 0x53f56307, Data2: 0xb6bf, Data3: 0x11d0, Data4: [8]byte{0x94, 0xf2, 0x00, 0xa0, 0xc9, 0x1e, 0xfb, 0x8b}}
	interfaceHub  = windows.GUID{Data1: 0xf18a0e88, Data2: 0xc30c, Data3: 0x11d0, Data4: [8]byte{0x88, 0x15, 0x00, 0xa0, 0xc9, 0x06, 0xbe, 0xd8}}
)

// ask calls a function of the device manager, which returns a CONFIGRET.
func ask(p *windows.LazyProc, args ...uintptr) error {
	if err := p.Find(); err != nil {
		return err
	}
	if ret, _, _ := p.Call(args...); ret != 0 {
		return fmt.Errorf("%s: %w", p.Name, configError(ret))
	}
	return nil
}

// configError is a CONFIGRET (cfgmgr32.h).
type configError uint32

const errBufferSmall configError = 0x1a // CR_BUFFER_SMALL

func (e configError) Error() string { return fmt.Sprintf("device manager error %#x", uint32(e)) }

// wine reports whether this is Wine, whose device manager knows no disks and
// fails when it is asked for them.
func wine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}

// interfaces lists the present devices of a class as paths for CreateFile; with
// an instance, those of that device.
func interfaces(instance string, class *windows.GUID) ([]string, error) {
	if wine() {
		return nil, nil
	}
	var id *uint16
	if instance != "" {
		var err error
		if id, err = windows.UTF16PtrFromString(instance); err != nil {
			return nil, err
		}
	}
	const present = 0 // CM_GET_DEVICE_INTERFACE_LIST_PRESENT
	for {
		var size uint32
		if err := ask(interfaceSize, uintptr(unsafe.Pointer(&size)), uintptr(unsafe.Pointer(class)), uintptr(unsafe.Pointer(id)), present); err != nil {
			return nil, err
		}
		buf := make([]uint16, max(size, 1))
		err := ask(interfaceList, uintptr(unsafe.Pointer(class)), uintptr(unsafe.Pointer(id)),
			uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), present)
		if errors.Is(err, errBufferSmall) {
			continue // another one came meanwhile
		}
		return multi(buf), err
	}
}

// property reads with a function that first tells how many bytes it wants.
func property(read func(buf *byte, size *uint32) error) ([]byte, error) {
	size := uint32(512)
	for {
		buf := make([]byte, max(size, 1))
		err := read(&buf[0], &size)
		if errors.Is(err, errBufferSmall) && size > uint32(len(buf)) && size < 1<<20 {
			continue
		}
		if err != nil {
			return nil, err
		}
		return buf[:min(size, uint32(len(buf)))], nil
	}
}

// instanceOf names the device behind an interface.
func instanceOf(path string) (string, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return "", err
	}
	raw, err := property(func(buf *byte, size *uint32) error {
		var kind uint32
		return ask(interfaceProperty, uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(&drive.KeyInstanceID)),
			uintptr(unsafe.Pointer(&kind)), uintptr(unsafe.Pointer(buf)), uintptr(unsafe.Pointer(size)), 0)
	})
	return text(raw), err
}

// find returns the device of an instance ID.
func findNode(instance string) (node, error) {
	name, err := windows.UTF16PtrFromString(instance)
	if err != nil {
		return 0, err
	}
	var n node
	err = ask(locateNode, uintptr(unsafe.Pointer(&n)), uintptr(unsafe.Pointer(name)), 0)
	return n, err
}

func (n node) parent() (node, error) {
	var p node
	err := ask(nodeParent, uintptr(unsafe.Pointer(&p)), uintptr(n), 0)
	return p, err
}

func (n node) property(key *drive.Key) ([]byte, error) {
	return property(func(buf *byte, size *uint32) error {
		var kind uint32
		return ask(nodeProperty, uintptr(n), uintptr(unsafe.Pointer(key)), uintptr(unsafe.Pointer(&kind)),
			uintptr(unsafe.Pointer(buf)), uintptr(unsafe.Pointer(size)), 0)
	})
}

// text is a property of type string, or the first of a list; absent it is
// empty.
func (n node) text(key *drive.Key) string {
	raw, _ := n.property(key)
	return text(raw)
}

// number is a property of type UINT32 or FILETIME; absent it is 0.
func (n node) number(key *drive.Key) (v uint64) {
	raw, _ := n.property(key)
	for i, b := range raw[:min(len(raw), 8)] {
		v |= uint64(b) << (8 * i)
	}
	return v
}

// eject asks Windows to take a device out, as "Safely Remove Hardware" does.
// Who forbids it is named by the error.
func (n node) eject() error {
	var kind uint32
	var name [windows.MAX_PATH]uint16
	err := ask(ejectNode, uintptr(n), uintptr(unsafe.Pointer(&kind)), uintptr(unsafe.Pointer(&name[0])), uintptr(len(name)), 0)
	if err != nil {
		return fmt.Errorf("%w (veto %d, %s)", err, kind, windows.UTF16ToString(name[:]))
	}
	return nil
}

// usbAncestor walks up from a disk to the USB device that it is a part of.
func (n node) usbAncestor() (usb node, instance string, ok bool) {
	for range 16 {
		p, err := n.parent()
		if err != nil {
			return 0, "", false
		}
		n = p
		instance = n.text(&drive.KeyInstanceID)
		if _, ok := drive.ParseUSB(instance); ok {
			return n, instance, true
		}
		if isRootHub(instance) {
			return 0, "", false
		}
	}
	return 0, "", false
}

// text decodes UTF-16 up to its first zero.
func text(raw []byte) string {
	u := make([]uint16, len(raw)/2)
	for i := range u {
		u[i] = uint16(raw[2*i]) | uint16(raw[2*i+1])<<8
	}
	return windows.UTF16ToString(u)
}
