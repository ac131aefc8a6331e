package kill

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/cmd/e2e/boot"
	"github.com/stickpress/stickpress/cmd/e2e/sample"
)

// TestPress is the main job: two sticks, verified and startable, in both
// layouts, and again with what the host has kept.
func TestPress(t *testing.T) {
	b := newBench(t, sample.Options{SmallFiles: 200})
	devices := b.sticks(2)
	ports := []string{devices[0].Port, devices[1].Port}

	var first api.Job
	b.Run("mbr-dual", func(*testing.T) {
		first = b.press(devices, protocol.LayoutMBRDual)
		if x := first.Builds; x[0].Result.DiskID == x[1].Result.DiskID {
			b.T.Errorf("both sticks have the disk signature %s", x[0].Result.DiskID)
		}
		b.starts(devices[0], boot.UEFI)
		b.starts(devices[1], boot.BIOS)
	})
	kept := b.kept()
	b.Run("again", func(*testing.T) {
		second := b.press(b.see(ports...), protocol.LayoutMBRDual)
		if now := b.kept(); !slices.Equal(now, kept) {
			b.T.Errorf("the cache changed from\n%v to\n%v", kept, now)
		}
		for i, x := range second.Builds {
			before := first.Builds[i]
			if x.StickID != before.StickID {
				b.T.Errorf("%s was the stick %s and is %s", x.Identity.Port, before.StickID, x.StickID)
			}
			if x.Result.MasterDigest != before.Result.MasterDigest || x.Result.DiskID == before.Result.DiskID {
				b.T.Errorf("%s: was %+v and is %+v", x.Identity.Port, before.Result, x.Result)
			}
		}
	})
	b.Run("gpt-uefi", func(*testing.T) {
		b.press(b.see(ports...), protocol.LayoutGPTUEFI)
		b.starts(devices[0], boot.UEFI)
		if now := b.kept(); !containsAll(now, kept) || len(now) == len(kept) {
			b.T.Errorf("the cache changed from\n%v to\n%v", kept, now)
		}
	})
	b.Run("one serial twice", func(*testing.T) { b.oneSerialTwice() })
	b.checkHistory()
}

func (b *bench) press(devices []api.Device, layout string) api.Job {
	b.T.Helper()
	in := b.request(devices)
	in.Layout = layout
	job := b.ended(b.queueAs(in).ID)
	if job.Layout != layout {
		b.T.Errorf("layout %s, want %s", job.Layout, layout)
	}
	b.verified(job)
	return job
}

// starts lets real firmware start a stick, whose stand-in boot manager reports
// what it found.
func (b *bench) starts(d api.Device, firmware boot.Firmware) {
	b.T.Helper()
	report, err := boot.Try(b.Context(), boot.Options{Image: b.file(d), Firmware: firmware})
	if err != nil {
		b.T.Fatal(err)
	}
	if !report.OK() || report.Firmware != firmware {
		b.T.Errorf("%s saw %q", firmware, report.Line)
	}
}

// kept lists the files of the agent's cache, each with its last change. Which
// entry was used last does not matter here.
func (b *bench) kept() []string {
	b.T.Helper()
	var files []string
	root := filepath.Join(b.AgentData(), "cache")
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) == ".lock" {
			return err
		}
		name, err := filepath.Rel(root, path)
		if filepath.Dir(name) != "blobs" { // using a blob touches it
			name += " " + trace(b.T, path)
		}
		files = append(files, name)
		return err
	})
	if err != nil {
		b.T.Fatal(err)
	}
	return files
}

func containsAll(all, some []string) bool {
	for _, s := range some {
		if !slices.Contains(all, s) {
			return false
		}
	}
	return true
}

// oneSerialTwice presses two sticks whose serials are equal. They are shown as
// such, told apart by their ports, and are two sticks in the console.
func (b *bench) oneSerialTwice() {
	b.AddStick("stick-77", stickBytes)
	b.AddStick("77", stickBytes)
	twin := func(d *api.Device) bool { return d.Writable && d.DuplicateOf == 1 }
	devices := b.seeThat("told to have one serial", twin, "stick-77.img", "77.img")
	if devices[0].Serial != devices[1].Serial {
		b.T.Fatalf("serials %q and %q", devices[0].Serial, devices[1].Serial)
	}
	job := b.ended(b.queue(devices).ID)
	b.verified(job)
	x := job.Builds
	if x[0].StickID == x[1].StickID || x[0].Identity.Port != "stick-77.img" || x[1].Identity.Port != "77.img" {
		b.T.Errorf("builds %+v", x)
	}
}
