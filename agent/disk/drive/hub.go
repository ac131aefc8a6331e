package drive

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// Speed asks a hub how fast the device in one of its ports runs, in Mb/s; 0
// when the hub does not say. capable is the least that the device could run at
// in a faster socket, 0 if the hub says nothing of that. Ports are counted from
// 1.
func Speed(ask Ask, port uint32) (now, capable int) {
	question := EncodeConnection(port)
	if raw, err := ask(GetConnection, question, len(question)); err == nil {
		if c, err := DecodeConnection(raw); err == nil {
			now, capable = c.Mbps, c.CapableMbps
		}
	}
	if now > 0 {
		return now, capable
	}
	// It says no speed below that of USB 3.
	question = EncodeOldConnection(port)
	if raw, err := ask(GetOldConnection, question, len(question)); err == nil {
		if c, err := DecodeOldConnection(raw); err == nil {
			now = c.Mbps
		}
	}
	return now, capable
}

// ReadBOS asks the device in a port of a hub for its binary object store (USB
// 3.2, 9.6.2), which says how fast it could be; empty if it has none. Devices
// before USB 2.1 are not asked, some hang themselves up.
func ReadBOS(ask Ask, port uint32) ([]byte, error) {
	question := EncodeOldConnection(port)
	raw, err := ask(GetOldConnection, question, len(question))
	if err != nil {
		return nil, err
	}
	c, err := DecodeOldConnection(raw)
	if err != nil || c.Version < 0x0201 {
		return nil, err
	}
	question = EncodeDescriptor(port, descriptorBOS, 255)
	raw, err = ask(GetDescriptor, question, len(question))
	if Gone(err) {
		return nil, err
	}
	if err != nil || len(raw) < descriptorRequest {
		return nil, nil //nolint:nilerr // it has none, or does not say: asking again helps nobody
	}
	return raw[descriptorRequest:], nil
}

// Root is what Socket needs to know of the root hub above a device.
type Root struct {
	Ask  Ask
	Port uint32 // of the root hub, from 1
	// Locate returns the location path of another hub by its symbolic link,
	// empty if there is none.
	Locate func(link string) string
}

// Socket returns the location path of the socket that a USB device is plugged
// into: its own (DEVPKEY_Device_LocationPaths), but for a device at a port for
// USB 3 alone. A USB 3 socket is two ports of a root hub, and which of them a
// device appears at is a matter of luck and of the plug; so it is called by the
// one for USB 2. The hub knows which ports are companions. The two halves of an
// external hub number their ports alike (USB 3.2, 10.1), so that the rest of
// the path stays. A socket without a companion keeps its own name. err is the
// hub's: what it did not say now it may say later.
func Socket(location string, root Root) (string, error) {
	head, rest, ok := rootPort(location)
	if !ok {
		return location, nil
	}
	question := EncodeConnection(root.Port)
	raw, err := root.Ask(GetConnection, question, len(question))
	if err != nil {
		return location, err
	}
	c, err := DecodeConnection(raw)
	if err != nil || c.USB2 || !c.USB3 {
		return location, err
	}
	question = EncodeConnector(root.Port)
	if raw, err = root.Ask(GetConnector, question, len(question)); err != nil {
		return location, err
	}
	link, port, err := DecodeConnector(raw)
	if err != nil || port == 0 {
		return location, err
	}
	if link != "" {
		if other := root.Locate(`\\?\` + link); other != "" {
			head = other
		}
	}
	return fmt.Sprintf("%s#USB(%d)%s", head, port, rest), nil
}

// rootPort splits a location path around the port of the root hub.
func rootPort(location string) (head, rest string, ok bool) {
	const mark = "#USB("
	at := strings.Index(strings.ToUpper(location), mark)
	if at < 0 {
		return "", "", false
	}
	end := strings.IndexByte(location[at:], ')')
	if end < 0 {
		return "", "", false
	}
	return location[:at], location[at+end+1:], true
}

// Connection is USB_NODE_CONNECTION_INFORMATION_EX_V2 (usbioctl.h): a port of
// a hub and the device in it.
type Connection struct {
	USB2, USB3  bool // the port has wires for
	Mbps        int  // negotiated, if it is the speed of USB 3, else 0
	CapableMbps int  // what the device could do at least, 0 below USB 3
}

// EncodeConnection makes the question of
// IOCTL_USB_GET_NODE_CONNECTION_INFORMATION_EX_V2 for a port of a hub, counted
// from 1; the answer is of the same form.
func EncodeConnection(port uint32) []byte {
	const size, usb300 = 16, 4
	b := make([]byte, size)
	le.PutUint32(b, port)
	le.PutUint32(b[4:], size)
	le.PutUint32(b[8:], usb300)
	return b
}

// DecodeConnection reads the answer to EncodeConnection's question.
func DecodeConnection(b []byte) (c Connection, err error) {
	if err := need(b, 16, "USB_NODE_CONNECTION_INFORMATION_EX_V2"); err != nil {
		return c, err
	}
	protocols, flags := le.Uint32(b[8:]), le.Uint32(b[12:])
	c.USB2, c.USB3 = protocols&(1|2) != 0, protocols&4 != 0 // Usb110, Usb200; Usb300
	speed := func(super, plus uint32) int {
		switch {
		case flags&plus != 0:
			return 10_000
		case flags&super != 0:
			return 5_000
		}
		return 0
	}
	c.Mbps = speed(1, 4)        // DeviceIsOperatingAtSuperSpeed(Plus)OrHigher
	c.CapableMbps = speed(2, 8) // DeviceIsSuperSpeed(Plus)CapableOrHigher
	return c, nil
}

// OldConnection is what is read of USB_NODE_CONNECTION_INFORMATION_EX, which
// knows nothing of USB 3 on some hubs.
type OldConnection struct {
	Version uint16 // of USB, that the device says it follows: 0x0210
	Mbps    int    // 0 if unknown
}

// connectionSize is USB_NODE_CONNECTION_INFORMATION_EX without pipes; it is
// packed.
const connectionSize = 35

// EncodeOldConnection makes the question of
// IOCTL_USB_GET_NODE_CONNECTION_INFORMATION_EX for a port of a hub, counted
// from 1; the answer is of the same form.
func EncodeOldConnection(port uint32) []byte {
	b := make([]byte, connectionSize+30*11) // room for every pipe
	le.PutUint32(b, port)
	return b
}

// DecodeOldConnection reads the answer to EncodeOldConnection's question.
func DecodeOldConnection(b []byte) (c OldConnection, err error) {
	if err := need(b, connectionSize, "USB_NODE_CONNECTION_INFORMATION_EX"); err != nil {
		return c, err
	}
	c.Version = le.Uint16(b[6:]) // bcdUSB of the device descriptor, which begins at 4
	// USB_DEVICE_SPEED: low (1.5, which reads as 1 on Linux too), full, high, super.
	if speed := int(b[23]); speed < 4 {
		c.Mbps = []int{1, 12, 480, 5_000}[speed]
	}
	return c, nil
}

const (
	descriptorRequest = 12 // USB_DESCRIPTOR_REQUEST without its data
	descriptorBOS     = 15 // USB 3.2, table 9-6
)

// EncodeDescriptor makes USB_DESCRIPTOR_REQUEST, the question of
// IOCTL_USB_GET_DESCRIPTOR_FROM_NODE_CONNECTION: the first descriptor of a
// kind, of at most length bytes, of the device in a port of a hub. The answer
// is of the same form, with the descriptor behind it.
func EncodeDescriptor(port uint32, kind byte, length uint16) []byte {
	b := make([]byte, descriptorRequest+int(length))
	le.PutUint32(b, port)
	b[4], b[5] = 0x80, 6 // to the host, GET_DESCRIPTOR (USB 3.2, 9.4.3)
	le.PutUint16(b[6:], uint16(kind)<<8)
	le.PutUint16(b[10:], length)
	return b
}

// The companion's link follows the fixed part of USB_PORT_CONNECTOR_PROPERTIES,
// which is packed.
const (
	connectorLink = 16
	connectorRoom = connectorLink + 2*512
)

// EncodeConnector makes USB_PORT_CONNECTOR_PROPERTIES, the question of
// IOCTL_USB_GET_PORT_CONNECTOR_PROPERTIES for the first companion of a port of
// a hub, counted from 1; the answer is of the same form.
func EncodeConnector(port uint32) []byte {
	b := make([]byte, connectorRoom)
	le.PutUint32(b, port)
	return b
}

// DecodeConnector reads the answer to EncodeConnector's question: the port that
// shares the socket, 0 if none does, and the symbolic link of its hub.
func DecodeConnector(b []byte) (link string, port uint32, err error) {
	if err := need(b, connectorLink, "USB_PORT_CONNECTOR_PROPERTIES"); err != nil {
		return "", 0, err
	}
	var text []uint16
	for at := connectorLink; at+2 <= len(b); at += 2 {
		u := le.Uint16(b[at:])
		if u == 0 {
			break
		}
		text = append(text, u)
	}
	return string(utf16.Decode(text)), uint32(le.Uint16(b[14:])), nil
}
