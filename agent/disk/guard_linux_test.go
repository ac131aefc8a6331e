package disk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

func TestListReadsTheBus(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	d := device(t, tr.lister(), "/sdb")
	if d.Connection&(1<<32-1) != 2 || d.Connection == 2 || d.Connection >= 1<<53 {
		t.Errorf("connection %d: want diskseq 2 below the boot's ID", d.Connection)
	}
	d.Connection = 0
	want := protocol.Identity{Kind: protocol.KindUSB, Port: "1-1.4", VIDPID: "0781:55ab", Serial: "4C530001", Bytes: 64 << 30}
	if d.Identity != want {
		t.Errorf("identity %+v, want %+v", d.Identity, want)
	}
	if d.Vendor != "ACME" || d.Model != "Disk 1000" || d.SectorSize != 512 || d.SpeedMbps != 5000 || !d.Removable || d.UASP || !d.Writable() {
		t.Errorf("device %+v %v", d, codes(d))
	}
}

// TestGuards puts one obstacle at a time on the good stick of a made machine.
func TestGuards(t *testing.T) {
	t.Parallel()
	const sdb = "sys/block/sdb/"
	for name, c := range map[string]struct {
		make  func(*tree, *Lister)
		path  string
		codes []string
		auto  []string
	}{
		"good":       {},
		"internal":   {path: "/sda", codes: []string{"device_mounted", "device_not_removable", "device_system"}},
		"read-only":  {make: func(tr *tree, _ *Lister) { tr.write(sdb+"ro", "1\n") }, codes: []string{"device_read_only"}},
		"no medium":  {make: func(tr *tree, _ *Lister) { tr.write(sdb+"size", "0\n") }, codes: []string{"device_no_medium"}},
		"too small":  {make: func(tr *tree, _ *Lister) { tr.write(sdb+"size", "58720255\n") }, codes: []string{"device_too_small"}},
		"just large": {make: func(tr *tree, _ *Lister) { tr.write(sdb+"size", "58720256\n") }},
		"mounted": {make: func(tr *tree, _ *Lister) {
			tr.append("proc/self/mountinfo", "40 21 8:17 / /srv/backup rw - ext4 /dev/sdb1 rw\n")
		}, codes: []string{"device_mounted"}},
		"whole disk mounted": {make: func(tr *tree, _ *Lister) {
			tr.append("proc/self/mountinfo", "40 21 8:16 / /srv/backup rw shared:7 master:2 - ext4 /dev/sdb rw\n")
		}, codes: []string{"device_mounted"}},
		"bind mount of a folder": {make: func(tr *tree, _ *Lister) {
			tr.append("proc/self/mountinfo", "40 21 8:17 /photos /home/a/photos rw - ext4 /dev/disk/by-label/X rw\n")
		}, codes: []string{"device_mounted"}},
		"btrfs, known by its source only": {make: func(tr *tree, _ *Lister) {
			tr.append("proc/self/mountinfo", "40 21 0:48 / /srv/btrfs rw - btrfs /dev/sdb1 rw\n")
		}, codes: []string{"device_mounted"}},
		"automounted": {make: func(tr *tree, _ *Lister) {
			tr.append("proc/self/mountinfo", "40 21 8:17 / /media/ann/MY\\040STICK rw - vfat /dev/sdb1 rw\n")
		}, auto: []string{"/media/ann/MY STICK"}},
		"automounted and elsewhere": {make: func(tr *tree, _ *Lister) {
			tr.append("proc/self/mountinfo", "40 21 8:17 / /run/media/ann/S rw - vfat /dev/sdb1 rw\n41 21 8:17 / /srv/s rw - vfat /dev/sdb1 rw\n")
		}, codes: []string{"device_mounted"}, auto: []string{"/run/media/ann/S"}},
		"in fstab below /media": {make: func(tr *tree, _ *Lister) {
			tr.write("etc/fstab", "# mine\nLABEL=b /media/backup ext4 nofail 0 2\n")
			tr.append("proc/self/mountinfo", "40 21 8:17 / /media/backup rw - ext4 /dev/sdb1 rw\n")
		}, codes: []string{"device_mounted"}},
		"a lookalike of /media": {make: func(tr *tree, _ *Lister) {
			tr.append("proc/self/mountinfo", "40 21 8:17 / /mediastore rw - ext4 /dev/sdb1 rw\n")
		}, codes: []string{"device_mounted"}},
		"swap": {make: func(tr *tree, _ *Lister) {
			tr.append("proc/swaps", "/dev/sdb1 partition 100 0 -2\n")
		}, codes: []string{"device_swap"}},
		"swap through a mapping": {make: func(tr *tree, _ *Lister) {
			tr.mapped("dm-3", "253:3", "cryptswap", "sdb1")
			tr.append("proc/swaps", "/dev/mapper/cryptswap partition 100 0 -2\n")
		}, codes: []string{"device_holders", "device_swap"}},
		"swap file on it": {make: func(tr *tree, _ *Lister) {
			tr.append("proc/self/mountinfo", "40 21 8:17 / /media/a/S rw - ext4 /dev/sdb1 rw\n")
			tr.append("proc/swaps", "/media/a/S/swap file 100 0 -2\n")
		}, codes: []string{"device_swap"}, auto: []string{"/media/a/S"}},
		"root": {make: func(tr *tree, _ *Lister) {
			tr.write("proc/self/mountinfo", "21 1 8:17 / / rw - ext4 /dev/root rw\n")
		}, codes: []string{"device_mounted", "device_system"}},
		"root through dm-crypt": {make: func(tr *tree, _ *Lister) {
			tr.mapped("dm-0", "253:0", "luks", "sdb1")
			tr.mapped("dm-1", "253:1", "vg-root", "dm-0")
			tr.write("proc/self/mountinfo", "21 1 253:1 / / rw - ext4 /dev/mapper/vg-root rw\n")
		}, codes: []string{"device_holders", "device_system"}},
		"root in a file on it": {make: func(tr *tree, _ *Lister) {
			tr.block("sys/devices/virtual/block/loop0", "loop0", "7:0", 1<<30, true)
			tr.write("sys/devices/virtual/block/loop0/loop/backing_file", "/media/a/S/root.squashfs\n")
			tr.write("proc/self/mountinfo", "21 1 7:0 / / rw - squashfs /dev/loop0 rw\n40 21 8:17 / /media/a/S rw - ext4 /dev/sdb1 rw\n")
		}, codes: []string{"device_system"}, auto: []string{"/media/a/S"}},
		"only /boot": {make: func(tr *tree, _ *Lister) {
			tr.append("proc/self/mountinfo", "40 21 8:17 / /boot rw - ext4 /dev/sdb1 rw\n")
		}, codes: []string{"device_mounted", "device_system"}},
		"data folder": {make: func(tr *tree, l *Lister) {
			l.DataDirs = []string{"/media/a/S/stickpress/not/made/yet"}
			tr.append("proc/self/mountinfo", "40 21 8:17 / /media/a/S rw - ext4 /dev/sdb1 rw\n")
		}, codes: []string{"device_data_dir"}, auto: []string{"/media/a/S"}},
		"data folder beside it": {make: func(tr *tree, l *Lister) {
			l.DataDirs = []string{"/media/a/S2"}
			tr.append("proc/self/mountinfo", "40 21 8:17 / /media/a/S rw - ext4 /dev/sdb1 rw\n")
		}, auto: []string{"/media/a/S"}},
		"virtual sticks on it": {make: func(tr *tree, l *Lister) {
			l.VirtualDir = "/media/a/S/sticks"
			tr.append("proc/self/mountinfo", "40 21 8:17 / /media/a/S rw - ext4 /dev/sdb1 rw\n")
		}, codes: []string{"device_data_dir"}, auto: []string{"/media/a/S"}},
		"volume group": {make: func(tr *tree, _ *Lister) {
			tr.mapped("dm-0", "253:0", "vg-home", "sdb1")
		}, codes: []string{"device_holders"}},
		"RAID member": {make: func(tr *tree, _ *Lister) {
			tr.block("sys/devices/virtual/block/md0", "md0", "9:0", 1<<30, true)
			tr.link(sdb+"holders/md0", "sys/block/md0")
		}, codes: []string{"device_holders"}},
		"loop device over it": {make: func(tr *tree, _ *Lister) {
			tr.block("sys/devices/virtual/block/loop0", "loop0", "7:0", 1<<30, true)
			tr.write("sys/devices/virtual/block/loop0/loop/backing_file", "/dev/sdb1\n")
		}, codes: []string{"device_holders"}},
		"loop device": {make: func(tr *tree, _ *Lister) {
			tr.block("sys/devices/virtual/block/loop0", "loop0", "7:0", 64<<30, true)
			tr.write("sys/devices/virtual/block/loop0/loop/backing_file", "/srv/x.img\n")
		}, path: "/loop0", codes: []string{"device_loop_not_allowed"}},
		"loop device, allowed": {make: func(tr *tree, l *Lister) {
			l.AllowLoop = true
			tr.block("sys/devices/virtual/block/loop0", "loop0", "7:0", 64<<30, true)
			tr.write("sys/devices/virtual/block/loop0/loop/backing_file", "/srv/x.img\n")
		}, path: "/loop0"},
		"card": {make: func(tr *tree, _ *Lister) {
			tr.disk("devices/pci0000:00/0000:00:1d.0/mmc_host/mmc0/mmc0:aaaa", "mmcblk0", "179:0", 64<<30)
			tr.write("sys/block/mmcblk0/device/type", "SD\n")
		}, path: "/mmcblk0"},
		"soldered flash": {make: func(tr *tree, _ *Lister) {
			tr.disk("devices/platform/mmc1/mmc1:0001", "mmcblk1", "179:8", 64<<30)
			tr.write("sys/block/mmcblk1/device/type", "MMC\n")
		}, path: "/mmcblk1", codes: []string{"device_not_removable"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t)
			l := tr.lister()
			if c.make != nil {
				c.make(tr, l)
			}
			path := "/sdb"
			if c.path != "" {
				path = c.path
			}
			d := device(t, l, path)
			if got := codes(d); !slices.Equal(got, c.codes) {
				t.Errorf("refusals %v, want %v", got, c.codes)
			}
			if !slices.Equal(d.AutomountedAt, c.auto) {
				t.Errorf("automounted at %v, want %v", d.AutomountedAt, c.auto)
			}
			// What List refuses, Open refuses, before it touches anything; but a
			// small stick may be erased.
			if len(c.codes) > 0 && c.codes[0] != protocol.FaultTooSmall {
				_, err := l.Open(context.Background(), d.Identity)
				var f *protocol.Fault
				if !errors.As(err, &f) || !slices.Contains(c.codes, f.Code) {
					t.Errorf("Open: %v, want one of %v", err, c.codes)
				}
			}
		})
	}
}

func TestNoOpticalDrives(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.disk("devices/pci0000:00/0000:00:1f.2/ata2/host1/target1:0:0/1:0:0:0", "sr0", "11:0", 1<<30)
	tr.write("sys/block/sr0/device/type", "5\n")
	tr.block("sys/devices/virtual/block/zram0", "zram0", "253:0", 1<<30, true)
	devices, err := tr.lister().List(context.Background())
	if err != nil || len(devices) != 2 {
		t.Errorf("listed %+v, %v; want sda and sdb", devices, err)
	}
}

func TestEqualSerialsAreToldApartByPort(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.stick("sdc", "8:32", "1-1.3", "4C530001", 7)
	tr.stick("sdd", "8:48", "1-1.2", "", 8)
	tr.stick("sde", "8:64", "1-1.1", "", 9)
	l := tr.lister()
	b, c, d := device(t, l, "/sdb"), device(t, l, "/sdc"), device(t, l, "/sdd")
	if b.DuplicateOf != 1 || c.DuplicateOf != 1 || d.DuplicateOf != 0 {
		t.Errorf("duplicates %d, %d, %d; want 1, 1, 0", b.DuplicateOf, c.DuplicateOf, d.DuplicateOf)
	}
	if b.Port == c.Port || b.Serial != c.Serial {
		t.Errorf("%+v and %+v: want one serial on two ports", b.Identity, c.Identity)
	}
}

func TestOpenComparesTheIdentity(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	l := tr.lister()
	good := device(t, l, "/sdb").Identity
	for what, change := range map[string]func(*protocol.Identity){
		"kind":       func(i *protocol.Identity) { i.Kind = protocol.KindCard },
		"vid_pid":    func(i *protocol.Identity) { i.VIDPID = "0781:55ac" },
		"serial":     func(i *protocol.Identity) { i.Serial = "" },
		"bytes":      func(i *protocol.Identity) { i.Bytes-- },
		"connection": func(i *protocol.Identity) { i.Connection++ },
	} {
		want := good
		change(&want)
		_, err := l.Open(context.Background(), want)
		var f *protocol.Fault
		if !errors.As(err, &f) || f.Code != protocol.FaultDeviceChanged || f.Params["what"] != what {
			t.Errorf("%s differs: %v, want device_changed", what, err)
		}
	}
	for what, change := range map[string]func(*protocol.Identity){
		"port": func(i *protocol.Identity) { i.Port = "1-1.5" },
		"lun":  func(i *protocol.Identity) { i.LUN = 1 },
	} {
		want := good
		change(&want)
		if _, err := l.Open(context.Background(), want); !errors.Is(err, protocol.NewFault(protocol.FaultDeviceGone)) {
			t.Errorf("%s differs: %v, want device_gone", what, err)
		}
	}
	// Everything fits, but the node in /dev is something else.
	if _, err := l.Open(context.Background(), good); !errors.Is(err, protocol.NewFault(protocol.FaultDeviceChanged)) {
		t.Errorf("open a node that is no block device: %v, want device_changed", err)
	}
}

// A kernel without diskseq: another folder is another connection, and so is
// the same after a restart of the machine.
func TestConnectionWithoutDiskseq(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	sys, err := filepath.EvalSymlinks(filepath.Join(tr.root, "sys/block/sdb"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(sys, "diskseq")); err != nil {
		t.Fatal(err)
	}
	l := tr.lister()
	first := device(t, l, "/sdb").Connection
	if again := device(t, l, "/sdb").Connection; again != first {
		t.Errorf("connection %d, then %d without a change", first, again)
	}
	if err := os.Rename(sys, sys+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(sys, os.DirFS(sys+".old")); err != nil {
		t.Fatal(err)
	}
	second := device(t, l, "/sdb").Connection
	tr.write("proc/sys/kernel/random/boot_id", "77aa\n")
	third := device(t, l, "/sdb").Connection
	if second == first || third == second {
		t.Errorf("connections %d, %d, %d: want three", first, second, third)
	}
}
