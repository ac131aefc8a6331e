package disk

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

// xhci makes a controller with the buses 1 (USB 2) and 2 (SuperSpeed), whose
// root ports are companions by the map from the second to the first.
func (tr *tree) xhci(companions map[int]int) {
	controller := "sys/devices/pci0000:00/0000:00:14.0"
	tr.write("sys/bus/pci/bind", "")
	tr.link(controller+"/subsystem", "sys/bus/pci")
	for bus, speed := range map[string]string{"1": "480\n", "2": "10000\n"} {
		tr.write(controller+"/usb"+bus+"/speed", speed)
	}
	for from, to := range companions {
		tr.link(controller+"/usb2/2-0:1.0/usb2-port"+strconv.Itoa(from)+"/peer",
			controller+"/usb1/1-0:1.0/usb1-port"+strconv.Itoa(to))
	}
}

// A stick has one place, whichever of the socket's two buses it appears on.
func TestSocketOverBothBuses(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.xhci(map[int]int{1: 5, 3: 3})
	base := filepath.Join(tr.root, "sys/devices/pci0000:00/0000:00:14.0")
	for dir, want := range map[string][3]string{
		"usb1/1-5":                      {"1-5", "usb1", "pci-0000:00:14.0-usb-0:5"},
		"usb2/2-1":                      {"1-5", "usb1", "pci-0000:00:14.0-usb-0:5"},
		"usb1/1-5/1-5.4/1-5.4.2":        {"1-5.4.2", "1-5.4", "pci-0000:00:14.0-usb-0:5.4.2"},
		"usb2/2-1/2-1.4/2-1.4.2":        {"1-5.4.2", "1-5.4", "pci-0000:00:14.0-usb-0:5.4.2"},
		"usb2/2-3":                      {"1-3", "usb1", "pci-0000:00:14.0-usb-0:3"},
		"usb2/2-4":                      {"2-4", "usb2", "pci-0000:00:14.0-usb-0:4"}, // no companion
		"usb2/2-4/2-4.1":                {"2-4.1", "2-4", "pci-0000:00:14.0-usb-0:4.1"},
		"usb1/1-12/1-12.1/1-12.1.1.1.1": {"1-12.1.1.1.1", "1-12.1.1.1", "pci-0000:00:14.0-usb-0:12.1.1.1.1"},
	} {
		port, hub, socket := usbPlace(filepath.Join(base, dir))
		if got := [3]string{port, hub, socket}; got != want {
			t.Errorf("%s is %q, want %q", dir, got, want)
		}
	}
	if port, hub, socket := usbPlace("/sys/devices/strange"); port != "strange" || hub+socket != "" {
		t.Errorf("no USB device: %q, %q, %q", port, hub, socket)
	}
}

// A stick that was confirmed on the SuperSpeed bus and falls back is found at
// its place, and refused because it is another connection.
func TestFallBackBeforeOpen(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.xhci(map[int]int{1: 1})
	l := tr.lister()
	at := func(bus, name, num string, speed string) protocol.Device {
		usb := "devices/pci0000:00/0000:00:14.0/usb" + bus + "/" + bus + "-1/" + bus + "-1.2"
		tr.usbStick(usb, name, num, "S1", 9)
		tr.write("sys/"+usb+"/speed", speed)
		return device(t, l, name)
	}
	fast := at("2", "sdc", "8:32", "5000\n")
	if err := os.RemoveAll(filepath.Join(tr.root, "sys/block/sdc")); err != nil {
		t.Fatal(err)
	}
	slow := at("1", "sdd", "8:48", "480\n")
	if fast.Port != "1-1.2" || slow.Port != fast.Port || slow.Socket != fast.Socket || slow.Hub != "1-1" {
		t.Errorf("%s (%s) fell back to %s (%s)", fast.Port, fast.Socket, slow.Port, slow.Socket)
	}
	_, err := l.Open(t.Context(), fast.Identity)
	if f := faultIs(t, err, protocol.FaultDeviceChanged); f.Params["what"] != "connection" {
		t.Errorf("%v differs, want the connection", f.Params["what"])
	}
}

// What a device could do in a faster socket is in its object store; it is
// asked once.
func TestFellBack(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	usb := "sys/devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1.4"
	tr.write(usb+"/speed", "480\n")
	tr.write(usb+"/version", " 2.10\n")
	tr.write(usb+"/bos_descriptors", string(xhciBOS))
	l := tr.lister()
	if d := device(t, l, "sdb"); d.MaxMbps != 10_000 || !d.FellBack() {
		t.Errorf("%d of %d Mb/s, fell back: %v", d.SpeedMbps, d.MaxMbps, d.FellBack())
	}
	tr.write(usb+"/bos_descriptors", "")
	if d := device(t, l, "sdb"); d.MaxMbps != 10_000 {
		t.Errorf("asked again: %d Mb/s", d.MaxMbps)
	}
	tr.write(usb+"/version", " 2.00\n")
	tr.write(usb+"/bos_descriptors", string(xhciBOS))
	if d := device(t, tr.lister(), "sdb"); d.MaxMbps != 0 || d.FellBack() {
		t.Errorf("a device of USB 2.0: %d Mb/s", d.MaxMbps)
	}
	tr.write(usb+"/speed", "10000\n")
	tr.write(usb+"/version", " 3.20\n")
	if d := device(t, tr.lister(), "sdb"); d.MaxMbps != 10_000 || d.FellBack() {
		t.Errorf("in the right socket: %d Mb/s, fell back: %v", d.MaxMbps, d.FellBack())
	}
}
