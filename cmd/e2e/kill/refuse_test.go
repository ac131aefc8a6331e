package kill

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/cmd/e2e/sample"
)

// TestRefused gives the console and the agent what they must not take. All of
// it gets a clear answer, and nothing is lost.
func TestRefused(t *testing.T) {
	b := newBench(t, sample.Options{SmallFiles: 200})
	b.Run("bad uploads", func(*testing.T) { b.badUploads() })
	b.Run("edition", func(*testing.T) { b.wrongEdition() })
	b.Run("small stick", func(*testing.T) { b.smallStick() })
	b.Run("template", func(*testing.T) { b.malformedTemplate() })
	b.Run("right", func(*testing.T) { b.withoutRight() })
	b.Run("unplugged", func(*testing.T) { b.unplugged() })
	b.Run("unplugged later", func(*testing.T) { b.unpluggedLater() })
	b.Run("busy", func(*testing.T) { b.busy() })
	b.Run("rotten image", func(*testing.T) { b.rottenImage() })
	b.Run("cache limit", func(*testing.T) { b.cacheLimit() })
	b.Run("full disk", func(*testing.T) { b.fullDisk() })
	b.Run("bad stick", func(*testing.T) { b.badStick() })
	b.Run("rotten store", func(*testing.T) { b.rottenStore() })
	b.Run("rotten and published", func(*testing.T) { b.rottenPublished() })
	b.Run("rotten cache", func(*testing.T) { b.rottenCache() })
	b.Run("damaged master", func(*testing.T) { b.damagedMaster() })
	b.Run("and then it works", func(*testing.T) { b.verified(b.ended(b.queue(b.sticks(1)).ID)) })
	b.checkHistory()
}

// badUploads are refused with the reason and leave nothing behind.
func (b *bench) badUploads() {
	good, err := os.ReadFile(b.Sample())
	if err != nil {
		b.T.Fatal(err)
	}
	broken := bytes.Clone(good)
	copy(broken[0x48:], bytes.Repeat([]byte{0xEE}, 24)) // where the header says its XML is
	for _, c := range []struct {
		name, code string
		content    []byte
	}{
		{"truncated.wim", "image_truncated", good[:len(good)/2]},
		{"header only.wim", "image_truncated", good[:208]},
		{"broken.wim", "image_corrupt", broken},
		{"text.wim", "image_not_readable", []byte("this is no image at all\n")},
	} {
		path := filepath.Join(b.T.TempDir(), c.name)
		if err := os.WriteFile(path, c.content, 0o600); err != nil {
			b.T.Fatal(err)
		}
		_, err := b.Client.UploadFile(b.Context(), path, nil, nil)
		b.refused(err, 422, c.code)
	}
	left, err := filepath.Glob(filepath.Join(b.Dir, "server", "uploads", "*"))
	if err != nil || len(left) > 0 {
		b.T.Errorf("uploads leave %v (%v)", left, err)
	}
	if n := len(b.blobs()); n != 1 {
		b.T.Errorf("%d files in the store: %v", n, b.blobs())
	}
}

// blobs are the files of the content-addressed store.
func (b *bench) blobs() (files []string) {
	b.T.Helper()
	err := filepath.WalkDir(filepath.Join(b.Dir, "server", "blobs"), func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && filepath.Ext(path) != ".json" {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		b.T.Fatal(err)
	}
	return files
}

func (b *bench) wrongEdition() {
	in := b.request(b.sticks(1))
	in.Edition = 3
	_, err := b.Client.QueueJob(b.Context(), in)
	p := b.refused(err, 422, "edition_missing")
	if p["edition"] != "3" || !strings.Contains(p["editions"], "Windows 11 Education") {
		b.T.Errorf("params %v", p)
	}
}

// smallStick: sold as "16 GB".
func (b *bench) smallStick() {
	const bytes = 16_000_000_000
	b.AddStick("small", bytes)
	devices := b.seeThat("shown", func(d *api.Device) bool { return d.Bytes == bytes }, "small.img")
	_, err := b.Client.QueueJob(b.Context(), b.request(devices))
	p := b.refused(err, 409, "device_too_small")
	if p["missing_bytes"] != "14064771072" { // 28 GiB less 16 GB
		b.T.Errorf("params %v", p)
	}
}

func (b *bench) malformedTemplate() {
	const source = "<?xml version=\"1.0\"?>\n<unattend xmlns=\"urn:schemas-microsoft-com:unattend\">\n  <settings pass=\"specialize\">\n</unattend>\n"
	_, err := b.Client.SaveTemplate(b.Context(), api.SaveTemplateInput{Name: "broken", Source: source})
	p := b.refused(err, 422, "template_malformed")
	if p["line"] != "4" || p["detail"] == "" {
		b.T.Errorf("params %v", p)
	}
	_, err = b.Client.CheckTemplate(b.Context(), source)
	b.refused(err, 422, "template_malformed")
	_, err = b.Client.GetTemplate(b.Context(), "broken")
	b.refused(err, 404, "template_not_found")
}

// withoutRight: a viewer's token may look and not press, a wrong one nothing.
func (b *bench) withoutRight() {
	token, err := b.Client.CreateToken(b.Context(), api.CreateTokenInput{Name: "viewer", Role: api.RoleViewer})
	if err != nil {
		b.T.Fatal(err)
	}
	viewer := b.as(token.Secret)
	if _, err := viewer.ListJobs(b.Context(), api.JobFilter{}, api.Page{}); err != nil {
		b.T.Errorf("a viewer may look: %v", err)
	}
	devices := b.sticks(1)
	_, err = viewer.QueueJob(b.Context(), b.request(devices))
	b.refused(err, 403, "forbidden")
	_, err = viewer.UploadFile(b.Context(), b.Sample(), nil, nil)
	b.refused(err, 403, "forbidden")
	if err := b.Client.RevokeToken(b.Context(), token.ID); err != nil {
		b.T.Fatal(err)
	}
	_, err = viewer.ListJobs(b.Context(), api.JobFilter{}, api.Page{})
	b.refused(err, 401, "token_invalid")
	b.untouched(devices)
}

func (b *bench) as(secret string) *client.Client {
	b.T.Helper()
	c, err := client.New(b.URL, secret, client.Options{})
	if err != nil {
		b.T.Fatal(err)
	}
	return c
}

// unplugged between the confirmation and the request: gone, or another one.
func (b *bench) unplugged() {
	devices := b.sticks(2)
	if err := os.Remove(b.file(devices[0])); err != nil {
		b.T.Fatal(err)
	}
	if err := os.Remove(b.file(devices[1])); err != nil {
		b.T.Fatal(err)
	}
	b.AddStick(strings.TrimSuffix(devices[1].Port, ".img"), stickBytes)
	replugged := func(d *api.Device) bool { return d.Connection != devices[1].Connection }
	now := b.seeThat("plugged in again", replugged, devices[1].Port)
	b.Until("the first one is gone", func() (bool, error) {
		_, err := b.Client.QueueJob(b.Context(), b.request(devices[:1]))
		if client.IsCode(err, "device_gone") {
			b.refused(err, 409, "device_gone")
			return true, nil
		}
		return false, passing(err)
	})
	_, err := b.Client.QueueJob(b.Context(), b.request(devices[1:]))
	if p := b.refused(err, 409, "device_changed"); p["what"] != "connection" {
		b.T.Errorf("params %v", p)
	}
	// With one stick gone nothing is queued for the other either.
	_, err = b.Client.QueueJob(b.Context(), b.request([]api.Device{now[0], devices[0]}))
	b.refused(err, 409, "device_gone")
	b.untouched(now)
	b.see(now[0].Port)
}

// unpluggedLater: between the request and its arrival on the host.
func (b *bench) unpluggedLater() {
	devices := b.sticks(2)
	b.signal(syscall.SIGSTOP)
	job := b.queue(devices)
	for _, d := range devices {
		if err := os.Remove(b.file(d)); err != nil {
			b.T.Fatal(err)
		}
	}
	b.AddStick(strings.TrimSuffix(devices[1].Port, ".img"), stickBytes)
	b.signal(syscall.SIGCONT)
	job = b.ended(job.ID)
	gone, other := job, job
	gone.Builds, other.Builds = job.Builds[:1], job.Builds[1:]
	b.builds(gone, "failed", "device_gone", false)
	b.builds(other, "failed", "device_changed", false)
	b.untouched(devices[1:])
}

// busy: a stick is used by one job at a time.
func (b *bench) busy() {
	devices := b.sticks(2)
	b.signal(syscall.SIGSTOP)
	job := b.queue(devices[:1])
	_, err := b.Client.QueueJob(b.Context(), b.request(devices))
	if p := b.refused(err, 409, "stick_busy"); p["port"] != devices[0].Port || p["job"] != job.ID {
		b.T.Errorf("params %v", p)
	}
	b.signal(syscall.SIGCONT)
	b.verified(b.ended(job.ID))
	b.untouched(devices[1:])
}

// rottenImage: its structure is sound and its content is not, which is found
// before it is published, so no stick is ever pressed from it.
func (b *bench) rottenImage() {
	raw, err := os.ReadFile(b.Sample())
	if err != nil {
		b.T.Fatal(err)
	}
	path := filepath.Join(b.T.TempDir(), "rotten.wim")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		b.T.Fatal(err)
	}
	b.rot(path)
	_, err = b.Client.UploadFile(b.Context(), path, nil, nil)
	b.refused(err, 422, "image_damaged")
}
