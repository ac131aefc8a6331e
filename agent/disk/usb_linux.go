package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/stickpress/stickpress/agent/protocol"
)

// onUSB fills in what the USB bus knows, if the disk hangs on one: the
// nearest parent with a USB descriptor.
func (l *Lister) onUSB(c *candidate) bool {
	root, err := filepath.EvalSymlinks(l.sysfs())
	if err != nil {
		return false
	}
	for dir := filepath.Dir(c.sys); len(dir) > len(root); dir = filepath.Dir(dir) {
		if driver, err := os.Readlink(filepath.Join(dir, "driver")); err == nil && filepath.Base(driver) == "uas" {
			c.UASP = true
		}
		if !exists(dir, "idVendor") || !exists(dir, "devnum") {
			continue
		}
		// The SCSI address is host:channel:target:lun.
		address := strings.Split(c.Port, ":")
		c.LUN, _ = strconv.Atoi(address[len(address)-1])
		c.usb = dir
		c.Kind = protocol.KindUSB
		c.Port, c.Hub, c.Socket = usbPlace(dir)
		c.VIDPID = strings.ToLower(readText(dir, "idVendor") + ":" + readText(dir, "idProduct"))
		c.Serial = readText(dir, "serial")
		c.SpeedMbps = int(readInt(dir, "speed")) // "1.5" reads as 1
		if c.Vendor == "" {
			c.Vendor = readText(dir, "manufacturer")
		}
		if c.Model == "" {
			c.Model = readText(dir, "product")
		}
		return true
	}
	c.UASP = false
	return false
}

// usbPlace says where a USB device is plugged in. Its folder is named by the
// bus and the ports on the way: "1-1.4" is bus 1, port 1 of the root hub, port
// 4 of the hub there.
//
// A USB 3 socket is two ports, one on a SuperSpeed bus and one on a USB 2 bus,
// and which of them a stick appears at is a matter of luck and of the plug. So
// a place on a SuperSpeed bus is called by its companion's name. The kernel
// knows which root ports are companions ("peer"; kernel:
// Documentation/ABI/testing/sysfs-bus-usb); the two halves of an external hub
// number their ports alike (USB 3.2, 10.1). A socket without a companion keeps
// its own name.
//
// Buses are numbered in the order in which the kernel finds them, so the
// socket is named by the controller's place instead, as udev's ID_PATH is.
func usbPlace(dir string) (port, hub, socket string) {
	port = filepath.Base(dir)
	bus, chain, ok := strings.Cut(port, "-")
	root := dir
	for ok && filepath.Base(root) != "usb"+bus {
		if root = filepath.Dir(root); root == filepath.Dir(root) {
			ok = false
		}
	}
	if !ok {
		return port, "", ""
	}
	if first, rest, _ := strings.Cut(chain, "."); readInt(root, "speed") > 480 {
		if peer, err := os.Readlink(filepath.Join(root, bus+"-0:1.0", "usb"+bus+"-port"+first, "peer")); err == nil {
			var b, p int
			if _, err := fmt.Sscanf(filepath.Base(peer), "usb%d-port%d", &b, &p); err == nil {
				bus, chain = strconv.Itoa(b), strconv.Itoa(p)
				if rest != "" {
					chain += "." + rest
				}
			}
		}
	}
	hub = "usb" + bus
	if i := strings.LastIndexByte(chain, '.'); i >= 0 {
		hub = bus + "-" + chain[:i]
	}
	controller := filepath.Dir(root)
	kind := "platform"
	if subsystem, err := os.Readlink(filepath.Join(controller, "subsystem")); err == nil {
		kind = filepath.Base(subsystem)
	}
	return bus + "-" + chain, hub, kind + "-" + filepath.Base(controller) + "-usb-0:" + chain
}
