package capture

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

// A Windows in a virtual disk of every kind is captured as it is from a plain
// volume; qemu-img makes the disks.
func TestVirtualDisks(t *testing.T) {
	t.Parallel()
	volume, dir := newVolume(t, stateGeneralized, 18432), t.TempDir()
	disk := newDisk(t, 128<<20, 512, dual)
	place(t, disk, volume, starts(t, disk)[1])
	run(t, "qemu-img", "convert", "-O", "vpc", disk, filepath.Join(dir, "dynamic.vhd"))
	run(t, "qemu-img", "convert", "-O", "vpc", "-o", "subformat=fixed,force_size=on", disk, filepath.Join(dir, "fixed.VHD"))
	run(t, "qemu-img", "convert", "-O", "vhdx", disk, filepath.Join(dir, "dynamic.vhdx"))
	check(t, os.Rename(disk, filepath.Join(dir, "raw.img")))
	check(t, os.Rename(volume, filepath.Join(dir, "volume.ntfs")))
	plain, _ := capture(t, source(t, filepath.Join(dir, "volume.ntfs")), options(t))
	want := details(t, plain)

	folders := Folders{dir}
	list := folders.List()
	if len(list) != 5 {
		t.Fatalf("%+v", list)
	}
	for _, d := range list {
		f, err := folders.Open(d.Identity)
		check(t, err)
		if filepath.Base(d.Port) == "volume.ntfs" {
			check(t, f.Close())
			continue
		}
		out, v := capture(t, f.Source, options(t))
		if got := details(t, out); got != want || v.Partition != 2 {
			t.Errorf("%s: partition %d: %s", d.Port, v.Partition, firstDifference(want, got))
		}
		check(t, f.Close())
	}
}

func TestFolders(t *testing.T) {
	t.Parallel()
	outer := t.TempDir()
	dir := filepath.Join(outer, "allowed")
	write := func(path, text string) {
		path = filepath.Join(outer, path)
		check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		check(t, os.WriteFile(path, []byte(text), 0o600))
	}
	write("allowed/a.vhdx", "a")
	write("allowed/b/c/B.IMG", "b")
	write("allowed/b/c/d/e/too-deep.img", "x")
	write("allowed/notes.txt", "x")
	write("allowed/empty.img", "")
	write("outside.img", "secret")
	check(t, os.Symlink(filepath.Join(outer, "outside.img"), filepath.Join(dir, "link.img")))
	check(t, os.Symlink(outer, filepath.Join(dir, "up")))
	folders := Folders{dir, filepath.Join(outer, "none"), dir}
	var names []string
	for _, d := range folders.List() {
		names = append(names, d.Port)
		if d.Kind != protocol.KindFile || d.Bytes != 1 || d.Connection == 0 || !d.Writable() {
			t.Errorf("%+v", d)
		}
	}
	if want := []string{filepath.Join(dir, "a.vhdx"), filepath.Join(dir, "b/c/B.IMG")}; !slices.Equal(names, want) {
		t.Fatalf("%v, want %v", names, want)
	}

	id := folders.List()[1].Identity
	f, err := folders.Open(id)
	check(t, err)
	check(t, f.Close())
	for name, port := range map[string]string{
		"outside": filepath.Join(outer, "outside.img"), "over the edge": dir + "/../outside.img", "link": filepath.Join(dir, "link.img"),
		"through a link": filepath.Join(dir, "up/outside.img"), "folder": dir, "gone": filepath.Join(dir, "gone.img"), "relative": "a.vhdx",
	} {
		other := id
		other.Port = port
		if _, err := folders.Open(other); err == nil {
			t.Errorf("%s was opened", name)
		} else {
			wantFault(t, err, protocol.FaultDeviceGone)
		}
	}
	other := id
	other.Kind = protocol.KindVirtual
	_, err = folders.Open(other)
	wantFault(t, err, protocol.FaultDeviceGone)
	f, err = folders.Open(id)
	check(t, err)
	check(t, f.Check())
	write("allowed/b/c/B.IMG", "changed")
	wantFault(t, f.Check(), protocol.FaultDeviceChanged) // while it was being read
	check(t, f.Close())
	_, err = folders.Open(id)
	wantFault(t, err, protocol.FaultDeviceChanged)
	write("allowed/a.vhdx", "vhdxfile, but cut off")
	_, err = folders.Open(folders.List()[0].Identity)
	wantFault(t, err, protocol.FaultCaptureFile)
}
