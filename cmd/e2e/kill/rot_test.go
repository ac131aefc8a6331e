package kill

import (
	"os"
	"path/filepath"
	"strings"
)

// rot changes some bytes of an image's content in place. A second time changes
// them back.
func (b *bench) rot(path string) {
	b.T.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		b.T.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		b.T.Fatal(err)
	}
	one := make([]byte, 1)
	for at := info.Size() / 4; at < info.Size()/2; at += 64 << 10 {
		if _, err := f.ReadAt(one, at); err != nil {
			b.T.Fatal(err)
		}
		one[0] ^= 0xFF
		if _, err := f.WriteAt(one, at); err != nil {
			b.T.Fatal(err)
		}
	}
}

// rottenStore: the server's own copy changed since it was published. No stick
// gets it.
func (b *bench) rottenStore() {
	b.Agent.Stop()
	b.dropCache()
	b.StartAgent()
	blob := b.blob()
	b.rot(blob)
	devices := b.sticks(2)
	job := b.ended(b.queue(devices).ID)
	b.rot(blob)
	b.builds(job, "failed", "fetch_digest", false)
	b.untouched(devices)
}

// blob is the file of the bench's image in the store.
func (b *bench) blob() string {
	b.T.Helper()
	for _, path := range b.blobs() {
		if filepath.Base(path) == b.version.SHA256 {
			return path
		}
	}
	b.T.Fatalf("%s is not among %v", b.version.SHA256, b.blobs())
	return ""
}

// rottenCache: the agent's copy changed since it was fetched; it is fetched
// again.
func (b *bench) rottenCache() {
	b.verified(b.ended(b.queue(b.sticks(1)).ID))
	b.Agent.Stop()
	cache := filepath.Join(b.AgentData(), "cache")
	if err := os.RemoveAll(filepath.Join(cache, "masters")); err != nil {
		b.T.Fatal(err)
	}
	b.rot(filepath.Join(cache, "blobs", b.version.SHA256))
	b.StartAgent()
	b.verified(b.ended(b.queue(b.sticks(1)).ID))
	b.agentSaid("an image in the cache was damaged")
}

// damagedMaster: what is prepared changed since; it is prepared again while
// the sticks wait.
func (b *bench) damagedMaster() {
	found, err := filepath.Glob(filepath.Join(b.AgentData(), "cache", "masters", "*", "*", "windows.img"))
	if err != nil || len(found) != 1 {
		b.T.Fatalf("masters %v, %v", found, err)
	}
	f, err := os.OpenFile(found[0], os.O_RDWR, 0)
	if err != nil {
		b.T.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		b.T.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{0xEE}, 0x54); err != nil { // in the volume's boot code
		b.T.Fatal(err)
	}
	if err := os.Chtimes(found[0], info.ModTime(), info.ModTime()); err != nil {
		b.T.Fatal(err)
	}
	b.verified(b.ended(b.queue(b.sticks(2)).ID))
	b.agentSaid("a master was damaged")
}

func (b *bench) agentSaid(what string) {
	b.T.Helper()
	if !strings.Contains(b.Agent.Output(), what) {
		b.T.Errorf("the agent does not say %q:\n%s", what, b.Agent.Output())
	}
}
