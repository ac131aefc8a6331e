// Package capture holds the test of captures through the real programs: a stick
// that was pressed and a virtual disk in a file become image versions, which
// wimlib compares with what they were made of, and which are pressed again.
package capture

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/wim/exclusion"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/cmd/e2e/sample"
	"github.com/stickpress/stickpress/cmd/e2e/world"
)

// stickBytes is what is sold as 32 GB.
const stickBytes = 30_752_636_928

func TestMain(m *testing.M) { world.Main(m) }

// bench is a world with a folder of disk images.
type bench struct {
	*world.World
	files string
}

func TestCapture(t *testing.T) {
	b := &bench{World: world.New(t), files: t.TempDir()}
	b.SetUp()
	b.Publish("", "1.0.0")
	b.disk("bound.vhdx", "IMAGE_STATE_COMPLETE", 24<<20)
	b.Enrol(2, stickBytes)
	b.Agent.Stop()
	b.StartAgent("--capture-dir", b.files)
	b.Run("a pressed stick", func(*testing.T) { b.stick() })
	b.Run("a file that is not generalized", func(*testing.T) { b.bound() })
	b.Run("from the command line", func(*testing.T) { b.commandLine() })
	b.Run("the server dies", func(*testing.T) { b.serverDies() })
	b.Run("the agent dies", func(*testing.T) { b.agentDies() })
	b.Run("cancelled", func(*testing.T) { b.cancelled() })
}

// tool runs a foreign program and returns what it prints.
func (b *bench) tool(name string, args ...string) string {
	b.T.Helper()
	cmd := exec.CommandContext(b.Context(), name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "WIMLIB_IMAGEX_IGNORE_CASE=1")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		b.T.Fatalf("%s %v: %v\n%s%s", name, args, err, out, said.Bytes())
	}
	return string(out)
}

// disk puts a virtual disk into the folder: a bare NTFS volume with a sample.
func (b *bench) disk(name, state string, big int64) {
	b.T.Helper()
	raw := filepath.Join(b.T.TempDir(), "volume")
	if err := os.WriteFile(raw, nil, 0o600); err != nil {
		b.T.Fatal(err)
	}
	if err := os.Truncate(raw, 256<<20); err != nil {
		b.T.Fatal(err)
	}
	b.tool("mkntfs", "-F", "-Q", "-q", "-p", "0", "-H", "255", "-S", "63", raw)
	b.tool("wimlib-imagex", "apply", b.SampleOf(sample.Options{SmallFiles: 100, BigFiles: 2, BigBytes: big, ImageState: state}), "1", raw)
	b.tool("qemu-img", "convert", "-O", "vhdx", raw, filepath.Join(b.files, name))
}

// source finds a file that the host offers.
func (b *bench) source(name string) api.Device {
	b.T.Helper()
	var found api.Device
	b.Until("the host shows "+name, func() (bool, error) {
		h, err := b.Client.GetHost(b.Context(), world.Host)
		for _, d := range h.Files {
			if filepath.Base(d.Port) == name && d.JobID == "" && !d.Busy {
				found = d
			}
		}
		return h.Online && found.Port != "", err
	})
	return found
}

func (b *bench) queue(d protocol.Identity, version string, overrides ...string) api.Job {
	b.T.Helper()
	job, err := b.Client.QueueJob(b.Context(), api.QueueJobInput{
		Kind: protocol.JobCapture, Host: world.Host, Devices: []api.QueueDevice{{Identity: d}}, Overrides: overrides,
		Options: protocol.JobOptions{Capture: &protocol.CaptureOptions{Image: "captured", Version: version, Channel: "testing", Notes: "a test"}},
	})
	if err != nil {
		b.T.Fatal(err)
	}
	return job
}

// ended waits for the end of a job.
func (b *bench) ended(id string) api.Job {
	b.T.Helper()
	var job api.Job
	b.Until("the job ends", func() (bool, error) {
		var err error
		job, err = b.Client.GetJob(b.Context(), id)
		return job.Ended(), err
	})
	return job
}

// succeeded waits for a capture and returns its version.
func (b *bench) succeeded(id string) api.Version {
	b.T.Helper()
	job := b.ended(id)
	if job.State != "succeeded" {
		b.T.Fatalf("the job is %s: %+v\n%s", job.State, job.Builds[0].Fault, b.Agent.Output())
	}
	for _, s := range job.Builds[0].Steps {
		if s.DoneAt == nil {
			b.T.Errorf("step %s is not done", s.Step)
		}
	}
	v, err := b.Client.GetVersion(b.Context(), job.Builds[0].Result.Capture.VersionID)
	if err != nil {
		b.T.Fatal(err)
	}
	if v.SourceJobID != id || v.SHA256 != job.Builds[0].Result.Capture.SHA256 || v.Format != "wim" {
		b.T.Errorf("version is %+v", v)
	}
	b.nothingLeft()
	return v
}

// failed waits for a capture that fails with a code.
func (b *bench) failed(id, code string) {
	b.T.Helper()
	job := b.ended(id)
	if f := job.Builds[0].Fault; f == nil || f.Code != code || f.Touched {
		b.T.Errorf("the job is %s: %+v, want %s, untouched", job.State, f, code)
	}
	b.nothingLeft()
}

// nothingLeft waits until the host has cleaned up.
func (b *bench) nothingLeft() {
	b.T.Helper()
	b.Until("the host has cleaned up", func() (bool, error) {
		left, err := os.ReadDir(filepath.Join(b.AgentData(), "cache", "work"))
		return len(left) == 0, err
	})
}

// file is where the server keeps a version's bytes.
func (b *bench) file(v api.Version) string {
	return filepath.Join(b.Dir, "server", "blobs", "sha256", v.SHA256[:2], v.SHA256)
}

// stored are the lines that tell where and how a WIM file keeps something.
var stored = regexp.MustCompile(`(?m)^(Link Group ID|Compressed size|Offset in WIM|Flags) .*\n`)

func (b *bench) tree(wim string) string {
	b.T.Helper()
	return stored.ReplaceAllString(b.tool("wimlib-imagex", "dir", wim, "1", "--detailed"), "")
}

// stick presses a stick, captures it, and presses what came of it.
func (b *bench) stick() {
	devices := b.Devices(2)
	press := func(version string, d api.Device) {
		job, err := b.Client.QueueJob(b.Context(), api.QueueJobInput{
			Version: version, Host: world.Host, Devices: []api.QueueDevice{{Identity: d.Identity}}, Variables: map[string]string{"computer_name": "PC-1"},
		})
		if err != nil {
			b.T.Fatal(err)
		}
		if job = b.ended(job.ID); job.State != "succeeded" {
			b.T.Fatalf("pressing: %s, %+v", job.State, job.Builds[0].Fault)
		}
	}
	first, err := b.Client.FindVersion(b.Context(), "win-sample", "1.0.0", "")
	if err != nil {
		b.T.Fatal(err)
	}
	press(first.ID, devices[0])
	before := b.stat(devices[0].Path)
	v := b.succeeded(b.queue(b.Devices(1)[0].Identity, "1.0.0").ID)
	if after := b.stat(devices[0].Path); !after.ModTime().Equal(before.ModTime()) {
		b.T.Error("the stick was changed")
	}
	if e := v.Editions[0]; v.ImageName != "captured" || e.EditionID != "Enterprise" || e.Architecture != "x86_64" || e.Version != "10.0.26100.1742" || e.Description != "a test" {
		b.T.Errorf("edition is %+v", e)
	}

	// What wimlib makes of the stick's volume by itself is the same.
	dir := b.T.TempDir()
	list, err := exclusion.Parse(exclusion.Default)
	if err != nil {
		b.T.Fatal(err)
	}
	config := filepath.Join(dir, "exclude.ini")
	if err := os.WriteFile(config, []byte(exclusion.Config(list)), 0o600); err != nil {
		b.T.Fatal(err)
	}
	volume, direct := filepath.Join(dir, "volume"), filepath.Join(dir, "direct.wim")
	part := regexp.MustCompile(`(?m)2 : start= *(\d+), size= *(\d+)`).FindStringSubmatch(b.tool("sfdisk", "--dump", devices[0].Path))
	b.tool("qemu-img", "convert", "-O", "raw", "--image-opts", // passes over holes
		"driver=raw,offset="+b.bytes(part[1])+",size="+b.bytes(part[2])+",file.driver=file,file.filename="+devices[0].Path, volume)
	b.tool("wimlib-imagex", "capture", volume, direct, "--config="+config, "--compress=none")
	tree := b.tree(b.file(v))
	if want := b.tree(direct); tree != want || len(want) < 50_000 {
		b.T.Errorf("the captured tree has %d bytes of description, the stick's %d", len(tree), len(want))
	}
	for _, never := range []string{"unattend.xml\"", "stickpress.json"} {
		if strings.Contains(strings.ToLower(tree), "/windows/panther/"+never) || strings.Contains(tree, "\"/"+never) {
			b.T.Errorf("%s is in the image", never)
		}
	}
	press(v.ID, devices[1])
}

// bytes is how many bytes a number of 512-byte sectors has.
func (b *bench) bytes(sectors string) string {
	b.T.Helper()
	n, err := strconv.ParseInt(sectors, 10, 64)
	if err != nil {
		b.T.Fatal(err)
	}
	return strconv.FormatInt(512*n, 10)
}

func (b *bench) stat(path string) os.FileInfo {
	b.T.Helper()
	info, err := os.Stat(path)
	if err != nil {
		b.T.Fatal(err)
	}
	return info
}

// bound is refused, unless an admin lets it pass; that is recorded.
func (b *bench) bound() {
	file := b.source("bound.vhdx")
	b.failed(b.queue(file.Identity, "2.0.0").ID, protocol.FaultCaptureNotGeneralized)
	job := b.queue(b.source("bound.vhdx").Identity, "2.0.0", protocol.FaultCaptureNotGeneralized)
	b.succeeded(job.ID)
	job = b.ended(job.ID)
	if r := job.Builds[0].Result.Capture; len(job.Overrides) != 1 || r.ImageState != "IMAGE_STATE_COMPLETE" || job.Builds[0].StickID != "" {
		b.T.Errorf("overrides %v, result %+v", job.Overrides, r)
	}
	audit, err := b.Client.ListAudit(b.Context(), api.AuditFilter{ObjectKind: "job", ObjectID: job.ID}, api.Page{})
	if err != nil || len(audit.Items) != 1 || !strings.Contains(string(audit.Items[0].After), protocol.FaultCaptureNotGeneralized) {
		b.T.Errorf("audit is %+v, %v", audit.Items, err)
	}
	sticks, err := b.Client.ListSticks(b.Context(), api.StickFilter{}, api.Page{})
	if err != nil || len(sticks.Items) != 2 {
		b.T.Errorf("a file became a stick: %+v, %v", sticks.Items, err)
	}
}

// commandLine captures by name, and says in words what is refused.
func (b *bench) commandLine() {
	b.source("bound.vhdx")
	token, err := b.Client.CreateToken(b.Context(), api.CreateTokenInput{Name: "cli", Role: api.RoleAdmin})
	if err != nil {
		b.T.Fatal(err)
	}
	args := []string{"image", "capture", world.Host, "bound.vhdx", "--image", "captured", "--version", "2.1.0"}
	if _, err := b.Stickpress(token.Secret, args...); err == nil || !strings.Contains(err.Error(), "bound to its PC") {
		b.T.Errorf("not generalized: %v", err)
	}
	b.source("bound.vhdx")
	out, err := b.Stickpress(token.Secret, append(args, "--any-state", "--quiet")...)
	if err != nil || !strings.HasPrefix(out, "ver_") {
		b.T.Errorf("%q, %v", out, err)
	}
	if _, err := b.Stickpress(token.Secret, "image", "capture", world.Host, "none.vhdx", "--image", "i", "--version", "1.0.0"); err == nil || !strings.Contains(err.Error(), "bound.vhdx") {
		b.T.Errorf("no such source: %v", err)
	}
}

// capturing queues a capture that an admin lets pass and waits until its image
// is being made.
func (b *bench) capturing(version string) api.Job {
	b.T.Helper()
	job := b.queue(b.source("bound.vhdx").Identity, version, protocol.FaultCaptureNotGeneralized)
	b.Until("the image is being made", func() (bool, error) {
		j, err := b.Client.GetJob(b.Context(), job.ID)
		return j.Builds[0].Step == protocol.StepCapture, err
	})
	return job
}

// serverDies in the middle: the image is brought to its next start.
func (b *bench) serverDies() {
	job := b.capturing("3.0.0")
	b.Server.Kill()
	b.StartServer()
	b.succeeded(job.ID)
}

// agentDies in the middle: the attempt fails, and its next start cleans up.
func (b *bench) agentDies() {
	job := b.capturing("4.0.0")
	b.Agent.Kill()
	b.StartAgent("--capture-dir", b.files)
	b.failed(job.ID, protocol.FaultRestart)
	if _, err := b.Client.FindVersion(b.Context(), "captured", "4.0.0", ""); err == nil {
		b.T.Error("half an image was published")
	}
}

// cancelled in the middle ends at once.
func (b *bench) cancelled() {
	job := b.capturing("4.0.0")
	if _, err := b.Client.CancelJob(b.Context(), job.ID); err != nil {
		b.T.Fatal(err)
	}
	b.failed(job.ID, protocol.FaultCancelled)
}
