package kill

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/store/blob"
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
// gets it; a damaged block is asked for three times more, and then no more.
func (b *bench) rottenStore() {
	carries, empty := b.oldAndNew()
	b.Agent.Stop()
	b.dropCache()
	b.StartAgent()
	file := b.blob()
	b.rot(file)
	job := b.notPressed(b.request([]api.Device{carries, empty}), protocol.FaultDigest)
	b.rot(file)
	if n := strings.Count(b.Agent.Output(), "block at byte"); n != 3 {
		b.T.Errorf("a damaged block was asked for %d times more:\n%s", n, b.Agent.Output())
	}
	if again, err := b.Client.GetJob(b.Context(), job.ID); err != nil || again.LastSeq != job.LastSeq {
		b.T.Errorf("after its end the job went on from event %d to %d, %v", job.LastSeq, again.LastSeq, err)
	}
	b.again(job, empty.Port) // as soon as the copy is whole
}

// rottenPublished: the server holds an image that it would not take, as one that
// was published before it looked into them. All its sums are those of the rotten
// file, and it is not packed: nothing tells but the SHA-1 that the image has of
// each content, which wimlib compares on the host.
func (b *bench) rottenPublished() {
	carries, empty := b.oldAndNew()
	in := b.request([]api.Device{carries, empty})
	in.Version = b.smuggled("1.1.0")
	job := b.notPressed(in, protocol.FaultImageCorrupt)
	if f := job.Builds[0].Fault; !strings.Contains(f.Params["detail"], "SHA-1 message digest of a WIM resource did not match") {
		b.T.Errorf("it is not wimlib that refused its content: %+v", f)
	}
	if again := b.ended(job.ID); again.LastSeq != job.LastSeq {
		b.T.Errorf("after its end the job went on from event %d to %d", job.LastSeq, again.LastSeq)
	}
}

// oldAndNew is a stick that carries the bench's image, and one that is new.
func (b *bench) oldAndNew() (carries, empty api.Device) {
	b.T.Helper()
	d := b.sticks(2)
	b.verified(b.ended(b.queue(d[:1]).ID))
	d = b.see(d[0].Port, d[1].Port)
	return d[0], d[1]
}

// notPressed queues a job for an old and a new stick, which must fail with a
// fault and leave both as they are, byte for byte.
func (b *bench) notPressed(in api.QueueJobInput, code string) api.Job {
	b.T.Helper()
	carries := filepath.Join(b.Sticks(), in.Devices[0].Identity.Port)
	content, left := contentOf(b.T, carries), stickTrace{carries, trace(b.T, carries)}
	job := b.ended(b.queueAs(in).ID)
	b.builds(job, "failed", code, false)
	b.unchanged([]stickTrace{left})
	if contentOf(b.T, carries) != content {
		b.T.Error("what the stick carried is not the same")
	}
	b.stickState(job.Builds[0].StickID, "verified")
	if n := allocated(b.T, filepath.Join(b.Sticks(), in.Devices[1].Identity.Port)); n != 0 {
		b.T.Errorf("%d bytes were written to the new stick", n)
	}
	return job
}

// smuggled puts the bench's image, unpacked and rotten, into the server's store and
// into its database, and returns the version that it is then.
func (b *bench) smuggled(number string) (version string) {
	b.T.Helper()
	path := filepath.Join(b.T.TempDir(), "rotten.wim")
	tool(b.T, "wimlib-imagex", "export", b.blob(), "all", path, "--compress=none")
	b.rot(path)
	f, err := os.Open(path)
	if err != nil {
		b.T.Fatal(err)
	}
	defer f.Close()
	sums := blob.NewHasher()
	if _, err := io.Copy(sums, f); err != nil {
		b.T.Fatal(err)
	}
	folder, err := blob.OpenFolder(filepath.Join(b.Data(), "blobs"), time.Now())
	if err == nil {
		err = folder.Adopt(b.Context(), path, sums.Record())
	}
	if err == nil {
		err = folder.Verify(b.Context(), sums.Record().SHA256)
	}
	if err != nil {
		b.T.Fatal(err)
	}
	good, err := store.ParseID[store.VersionID](b.version.ID)
	if err != nil {
		b.T.Fatal(err)
	}
	err = b.store().InTx(b.Context(), func(tx *store.Tx) error {
		v, err := tx.Version(b.Context(), good)
		if err == nil {
			err = tx.PutBlobRecord(b.Context(), sums.Record())
		}
		if err == nil {
			v, err = tx.CreateVersion(b.Context(), store.NewVersion{
				ImageID: v.ImageID, Version: number, SHA256: sums.Record().SHA256, Bytes: sums.Bytes(),
				Format: v.Format, FileName: v.FileName, Editions: v.Editions, By: store.Actor{Kind: v.CreatedByKind, ID: v.CreatedByID},
			})
		}
		version = v.ID.String()
		return err
	})
	if err != nil {
		b.T.Fatal(err)
	}
	return version
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
