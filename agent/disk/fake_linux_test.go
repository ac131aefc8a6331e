package disk

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

// tree is a machine made of files: its /sys, /proc, /dev and /etc.
type tree struct {
	t    *testing.T
	root string
	seq  int
}

// newTree makes a machine with an internal disk (sda, with / and /boot/efi on
// it) and one good stick (sdb, with one partition).
func newTree(t *testing.T) *tree {
	t.Helper()
	tr := &tree{t: t, root: t.TempDir()}
	tr.write("proc/self/mountinfo", "21 1 8:2 / / rw - ext4 /dev/sda2 rw\n22 21 8:1 / /boot/efi rw - vfat /dev/sda1 rw\n")
	tr.write("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n")
	tr.write("proc/sys/kernel/random/boot_id", "5f1e\n")
	tr.disk("devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0", "sda", "8:0", 1<<40)
	tr.part("sda", "sda1", "8:1", 1<<20)
	tr.part("sda", "sda2", "8:2", 1<<30)
	tr.stick("sdb", "8:16", "1-1.4", "4C530001", 6)
	tr.part("sdb", "sdb1", "8:17", 1<<20)
	return tr
}

func (tr *tree) lister() *Lister {
	at := func(name string) string { return filepath.Join(tr.root, name) }
	return &Lister{Sysfs: at("sys"), Dev: at("dev"), Proc: at("proc"), Etc: at("etc")}
}

func (tr *tree) write(name, text string) {
	tr.t.Helper()
	path := filepath.Join(tr.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tr.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		tr.t.Fatal(err)
	}
}

func (tr *tree) append(name, text string) {
	tr.t.Helper()
	old, err := os.ReadFile(filepath.Join(tr.root, name))
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.write(name, string(old)+text)
}

// link makes a relative symbolic link inside the tree, as sysfs has them.
func (tr *tree) link(name, target string) {
	tr.t.Helper()
	path := filepath.Join(tr.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tr.t.Fatal(err)
	}
	relative, err := filepath.Rel(filepath.Dir(path), filepath.Join(tr.root, target))
	if err == nil {
		err = os.Symlink(relative, path)
	}
	if err != nil {
		tr.t.Fatal(err)
	}
}

// block makes a block device's folder with its three links.
func (tr *tree) block(sys, name, num string, size int64, whole bool) {
	tr.write(sys+"/dev", num+"\n")
	tr.write(sys+"/size", strconv.FormatInt(size/512, 10)+"\n")
	tr.write(sys+"/holders/.keep", "")
	if err := os.Remove(filepath.Join(tr.root, sys, "holders/.keep")); err != nil {
		tr.t.Fatal(err)
	}
	if whole {
		tr.seq++
		tr.write(sys+"/ro", "0\n")
		tr.write(sys+"/removable", "0\n")
		tr.write(sys+"/diskseq", strconv.Itoa(tr.seq)+"\n")
		tr.write(sys+"/queue/logical_block_size", "512\n")
		tr.link("sys/block/"+name, sys)
	}
	tr.link("sys/dev/block/"+num, sys)
	tr.link("sys/class/block/"+name, sys)
	tr.write("dev/"+name, strings.Repeat("\x00", 4096))
}

func (tr *tree) disk(hardware, name, num string, size int64) {
	hardware = "sys/" + hardware
	tr.write(hardware+"/type", "0\n")
	tr.write(hardware+"/vendor", "ACME    \n")
	tr.write(hardware+"/model", "Disk 1000       \n")
	sys := hardware + "/block/" + name
	tr.block(sys, name, num, size, true)
	tr.link(sys+"/device", hardware)
}

func (tr *tree) stick(name, num, port, serial string, host int) {
	tr.usbStick("devices/pci0000:00/0000:00:14.0/usb1/1-1/"+port, name, num, serial, host)
}

// usbStick makes a stick at a USB device's folder.
func (tr *tree) usbStick(usb, name, num, serial string, host int) {
	h, port := strconv.Itoa(host), filepath.Base(usb)
	tr.write("sys/"+usb+"/idVendor", "0781\n")
	tr.write("sys/"+usb+"/idProduct", "55AB\n")
	tr.write("sys/"+usb+"/devnum", "7\n")
	tr.write("sys/"+usb+"/speed", "5000\n")
	if serial != "" {
		tr.write("sys/"+usb+"/serial", serial+"\n")
	}
	function := usb + "/" + port + ":1.0"
	tr.write("sys/bus/usb/drivers/usb-storage/bind", "")
	tr.link("sys/"+function+"/driver", "sys/bus/usb/drivers/usb-storage")
	tr.disk(function+"/host"+h+"/target"+h+":0:0/"+h+":0:0:0", name, num, 64<<30)
	tr.write("sys/block/"+name+"/removable", "1\n")
}

func (tr *tree) part(disk, name, num string, start int64) {
	real, err := filepath.EvalSymlinks(filepath.Join(tr.root, "sys/block", disk))
	if err != nil {
		tr.t.Fatal(err)
	}
	sys := strings.TrimPrefix(real, tr.root+"/") + "/" + name
	tr.block(sys, name, num, 1<<30, false)
	tr.write(sys+"/partition", "1\n")
	tr.write(sys+"/start", strconv.FormatInt(start/512, 10)+"\n")
}

// mapped makes a device-mapper volume over another device.
func (tr *tree) mapped(name, num, label, over string) {
	sys := "sys/devices/virtual/block/" + name
	tr.block(sys, name, num, 1<<30, true)
	tr.write(sys+"/dm/name", label+"\n")
	tr.link(sys+"/slaves/"+over, "sys/class/block/"+over)
	tr.link("sys/class/block/"+over+"/holders/"+name, sys)
	tr.link("dev/mapper/"+label, "dev/"+name)
}

// device lists the machine and returns one device of it.
func device(t *testing.T, l *Lister, path string) protocol.Device {
	t.Helper()
	devices, err := l.List(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		if strings.HasSuffix(d.Path, path) {
			return d
		}
	}
	t.Fatalf("%s is not listed in %+v", path, devices)
	return protocol.Device{}
}

// codes are the refusals of a device, each once.
func codes(d protocol.Device) []string {
	var out []string
	for _, f := range d.Refusals {
		out = append(out, f.Code)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
