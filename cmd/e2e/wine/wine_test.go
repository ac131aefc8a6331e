package wine_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/cmd/e2e/wine"
	"github.com/stickpress/stickpress/cmd/e2e/world"
)

func TestMain(m *testing.M) { world.Main(m) }

const stickBytes = 30 << 30

// bench is a console and a Windows with an enrolled agent.
type bench struct {
	*world.World
	*wine.Windows
	data    string // the agent's, as Windows names it
	version api.Version
}

// TestAgent: the Windows agent serves a real console.
func TestAgent(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a Windows")
	}
	w := world.New(t)
	w.SetUp()
	dir, err := os.MkdirTemp("", "stickpress-wine-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	windows, err := wine.New(w.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := windows.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &bench{World: w, Windows: windows, data: windows.Path(w.AgentData())}
	w.AddStick("stick-1", stickBytes)
	b.version = w.Publish("", "1.0.0")
	b.list()

	b.Run("virtual sticks", func(t *testing.T) {
		out, err := windows.Command(w.Context(), windows.Tests, "-test.run=Virtual|Watch", "-test.v").CombinedOutput()
		if err != nil || strings.Count(string(out), "--- PASS") != 5 {
			t.Errorf("the tests of agent/disk: %v\n%s", err, out)
		}
	})
	b.Run("enrol", func(*testing.T) { b.enrol() })
	b.Run("service", func(*testing.T) { b.service() })
	b.Run("programs", func(*testing.T) { b.programs() })
	b.Run("sticks", func(*testing.T) { b.sticks() })
}

// call runs the agent to its end.
func (b *bench) call(args ...string) string {
	b.T.Helper()
	out, err := b.Windows.Agent(b.Context(), args...).CombinedOutput()
	if err != nil {
		b.T.Fatalf("%q: %v\n%s", args, err, out)
	}
	return string(out)
}

func (b *bench) enrol() {
	e, err := b.Client.CreateEnrolment(b.Context(), api.CreateEnrolmentInput{})
	if err != nil {
		b.T.Fatal(err)
	}
	out := b.call("enroll", b.URL, "--token", e.Token, "--name", world.Host, "--data", b.data)
	if !strings.Contains(out, "Enrolled as "+world.Host) {
		b.T.Errorf("enroll said %q", out)
	}
	var devices []protocol.Device
	out = b.call("devices", "--json", "--data", b.data, "--virtual", b.Path(b.Sticks()))
	if err := json.Unmarshal([]byte(out), &devices); err != nil || len(devices) != 1 || !devices[0].Writable() ||
		devices[0].Serial != "VIRTUAL-0001" || devices[0].Bytes != stickBytes {
		b.T.Errorf("devices: %v\n%s", err, out)
	}
}

// service: the agent runs under the service manager, takes a dry-run job up to
// its first byte, and ends when it is told to.
func (b *bench) service() {
	if out := b.call("service", "status"); strings.TrimSpace(out) != "not installed" {
		b.T.Errorf("status before: %q", out)
	}
	b.call("service", "install", "--data", b.data, "--virtual", b.Path(b.Sticks()), "--dry-run")
	b.call("service", "start")
	devices := b.Devices(1)
	if out := b.call("service", "status"); strings.TrimSpace(out) != "running" {
		b.T.Errorf("status: %q", out)
	}

	build := b.build(devices[0])
	if build.Fault == nil || build.Fault.Code != protocol.FaultDryRun || build.Fault.Touched {
		b.T.Errorf("the build ended as %s with %+v, want dry_run, untouched", build.State, build.Fault)
	}
	b.untouched()
	files, err := filepath.Glob(filepath.Join(b.AgentData(), "dry-run", "*.txt"))
	if err != nil || len(files) != 1 {
		b.T.Fatalf("dry run wrote %q, %v", files, err)
	}
	said, err := os.ReadFile(files[0])
	if err != nil {
		b.T.Fatal(err)
	}
	for _, want := range []string{
		"dism.exe /English", "/Apply-Image /ImageFile:" + b.data + `\cache\`, "maximum=28680 type=expandable",
		"create partition primary offset=359424 size=28321", `bcdboot.exe ` + b.data, "/f ALL", "detach vdisk",
	} {
		if !strings.Contains(string(said), want) {
			b.T.Errorf("the dry run does not say %q:\n%s", want, said)
		}
	}

	b.call("service", "stop")
	if out := b.call("service", "status"); strings.TrimSpace(out) != "stopped" {
		b.T.Errorf("status after stop: %q", out)
	}
	b.Until("the host is away", func() (bool, error) {
		host, err := b.Client.GetHost(b.Context(), world.Host)
		return err == nil && !host.Online, err
	})
	log, err := os.ReadFile(filepath.Join(b.AgentData(), "agent.log"))
	if err != nil || !strings.Contains(string(log), `msg="agent started"`) || !strings.Contains(string(log), "stopping: sticks that were begun") {
		b.T.Errorf("agent.log: %v\n%s", err, log)
	}
	b.call("service", "uninstall")
	if out := b.call("service", "status"); strings.TrimSpace(out) != "not installed" {
		b.T.Errorf("status after uninstall: %q", out)
	}
}

// serve runs the agent; stop ends it and returns what it said.
func (b *bench) serve(args ...string) (stop func() string) {
	b.T.Helper()
	ctx, cancel := context.WithCancel(b.T.Context())
	cmd := b.Windows.Agent(ctx, append([]string{"run", "--data", b.data, "--virtual", b.Path(b.Sticks())}, args...)...)
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		b.T.Fatal(err)
	}
	return func() string {
		cancel()
		var exit *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
			b.T.Error(err)
		}
		return log.String()
	}
}

// programs: without --dry-run the programs of Windows are really called, with
// arguments that arrive as they were meant, and one that fails ends the build.
func (b *bench) programs() {
	stop := b.serve()
	build := b.build(b.Devices(1)[0])
	log := stop()
	if f := build.Fault; f == nil || f.Code != protocol.FaultTool || f.Touched || f.Params["tool"] != "dism.exe" || f.Params["status"] != "87" {
		b.T.Errorf("the build ended as %s with %+v, want dism.exe's failure, untouched\n%s", build.State, f, log)
	}
	b.untouched()

	var words []string
	var last wine.Call
	for _, c := range b.calls() {
		word := c.Program
		if i := slices.IndexFunc(c.Args, func(a string) bool { return strings.HasSuffix(a, "-Image") }); i >= 0 {
			word += " " + c.Args[i]
		}
		words = append(words, word)
		last = c
	}
	want := []string{"dism /List-Image", "diskpart", "dism /Apply-Image", "diskpart"}
	if !slices.Equal(words, want) {
		b.T.Fatalf("called were %q, want %q\n%s", words, want, log)
	}
	if !strings.Contains(last.Script, "detach vdisk\r\n") || !strings.Contains(last.Script, `file="`+b.data) {
		b.T.Errorf("the last script of diskpart was %q", last.Script)
	}
}

// build presses a device and returns the build's end.
func (b *bench) build(d api.Device) api.Build {
	b.T.Helper()
	return b.job(d.Identity, api.QueueJobInput{Version: b.version.ID})
}

// job brings a job for one device to its end and returns its build.
func (b *bench) job(d protocol.Identity, in api.QueueJobInput) api.Build {
	b.T.Helper()
	in.Host, in.Devices = world.Host, []api.QueueDevice{{Identity: d}}
	job, err := b.Client.QueueJob(b.Context(), in)
	if err != nil {
		b.T.Fatal(err)
	}
	b.Until("the job ends", func() (bool, error) {
		job, err = b.Client.GetJob(b.Context(), job.ID)
		return err == nil && job.Ended(), err
	})
	return job.Builds[0]
}

// untouched checks that the stick holds nothing.
func (b *bench) untouched() {
	b.T.Helper()
	out, err := exec.CommandContext(b.Context(), "du", "--block-size=1", filepath.Join(b.Sticks(), "stick-1.img")).Output()
	if err != nil || !strings.HasPrefix(string(out), "0\t") {
		b.T.Errorf("the stick's file takes %q, %v", out, err)
	}
}

// list is what the stand-in of DISM says of the image.
func (b *bench) list() {
	out, err := exec.CommandContext(b.Context(), "wimlib-imagex", "dir", b.Sample(), "1").Output()
	if err != nil {
		b.T.Fatal(err)
	}
	text := "\r\nDeployment Image Servicing and Management tool\r\n\r\n" + strings.ReplaceAll(strings.ReplaceAll(string(out), "/", `\`), "\n", "\r\n")
	if err := os.WriteFile(filepath.Join(b.System(), "list.txt"), []byte(text), 0o600); err != nil {
		b.T.Fatal(err)
	}
}

// calls are what the stand-ins were called with.
func (b *bench) calls() (all []wine.Call) {
	b.T.Helper()
	f, err := os.Open(filepath.Join(b.System(), "calls.txt"))
	if err != nil {
		b.T.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var c wine.Call
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			b.T.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}
