package wine_test

import (
	"bytes"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/wim/exclusion"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/cmd/e2e/sample"
	"github.com/stickpress/stickpress/cmd/e2e/wine"
	"github.com/stickpress/stickpress/cmd/e2e/world"
)

const mib = 1 << 20

// sticks: with programs that do what those of Windows do, the agent presses a
// stick, compares it, lets it flash, writes a disk image over it and captures a
// virtual disk.
func (b *bench) sticks() {
	server := httptest.NewUnstartedServer(nil)
	programs, err := wine.NewPrograms(b.Windows, "http://"+server.Listener.Addr().String(), b.T.TempDir())
	if err != nil {
		b.T.Fatal(err)
	}
	server.Config.Handler = programs
	server.Start()
	defer server.Close()
	images := b.T.TempDir()
	b.disk(filepath.Join(images, "golden.vhdx"))
	stop := b.serve("--capture-dir", b.Path(images))
	defer func() {
		if log := stop(); b.T.Failed() {
			b.T.Logf("the agent said\n%s", log)
		}
		if err := programs.Err(); err != nil {
			b.T.Error(err)
		}
	}()

	device := b.Devices(1)[0]
	host, err := b.Client.GetHost(b.Context(), world.Host)
	if err != nil || !slices.Contains(host.Capabilities, protocol.CapIdentify) {
		b.T.Errorf("the host can do %q, %v", host.Capabilities, err)
	}
	// Wine 8 removes nothing below an os.Root: this image has no answer file
	// that would have to go (agent/stick's TestVirtualMaster has).
	image := b.SampleOf(sample.Options{SmallFiles: 60})
	b.tool("wimlib-imagex", "update", image, "1", "--command=delete --force --recursive /Windows/Panther/Unattend")
	for _, file := range []string{"/Windows/Panther/unattend.xml", "/Windows/System32/Sysprep/unattend.xml"} {
		b.tool("env", "WIMLIB_IMAGEX_IGNORE_CASE=1", "wimlib-imagex", "update", image, "1", "--command=delete --force "+file)
	}
	build := b.job(device.Identity, api.QueueJobInput{Version: b.Publish(image, "1.1.0").ID})
	if build.State != "verified" {
		b.T.Fatalf("the press is %s: %+v", build.State, build.Fault)
	}
	b.pressed(image)
	build = b.job(b.idle(protocol.JobVerify).Identity, api.QueueJobInput{Kind: protocol.JobVerify})
	if build.Result == nil || build.Result.Check == nil || build.Result.Check.Outcome != protocol.OutcomeIntact || build.Touched {
		b.T.Errorf("the comparison is %s: %+v, %+v", build.State, build.Result, build.Fault)
	}
	if out := b.call("verify", "stick-1", "--data", b.data, "--virtual", b.Path(b.Sticks())); !strings.HasPrefix(out, "intact\n") {
		b.T.Errorf("verify said %q", out)
	}
	if out := b.call("identify", "stick-1.img", "--seconds", "1", "--data", b.data, "--virtual", b.Path(b.Sticks())); !strings.Contains(out, "for 1 s") {
		b.T.Errorf("identify said %q", out)
	}
	b.captured(filepath.Join(images, "golden.vhdx"))
	b.raw()
}

// idle is the stick, once a job of a kind may have it.
func (b *bench) idle(k protocol.JobKind) (found api.Device) {
	b.T.Helper()
	b.Until("the stick is idle", func() (bool, error) {
		h, err := b.Client.GetHost(b.Context(), world.Host)
		if err != nil || len(h.Devices) != 1 {
			return false, err
		}
		found = h.Devices[0]
		return h.Online && found.JobID == "" && !found.Busy && found.Refusal(k) == nil, nil
	})
	return found
}

func (b *bench) tool(name string, args ...string) string {
	b.T.Helper()
	cmd := exec.CommandContext(b.Context(), name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.T.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}

// pressed: what is on the stick is, to wimlib, the image and the answer file.
func (b *bench) pressed(of string) {
	b.T.Helper()
	stick, dir := filepath.Join(b.Sticks(), "stick-1.img"), b.T.TempDir()
	if out := b.tool("sfdisk", "--verify", stick); !strings.Contains(out, "No errors detected") {
		b.T.Errorf("sfdisk: %s", out)
	}
	volume, image := filepath.Join(dir, "volume"), filepath.Join(dir, "stick.wim")
	if err := wine.CopySparse(volume, 0, stick, 351*mib, 28321*mib); err != nil {
		b.T.Fatal(err)
	}
	b.tool("wimlib-imagex", "capture", volume, image, "--compress=none")
	have := "\n" + b.tool("wimlib-imagex", "dir", image, "1")
	for path := range strings.Lines(b.tool("wimlib-imagex", "dir", of, "1")) {
		if !strings.Contains(have, "\n"+path) {
			b.T.Errorf("the stick lacks %s", path)
		}
	}
	if !strings.Contains(strings.ToLower(have), "\n/windows/panther/unattend.xml\n") {
		b.T.Error("the stick has no answer file")
	}
	for _, file := range []string{"EFI/BOOT/BOOTX64.EFI", "EFI/Microsoft/Boot/BCD", "stickpress.json"} {
		b.tool("env", "MTOOLS_SKIP_CHECK=1", "mtype", "-i", stick+"@@1M", "::"+file)
	}
}

// disk makes a virtual disk: a bare NTFS volume with a generalized Windows.
func (b *bench) disk(path string) {
	b.T.Helper()
	raw := filepath.Join(b.T.TempDir(), "volume")
	b.tool("truncate", "-s", "256M", raw)
	b.tool("mkntfs", "-F", "-Q", "-q", "-p", "0", "-H", "255", "-S", "63", raw)
	b.tool("wimlib-imagex", "apply", b.SampleOf(sample.Options{SmallFiles: 50, ImageState: "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"}), "1", raw)
	b.tool("qemu-img", "convert", "-O", "vhdx", raw, path)
}

// captured makes an image version of a virtual disk, which holds what is on
// it.
func (b *bench) captured(disk string) {
	b.T.Helper()
	var source protocol.Identity
	b.Until("the host shows the disk", func() (bool, error) {
		h, err := b.Client.GetHost(b.Context(), world.Host)
		if len(h.Files) == 1 {
			source = h.Files[0].Identity
		}
		return source.Port != "", err
	})
	build := b.job(source, api.QueueJobInput{Kind: protocol.JobCapture, Options: protocol.JobOptions{
		Capture: &protocol.CaptureOptions{Image: "captured", Version: "1.0.0", Notes: "under Wine", Exclude: exclusion.Default},
	}})
	if build.Result == nil || build.Result.Capture == nil {
		b.T.Fatalf("the capture is %s: %+v", build.State, build.Fault)
	}
	v, err := b.Client.GetVersion(b.Context(), build.Result.Capture.VersionID)
	if err != nil || v.Format != "wim" || v.Editions[0].EditionID != "Enterprise" || v.Editions[0].Name != "Windows 11 Enterprise" {
		b.T.Errorf("version %+v, %v", v, err)
	}
	calls := b.calls()
	var words []string
	for _, c := range calls[len(calls)-4:] {
		words = append(words, c.Program)
	}
	if dism := calls[len(calls)-2]; !slices.Equal(words, []string{"diskpart", "diskpart", "dism", "diskpart"}) || !slices.Contains(dism.Args, "/Description:under Wine") {
		b.T.Errorf("called were %q, dism with %q", words, dism.Args)
	}
	dir := b.T.TempDir()
	raw, direct := filepath.Join(dir, "raw"), filepath.Join(dir, "direct.wim")
	b.tool("qemu-img", "convert", "-O", "raw", disk, raw)
	b.tool("wimlib-imagex", "capture", raw, direct, "--compress=none")
	want := b.tool("wimlib-imagex", "dir", direct, "1")
	have := b.tool("wimlib-imagex", "dir", filepath.Join(b.World.Dir, "server", "blobs", "sha256", v.SHA256[:2], v.SHA256), "1")
	if have != want {
		b.T.Errorf("the image holds\n%s\nthe disk\n%s", have, want)
	}
}

// raw writes a disk image over the stick.
func (b *bench) raw() {
	b.T.Helper()
	image := filepath.Join(b.T.TempDir(), "tool.img")
	if err := os.WriteFile(image, bytes.Repeat([]byte("0123456789abcdef"), 3*mib/16), 0o600); err != nil {
		b.T.Fatal(err)
	}
	b.tool("sh", "-ec", `echo 2048,,c | sfdisk --quiet --label dos "$1"`, "sh", image)
	want, err := os.ReadFile(image)
	if err != nil {
		b.T.Fatal(err)
	}
	up, err := b.Client.UploadFile(b.Context(), image, nil, nil)
	if err != nil {
		b.T.Fatal(err)
	}
	v, err := b.Client.PublishVersion(b.Context(), api.PublishVersionInput{UploadID: up.ID, Image: "tool", Version: "1.0.0"})
	if err != nil {
		b.T.Fatal(err)
	}
	if build := b.job(b.idle(protocol.JobRaw).Identity, api.QueueJobInput{Kind: protocol.JobRaw, Version: v.ID}); build.State != "verified" {
		b.T.Fatalf("the raw write is %s: %+v", build.State, build.Fault)
	}
	f, err := os.Open(filepath.Join(b.Sticks(), "stick-1.img"))
	if err != nil {
		b.T.Fatal(err)
	}
	defer f.Close()
	got := make([]byte, len(want))
	if _, err := f.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
		b.T.Errorf("the stick begins with something else: %v", err)
	}
}
