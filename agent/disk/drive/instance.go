package drive

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// USB is what the instance ID of a USB device says.
type USB struct {
	VIDPID string // "0781:5583", lower case as Linux writes it
	Serial string // empty when the device has none
}

var usbInstance = regexp.MustCompile(`^USB\\VID_([0-9A-F]{4})&PID_([0-9A-F]{4})\\(.+)$`)

// ParseUSB reads the instance ID of a USB device, such as
// `USB\VID_0781&PID_5583\4C530001150813111472` (Microsoft, "Standard USB
// identifiers"). A device without a serial gets one that Windows makes of its
// place, with an ampersand as its second character. ok is false for all other
// devices, functions of a composite one (MI_) among them.
func ParseUSB(instance string) (u USB, ok bool) {
	m := usbInstance.FindStringSubmatch(strings.ToUpper(instance))
	if m == nil {
		return USB{}, false
	}
	u.VIDPID = strings.ToLower(m[1] + ":" + m[2])
	serial := instance[len(instance)-len(m[3]):] // as the device writes it
	if len(serial) < 2 || serial[1] != '&' {
		u.Serial = serial
	}
	return u, true
}

var (
	storLUN = regexp.MustCompile(`^USBSTOR\\.*&(\d{1,3})$`)
	scsiLUN = regexp.MustCompile(`^SCSI\\.*&[0-9A-F]{4}([0-9A-F]{2})$`)
)

// ParseLUN reads the logical unit from the instance ID of a disk, for drivers
// that do not answer IOCTL_SCSI_GET_ADDRESS: USBSTOR ends it with &LUN, storport
// with &BBTTLL in hexadecimal (bus, target, unit). What says nothing is 0.
func ParseLUN(instance string) int {
	instance = strings.ToUpper(instance)
	if m := storLUN.FindStringSubmatch(instance); m != nil {
		n, _ := strconv.Atoi(m[1])
		return n
	}
	if m := scsiLUN.FindStringSubmatch(instance); m != nil {
		n, _ := strconv.ParseInt(m[1], 16, 32)
		return int(n)
	}
	return 0
}

var locationPart = regexp.MustCompile(`^([A-Z]+)\(([^()]*)\)$`)

// Port writes the location path of a USB device
// (DEVPKEY_Device_LocationPaths), such as
// `PCIROOT(0)#PCI(1400)#USBROOT(0)#USB(1)#USB(4)`, as short as a socket's label
// wants it: "0:14.0-1.4", the controller's address on the PCI bus and the ports
// from its root hub on. The same socket has the same name after a restart. What
// is not of this form stays as it is. hub is the port of the hub above, in the
// same way, or "usb" and the controller for a root hub's own sockets; empty if
// that is not known.
func Port(location string) (port, hub string) {
	var controller, ports []string
	root := false
	for part := range strings.SplitSeq(strings.ToUpper(location), "#") {
		m := locationPart.FindStringSubmatch(part)
		if m == nil {
			return location, ""
		}
		switch m[1] {
		case "PCIROOT":
			controller = append(controller, strings.ToLower(m[2]))
		case "PCI":
			n, err := strconv.ParseUint(m[2], 16, 16)
			if err != nil {
				return location, ""
			}
			controller = append(controller, fmt.Sprintf("%02x.%x", n>>8, n&0xff))
		case "USBROOT":
			root = true
		case "USB":
			ports = append(ports, m[2])
		case "USBMI": // a function of a composite device: the same socket
		default:
			return location, ""
		}
	}
	if !root || len(ports) == 0 || len(controller) == 0 {
		return location, ""
	}
	bus, last := strings.Join(controller, ":"), len(ports)-1
	if hub = bus + "-" + strings.Join(ports[:last], "."); last == 0 {
		hub = "usb" + bus
	}
	return bus + "-" + strings.Join(ports, "."), hub
}
