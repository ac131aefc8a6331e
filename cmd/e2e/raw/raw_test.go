// Package raw holds the end-to-end test of raw jobs: disk images go through the
// real programs onto virtual sticks that are full of old bytes, and foreign tools
// say what they find there.
package raw

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/cmd/e2e/world"
)

func TestMain(m *testing.M) { world.Main(m) }

const (
	mib = 1 << 20
	// stickBytes is less than any stick that Windows could be pressed onto.
	stickBytes = 200*mib + 512
)

// bench is a console, an agent, and a folder with a disk in several formats.
type bench struct {
	*world.World
	images string
	want   []byte // the disk
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{World: world.New(t), images: t.TempDir()}
	b.SetUp()
	b.Enrol(3, stickBytes)
	// A GPT with a FAT volume that has a file, noise behind it, and holes.
	b.shell(`truncate -s 96M disk
sgdisk -n1:2048:+40M -t1:ef00 -n2:0:0 disk
mkfs.fat -F 32 --offset 2048 -h 2048 disk 40960
head -c 3000000 /dev/urandom >hello.bin
mcopy -i disk@@1M hello.bin ::HELLO.BIN
dd if=hello.bin of=disk bs=1M seek=60 conv=notrunc status=none
zstd -q -c <disk >disk.img.zst
xz -0 -k disk
qemu-img convert -f raw -O vhdx disk disk.vhdx
bmaptool -q create disk -o disk.bmap
`)
	want, err := os.ReadFile(filepath.Join(b.images, "disk"))
	if err != nil {
		t.Fatal(err)
	}
	b.want = want
	return b
}

func (b *bench) shell(script string) string {
	b.T.Helper()
	cmd := exec.CommandContext(b.Context(), "sh", "-ec", script)
	cmd.Dir = b.images
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin", "MTOOLS_SKIP_CHECK=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.T.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// publish makes a version of a file.
func (b *bench) publish(name string) api.Version {
	b.T.Helper()
	up, err := b.Client.UploadFile(b.Context(), filepath.Join(b.images, name), nil, nil)
	if err != nil {
		b.T.Fatal(err)
	}
	v, err := b.Client.PublishVersion(b.Context(), api.PublishVersionInput{
		UploadID: up.ID, Image: strings.ReplaceAll(name, "_", "-"), Version: "1.0.0",
	})
	if err != nil {
		b.T.Fatal(err)
	}
	if v.Disk == nil || v.Disk.Bytes != int64(len(b.want)) || v.Disk.Table != "gpt" || v.Disk.DiskID == "" {
		b.T.Fatalf("%s is %s with the disk %+v", name, v.Format, v.Disk)
	}
	return v
}

// sticks are the host's, once all of them are idle, full of old bytes.
func (b *bench) sticks(count int) []api.Device {
	b.T.Helper()
	var found []api.Device
	b.Until("the sticks are idle", func() (bool, error) {
		h, err := b.Client.GetHost(b.Context(), world.Host)
		if err != nil {
			return false, err
		}
		found = slices.DeleteFunc(h.Devices, func(d api.Device) bool { return d.JobID != "" || d.Busy || d.Refusal(protocol.JobRaw) != nil })
		return h.Online && len(found) == 3, nil
	})
	for _, d := range found[:count] {
		// In place: a stick that is shorter for a moment is another stick.
		f, err := os.OpenFile(b.file(d), os.O_WRONLY, 0)
		if err != nil {
			b.T.Fatal(err)
		}
		_, err = f.Write(bytes.Repeat([]byte{0xA5}, stickBytes))
		if err := errors.Join(err, f.Close()); err != nil {
			b.T.Fatal(err)
		}
	}
	return found[:count]
}

func (b *bench) file(d api.Device) string { return filepath.Join(b.Sticks(), d.Port) }

// write brings a raw job to its end.
func (b *bench) write(v api.Version, devices ...api.Device) api.Job {
	b.T.Helper()
	in := api.QueueJobInput{Kind: protocol.JobRaw, Version: v.ID, Host: world.Host}
	for _, d := range devices {
		in.Devices = append(in.Devices, api.QueueDevice{Identity: d.Identity})
	}
	job, err := b.Client.QueueJob(b.Context(), in)
	if err != nil {
		b.T.Fatal(err)
	}
	b.Until("the job ends", func() (bool, error) {
		job, err = b.Client.GetJob(b.Context(), job.ID)
		return err == nil && job.Ended(), err
	})
	for _, x := range job.Builds {
		if x.State != "verified" || x.Result == nil || x.Result.DiskID != v.Disk.DiskID {
			b.T.Fatalf("%s is %s: %+v, %+v\n%s", x.Identity.Port, x.State, x.Fault, x.Result, b.Agent.Output())
		}
	}
	return job
}

// check compares a stick with the disk: all bytes but the tables, which sgdisk
// finds nothing wrong with, and the files.
func (b *bench) check(d api.Device) {
	b.T.Helper()
	got, err := os.ReadFile(b.file(d))
	if err != nil {
		b.T.Fatal(err)
	}
	backup := len(b.want) - 33*512
	if !bytes.Equal(got[1024:backup], b.want[1024:backup]) {
		b.T.Errorf("%s: other bytes between the tables", d.Port)
	}
	if rest := bytes.Trim(got[backup:len(b.want)], "\x00"); len(rest) > 0 {
		b.T.Errorf("%s: the old copy of the table is still there", d.Port)
	}
	b.tables(d)
	b.shell("rm -f back.bin; mcopy -i " + b.file(d) + "@@1M ::HELLO.BIN back.bin && cmp back.bin hello.bin && dd if=" + b.file(d) + " of=volume bs=1M skip=1 count=40 status=none && fsck.fat -n volume")
}

func (b *bench) tables(d api.Device) {
	b.T.Helper()
	if out := b.shell("sgdisk -v " + b.file(d)); !strings.Contains(out, "No problems found") {
		b.T.Errorf("%s: %s", d.Port, out)
	}
}

func TestRaw(t *testing.T) {
	b := newBench(t)
	b.Run("zst", func(t *testing.T) {
		devices := b.sticks(3)
		job := b.write(b.publish("disk.img.zst"), devices...)
		for _, d := range devices {
			b.check(d)
		}
		events, err := b.Client.JobEvents(b.Context(), job.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		warned := 0
		for _, e := range events {
			if e.Log != nil && e.Log.Code == "disk_id_shared" && e.Log.Params["sticks"] == "3" {
				warned++
			}
		}
		if warned != 3 {
			t.Errorf("%d of 3 sticks were warned of", warned)
		}
	})
	b.Run("vhdx", func(*testing.T) {
		devices := b.sticks(2)
		b.write(b.publish("disk.vhdx"), devices...)
		for _, d := range devices {
			b.check(d)
		}
	})
	b.Run("block map", func(t *testing.T) {
		v := b.publish("disk.xz")
		body, err := os.ReadFile(filepath.Join(b.images, "disk.bmap"))
		if err != nil {
			t.Fatal(err)
		}
		v, err = b.Client.SetBlockMap(b.Context(), api.SetBlockMapInput{Version: v.ID, Body: body, Trusted: true})
		if err != nil {
			t.Fatal(err)
		}
		d := b.sticks(1)[0]
		job := b.write(v, d)
		if n := job.Builds[0].Result.BytesWritten; n > v.BlockMap.MappedBytes+2*mib {
			t.Errorf("%d bytes were written, the map has %d", n, v.BlockMap.MappedBytes)
		}
		b.tables(d)
		b.shell("rm -f back.bin; mcopy -i " + b.file(d) + "@@1M ::HELLO.BIN back.bin && cmp back.bin hello.bin")
	})
}
