package kill

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// cacheLimit: an agent that may keep less than the image.
func (b *bench) cacheLimit() {
	b.Agent.Stop()
	b.dropCache()
	b.StartAgent("--cache-limit", "1M")
	defer func() {
		b.Agent.Stop()
		b.StartAgent()
	}()
	devices := b.sticks(2)
	job := b.ended(b.queue(devices).ID)
	b.builds(job, "failed", "cache_full", false)
	b.untouched(devices)
}

func (b *bench) dropCache() {
	b.T.Helper()
	if err := os.RemoveAll(filepath.Join(b.AgentData(), "cache")); err != nil {
		b.T.Fatal(err)
	}
}

// fullDisk: all the agent has is on a disk that the image fits on and the
// master does not.
func (b *bench) fullDisk() {
	b.Agent.Stop()
	b.dropCache()
	aside := b.AgentData() + ".aside"
	if err := os.Rename(b.AgentData(), aside); err != nil {
		b.T.Fatal(err)
	}
	if err := os.Mkdir(b.AgentData(), 0o700); err != nil {
		b.T.Fatal(err)
	}
	if err := unix.Mount("tmpfs", b.AgentData(), "tmpfs", 0, "size=60m,mode=0700"); err != nil {
		b.T.Fatalf("mount a small disk (this test must run as root): %v", err)
	}
	defer func() {
		b.Agent.Stop()
		tool(b.T, "cp", "-a", b.AgentData()+"/.", aside)
		if err := unix.Unmount(b.AgentData(), 0); err != nil {
			b.T.Errorf("unmount: %v", err)
		}
		if err := os.Remove(b.AgentData()); err != nil {
			b.T.Error(err)
		}
		if err := os.Rename(aside, b.AgentData()); err != nil {
			b.T.Error(err)
		}
		b.dropCache()
		b.StartAgent()
	}()
	tool(b.T, "cp", "-a", aside+"/.", b.AgentData())
	b.StartAgent()
	devices := b.sticks(2)
	job := b.ended(b.queue(devices).ID)
	b.builds(job, "failed", "cache_full", false)
	b.untouched(devices)
	if left := b.kept(); len(left) > 1 { // the image
		b.T.Errorf("the cache keeps %v", left)
	}
}

// badStick: a stick that takes no more than 40 MB.
func (b *bench) badStick() {
	folder := filepath.Join(b.Dir, "bad")
	if err := os.Mkdir(folder, 0o700); err != nil {
		b.T.Fatal(err)
	}
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size=40m,mode=0700"); err != nil {
		b.T.Fatalf("mount a small disk (this test must run as root): %v", err)
	}
	bad := filepath.Join(folder, "bad.img")
	b.Agent.Stop()
	b.StartAgent("--virtual", folder)
	defer func() {
		b.Agent.Stop()
		if err := unix.Unmount(folder, 0); err != nil {
			b.T.Errorf("unmount: %v", err)
		}
		b.StartAgent()
	}()
	if err := errors.Join(os.WriteFile(bad, nil, 0o600), os.Truncate(bad, stickBytes)); err != nil {
		b.T.Fatal(err)
	}
	job := b.ended(b.queue(b.see("bad.img")).ID)
	b.builds(job, "failed", "write_failed", true)
	b.stickState(job.Builds[0].StickID, "incomplete")
	checkNoTable(b.T, bad)
}
