package usb

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

const gib = int64(1) << 30

// drives are the image files behind the machine's disks, by name.
type drives struct {
	t    *testing.T
	dir  string
	args []string
}

func (d *drives) path(name string) string { return filepath.Join(d.dir, name) }

// add makes a sparse file and hands it to qemu, not yet plugged in.
func (d *drives) add(name string, size int64, options string) {
	d.t.Helper()
	if err := os.WriteFile(d.path(name), nil, 0o600); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Truncate(d.path(name), size); err != nil {
		d.t.Fatal(err)
	}
	d.args = append(d.args, "-blockdev", "driver=raw,node-name="+name+",file.driver=file,file.filename="+d.path(name)+options)
}

func (d *drives) plug(device string) { d.args = append(d.args, "-device", device) }

// stick adds a drive and plugs it in from the start.
func (d *drives) stick(name, port string, size int64, serial string) {
	d.t.Helper()
	d.add(name, size, "")
	d.plug("usb-storage,id=" + name + ",drive=" + name + ",bus=xhci.0,port=" + port + ",serial=" + serial + ",removable=on")
}

// tool runs one of the programs that prepare a drive.
func (d *drives) tool(input, name string, args ...string) {
	d.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("%s: %v (install dosfstools, fdisk, util-linux)\n%s", name, err, out)
	}
}

// bytesAt reads a drive from the outside.
func (d *drives) bytesAt(name string, offset int64) []byte {
	d.t.Helper()
	f, err := os.Open(d.path(name))
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1<<20)
	if _, err := f.ReadAt(b, offset); err != nil {
		d.t.Fatal(err)
	}
	return b
}

// TestUSB is one boot of one machine; its parts run in order and leave the
// ports to each other as their names say.
func TestUSB(t *testing.T) {
	t.Parallel()
	d := &drives{t: t, dir: t.TempDir()}
	d.plug("qemu-xhci,id=xhci,p2=15,p3=15")
	d.plug("usb-hub,bus=xhci.0,port=3")
	d.stick("twin1", "1", 64*gib, "SAME")
	d.stick("twin2", "2", 64*gib, "SAME")
	d.stick("hub", "3.1", 64*gib, "hub")
	d.add("uas0", 64*gib, "")
	d.add("uas1", 64*gib, "")
	d.plug("usb-uas,id=uas,bus=xhci.0,port=4")
	d.plug("scsi-hd,bus=uas.0,lun=0,drive=uas0")
	d.plug("scsi-hd,bus=uas.0,lun=1,drive=uas1")
	d.stick("small", "5", 8*gib, "small")
	d.stick("photos", "6", 64*gib, "photos")
	d.tool("label: dos\nstart=2048, size=131072, type=c\n", "sfdisk", "--quiet", d.path("photos"))
	d.tool("", "mkfs.fat", "-F", "16", "-n", "PHOTOS", "--offset", "2048", d.path("photos"), "65536")
	d.stick("swap", "7", 64*gib, "swap")
	d.tool("", "mkswap", d.path("swap"), "1024")
	d.stick("raid", "8", 64*gib, "raid")
	d.stick("lvm", "9", 64*gib, "lvm")
	d.add("native4k", 64*gib, "")
	d.plug("usb-uas,id=uas4k,bus=xhci.0,port=10")
	d.plug("scsi-hd,bus=uas4k.0,drive=native4k,removable=on,logical_block_size=4096,physical_block_size=4096")
	d.add("locked", 64*gib, ",read-only=on")
	d.plug("usb-storage,drive=locked,bus=xhci.0,port=11")
	d.add("sata", 64*gib, "")
	d.plug("ide-hd,drive=sata,bus=ide.0")
	d.add("virtio", 64*gib, "")
	d.plug("virtio-blk-pci,drive=virtio")
	d.add("card1", 64*gib, "")
	d.add("card2", 64*gib, "")
	d.plug("usb-uas,id=reader,bus=xhci.0,port=12")
	d.plug("scsi-hd,id=slot,bus=reader.0,drive=card1,removable=on")
	d.add("spare", 64*gib, "")
	d.add("other", 64*gib, "")
	d.add("third", 64*gib, "")
	m := boot(t, d.args...)

	m.part("identity", func(t *testing.T) {
		twin, hub, uas, native := m.at("1-1", 0), m.at("1-3.1", 0), m.at("1-4", 1), m.at("1-10", 0)
		t.Log(describe([]protocol.Device{*twin, *hub, *uas, *native}))
		if twin.Kind != protocol.KindUSB || twin.Serial != "SAME" || twin.VIDPID != "46f4:0001" || twin.Bytes != 64*gib ||
			!twin.Removable || twin.UASP || twin.SpeedMbps < 480 || twin.Vendor != "QEMU" || !twin.Writable() {
			t.Errorf("twin: %+v", twin)
		}
		if hub.SpeedMbps != 12 || hub.Serial != "hub" || !hub.Writable() {
			t.Errorf("behind the hub: %+v", hub)
		}
		if !uas.UASP || uas.Removable || m.at("1-4", 0).Path == uas.Path {
			t.Errorf("UASP: %+v", uas)
		}
		if native.SectorSize != 4096 {
			t.Errorf("4Kn: %+v", native)
		}
	})
	m.part("sockets", func(t *testing.T) {
		// On the SuperSpeed bus the kernel calls this one 2-1; its companion
		// is 1-1. The speed that it could do is in its own descriptor.
		twin, hub := m.at("1-1", 0), m.at("1-3.1", 0)
		if twin.SpeedMbps != 5000 || twin.MaxMbps != 5000 || twin.FellBack() || twin.Hub != "usb1" ||
			!strings.HasPrefix(twin.Socket, "pci-0000:00:") || !strings.HasSuffix(twin.Socket, "-usb-0:1") {
			t.Errorf("on the SuperSpeed bus: %+v", twin)
		}
		if hub.MaxMbps != 0 || hub.Hub != "1-3" || hub.Socket != strings.TrimSuffix(twin.Socket, ":1")+":3.1" {
			t.Errorf("behind the hub: %+v", hub)
		}
	})
	m.part("identify", func(t *testing.T) {
		dev := m.at("1-9", 0)
		m.do(Request{Op: OpBlink, Identity: dev.Identity})
		m.do(Request{Op: OpOpen, Identity: dev.Identity})
		m.refuse(Request{Op: OpBlink, Identity: dev.Identity}, protocol.FaultDeviceBusy)
		m.do(Request{Op: OpClose, Path: dev.Path})
		if !bytes.Equal(d.bytesAt("lvm", 0), make([]byte, 1<<20)) {
			t.Error("the stick that blinked was written")
		}
	})
	m.part("refusals", func(t *testing.T) {
		for port, want := range map[string]string{"1-5": protocol.FaultTooSmall, "1-11": protocol.FaultReadOnly} {
			if got := codes(m.at(port, 0)); !slices.Equal(got, []string{want}) {
				t.Errorf("port %s is refused for %v, want %s", port, got, want)
			}
		}
		internal := 0
		for _, dev := range m.do(Request{Op: OpList}).Devices {
			if dev.Kind != protocol.KindDisk {
				continue
			}
			internal++
			if got := codes(&dev); !slices.Equal(got, []string{protocol.FaultNotRemovable}) {
				t.Errorf("%s is refused for %v", dev.Path, got)
			}
			m.refuse(Request{Op: OpOpen, Identity: dev.Identity}, protocol.FaultNotRemovable)
		}
		if internal != 2 {
			t.Errorf("%d internal disks, want the SATA and the virtio one", internal)
		}
	})
	m.part("equal serials", func(t *testing.T) {
		one, two := m.at("1-1", 0), m.at("1-2", 0)
		if one.DuplicateOf != 1 || two.DuplicateOf != 1 || one.Serial != two.Serial {
			t.Errorf("duplicates %d and %d of %q and %q", one.DuplicateOf, two.DuplicateOf, one.Serial, two.Serial)
		}
		m.do(Request{Op: OpOpen, Identity: two.Identity})
		m.do(Request{Op: OpWrite, Path: two.Path, Offset: 1 << 30, Fill: 0xa5})
		m.do(Request{Op: OpClose, Path: two.Path})
		if !bytes.Equal(d.bytesAt("twin2", 1<<30), bytes.Repeat([]byte{0xa5}, 1<<20)) {
			t.Error("the stick in port 2 does not hold what was written")
		}
		if !bytes.Equal(d.bytesAt("twin1", 1<<30), make([]byte, 1<<20)) {
			t.Error("the stick in port 1 was written")
		}
	})
	m.part("4Kn", func(t *testing.T) {
		dev := m.at("1-10", 0)
		m.do(Request{Op: OpOpen, Identity: dev.Identity})
		m.do(Request{Op: OpWrite, Path: dev.Path, Fill: 0x11})
		m.refuse(Request{Op: OpWrite, Path: dev.Path, Offset: 512}, protocol.FaultInternal)
		m.do(Request{Op: OpClose, Path: dev.Path})
	})
	m.part("mounts", func(t *testing.T) {
		dev := m.at("1-6", 0)
		if !slices.Equal(dev.Volumes, []string{"PHOTOS"}) {
			t.Errorf("volumes %q", dev.Volumes)
		}
		part := dev.Path + "1"
		m.do(Request{Op: OpMount, Path: part, Target: "/media/ann/PHOTOS"})
		if got := m.at("1-6", 0); !got.Writable() || !slices.Equal(got.AutomountedAt, []string{"/media/ann/PHOTOS"}) {
			t.Errorf("automounted at %v, refused for %v", got.AutomountedAt, codes(got))
		}
		for _, got := range m.do(Request{Op: OpList, DataDir: "/media/ann/PHOTOS/stickpress"}).Devices {
			if got.Port == "1-6" && !slices.Equal(codes(&got), []string{protocol.FaultDataDir}) {
				t.Errorf("our data on it, refused for %v", codes(&got))
			}
		}
		m.do(Request{Op: OpMount, Path: part, Target: "/srv"})
		if got := codes(m.at("1-6", 0)); !slices.Equal(got, []string{protocol.FaultMounted}) {
			t.Errorf("mounted twice, refused for %v", got)
		}
		m.refuse(Request{Op: OpOpen, Identity: dev.Identity}, protocol.FaultMounted)
		m.do(Request{Op: OpUmount, Target: "/srv"})
		opened := m.do(Request{Op: OpOpen, Identity: dev.Identity})
		if !slices.Equal(opened.Mounts, []string{"/media/ann/PHOTOS"}) || slices.Contains(m.do(Request{Op: OpPoints}).Mounts, "/media/ann/PHOTOS") {
			t.Errorf("unmounted %v", opened.Mounts)
		}
		m.refuse(Request{Op: OpMount, Path: part, Target: "/srv"}, protocol.FaultInternal) // EBUSY
		m.do(Request{Op: OpClose, Path: dev.Path})
	})
	m.part("swap, RAID, LVM", func(t *testing.T) {
		for port, c := range map[string]struct {
			op   Op
			want string
		}{
			"1-7": {OpSwapOn, protocol.FaultSwap}, "1-8": {OpRAID, protocol.FaultHolders}, "1-9": {OpMap, protocol.FaultHolders},
		} {
			dev := m.at(port, 0)
			m.do(Request{Op: c.op, Path: dev.Path})
			if got := codes(m.at(port, 0)); !slices.Equal(got, []string{c.want}) {
				t.Errorf("%s: refused for %v, want %s", c.op, got, c.want)
			}
			m.refuse(Request{Op: OpOpen, Identity: dev.Identity}, c.want)
		}
	})
	m.part("swapped before open", func(t *testing.T) {
		confirmed := m.at("1-1", 0).Identity
		m.unplug("twin1")
		m.gone("1-1", 0)
		m.refuse(Request{Op: OpOpen, Identity: confirmed}, protocol.FaultDeviceGone)
		m.plug("spare", "spare", "1", "SAME") // the same in every respect but one
		m.at("1-1", 0)
		if f := m.refuse(Request{Op: OpOpen, Identity: confirmed}, protocol.FaultDeviceChanged); f.Params["what"] != "connection" {
			t.Errorf("%v differs, want the connection", f.Params["what"])
		}
		m.unplug("spare")
		m.gone("1-1", 0)
		m.plug("other", "other", "1", "OTHER")
		m.at("1-1", 0)
		if f := m.refuse(Request{Op: OpOpen, Identity: confirmed}, protocol.FaultDeviceChanged); f.Params["have"] != "OTHER" {
			t.Errorf("%v differs, want the serial", f.Params)
		}
	})
	m.part("swapped after open", func(t *testing.T) {
		dev := m.at("1-1", 0)
		m.do(Request{Op: OpOpen, Identity: dev.Identity})
		m.unplug("other")
		m.gone("1-1", 0)
		m.plug("other2", "spare", "1", "OTHER")
		m.at("1-1", 0)
		if f := m.refuse(Request{Op: OpWrite, Path: dev.Path}, protocol.FaultDeviceChanged, protocol.FaultDeviceGone); f.Touched {
			t.Error("said to be touched")
		}
		m.do(Request{Op: OpClose, Path: dev.Path})
		if !bytes.Equal(d.bytesAt("spare", 0), make([]byte, 1<<20)) {
			t.Error("the stick that was put in its place was written")
		}
	})
	m.part("card swapped in mid-write", func(t *testing.T) {
		dev := m.at("1-12", 0)
		m.do(Request{Op: OpOpen, Identity: dev.Identity})
		m.do(Request{Op: OpWrite, Path: dev.Path, Fill: 0x55})
		m.swap("slot", "card2")
		m.find("the other card", func(d *protocol.Device) bool { return d.Port == "1-12" && d.Connection != dev.Connection })
		for range 2 { // the second is what wipes the table of what was not finished
			if f := m.refuse(Request{Op: OpWrite, Path: dev.Path, Fill: 0x66}, protocol.FaultDeviceGone); !f.Touched {
				t.Error("said not to be touched")
			}
		}
		m.do(Request{Op: OpClose, Path: dev.Path})
		if !bytes.Equal(d.bytesAt("card1", 0), bytes.Repeat([]byte{0x55}, 1<<20)) {
			t.Error("the card does not hold what was written")
		}
		if !bytes.Equal(d.bytesAt("card2", 0), make([]byte, 1<<20)) {
			t.Error("the card that was put in its place was written")
		}
	})
	m.part("pulled out in mid-write", func(t *testing.T) {
		dev := m.at("1-2", 0)
		m.do(Request{Op: OpOpen, Identity: dev.Identity})
		end := m.start(Request{Op: OpFlood, Path: dev.Path})
		m.await(EventFlooding)
		m.unplug("twin2")
		r := wait(m, "the end of the flood", end)
		if r.Fault == nil || r.Fault.Code != protocol.FaultDeviceGone || !r.Fault.Touched || r.Fault.Params["port"] != "1-2" {
			t.Errorf("%v, touched %v; want device_gone", r.Fault, r.Fault != nil && r.Fault.Touched)
		}
		m.ask(Request{Op: OpClose, Path: dev.Path})
	})
	m.part("comes back under another name", func(t *testing.T) {
		m.plug("twin3", "twin2", "2", "SAME")
		dev := m.at("1-2", 0)
		m.do(Request{Op: OpOpen, Identity: dev.Identity})
		end := m.start(Request{Op: OpFlood, Path: dev.Path})
		m.await(EventFlooding)
		m.unplug("twin3")
		m.plug("twin4", "twin2", "2", "SAME") // at once: a stick that resets
		r := wait(m, "the end of the flood", end)
		if r.Fault == nil || r.Fault.Code != protocol.FaultDeviceGone || !r.Fault.Touched {
			t.Errorf("%v, want device_gone", r.Fault)
		}
		again := m.find("the stick at 1-2 again", func(d *protocol.Device) bool {
			return d.Port == "1-2" && d.Connection != dev.Connection
		})
		if again.Path == dev.Path || again.Socket != dev.Socket || again.Serial != dev.Serial {
			t.Errorf("%s at %s came back as %s at %s", dev.Path, dev.Socket, again.Path, again.Socket)
		}
		const beyond = 40 * gib // where the flood did not come
		m.refuse(Request{Op: OpWrite, Path: dev.Path, Offset: beyond, Fill: 0x99}, protocol.FaultDeviceGone)
		m.refuse(Request{Op: OpOpen, Identity: dev.Identity}, protocol.FaultDeviceChanged)
		m.ask(Request{Op: OpClose, Path: dev.Path})
		if !bytes.Equal(d.bytesAt("twin2", beyond), make([]byte, 1<<20)) {
			t.Error("the write went on after the stick came back")
		}
	})
	m.part("a hub loses its power", func(t *testing.T) {
		m.unplug("other2")
		m.gone("1-1", 0)
		m.control("device_add", map[string]any{"driver": "usb-hub", "id": "weak", "bus": "xhci.0", "port": "1"})
		ports := []string{"1-1.1", "1-1.2", "1-1.3"}
		var ends []<-chan *Response
		var paths []string
		for i, name := range []string{"spare", "other", "third"} {
			m.plug("weak"+name, name, strings.TrimPrefix(ports[i], "1-"), name)
			dev := m.at(ports[i], 0)
			if dev.Hub != "1-1" {
				t.Errorf("%s hangs on %q", dev.Port, dev.Hub)
			}
			m.do(Request{Op: OpOpen, Identity: dev.Identity})
			ends = append(ends, m.start(Request{Op: OpFlood, Path: dev.Path}))
			m.await(EventFlooding) // before at takes it for news of the devices
			paths = append(paths, dev.Path)
		}
		m.control("device_del", map[string]any{"id": "weak"})
		for i, end := range ends {
			if r := wait(m, "the end of a flood", end); r.Fault == nil || r.Fault.Code != protocol.FaultDeviceGone || r.Fault.Params["port"] != ports[i] {
				t.Errorf("%s: %v, want device_gone", ports[i], r.Fault)
			}
			m.ask(Request{Op: OpClose, Path: paths[i]})
		}
	})
	m.part("eject", func(t *testing.T) {
		dev := m.at("1-3.1", 0)
		m.do(Request{Op: OpOpen, Identity: dev.Identity})
		m.do(Request{Op: OpWrite, Path: dev.Path, Fill: 0x77})
		m.do(Request{Op: OpEject, Path: dev.Path})
		m.gone("1-3.1", 0)
		if !bytes.Equal(d.bytesAt("hub", 0), bytes.Repeat([]byte{0x77}, 1<<20)) {
			t.Error("the ejected stick does not hold what was written")
		}
		m.unplug("hub")
		m.plug("hub2", "hub", "3.1", "hub")
		if again := m.at("1-3.1", 0); again.Connection == dev.Connection {
			t.Error("plugged in again, but the same connection")
		}
		first := m.at("1-4", 0) // one of two units of one USB device
		m.do(Request{Op: OpOpen, Identity: first.Identity})
		m.do(Request{Op: OpEject, Path: first.Path})
		m.gone("1-4", 0)
		m.at("1-4", 1)
	})
}
