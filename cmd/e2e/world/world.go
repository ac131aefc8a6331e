// Package world starts the real programs for end-to-end tests: the console
// with its private Postgres, an agent with virtual sticks, and clients that
// talk to them as people and programs do. Each World owns a folder, a port
// and its processes, and takes all of them down with its test.
package world

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/cmd/e2e/sample"
)

// Patience bounds every wait of a World. It is generous: it ends a test that
// hangs, it does not measure anything.
const Patience = 3 * time.Minute

// Login and Password are the admin's that SetUp makes.
const (
	Login    = "ada"
	Password = "correct horse battery"
)

// Host is the name of the agent's host.
const Host = "bench"

// World is one console with one agent.
type World struct {
	T      *testing.T
	Dir    string
	URL    string
	Server *Process
	Agent  *Process
	Client *client.Client // after SetUp
	Token  string         // that Client shows: an admin's

	life    *testing.T // whose end takes the processes down
	bin     string
	port    string
	browser *http.Client // in which the admin is signed in
}

// New makes a folder, builds the programs and starts the console.
func New(t *testing.T) *World {
	t.Helper()
	w := Unstarted(t)
	w.StartServer()
	return w
}

// Unstarted is New without the console's start: its data folder is not there yet.
func Unstarted(t *testing.T) *World {
	t.Helper()
	w := &World{T: t, life: t, Dir: folder(t), bin: build(t), port: freePort(t)}
	t.Cleanup(w.sweepPostgres)
	w.URL = "http://127.0.0.1:" + w.port
	return w
}

// Run runs a subtest that shares the world: what fails, fails the subtest, and
// what it starts lives as long as the world.
func (w *World) Run(name string, test func(t *testing.T)) bool {
	outer := w.T
	defer func() { w.T = outer }()
	return outer.Run(name, func(t *testing.T) {
		w.T = t
		test(t)
	})
}

// Context ends with the test, and after Patience.
func (w *World) Context() context.Context {
	ctx, cancel := context.WithTimeout(w.T.Context(), Patience)
	w.T.Cleanup(cancel)
	return ctx
}

// StartServer starts the console, on the same folder and port each time, and
// waits until it is ready.
func (w *World) StartServer(args ...string) {
	w.T.Helper()
	args = append([]string{"serve", "--data", filepath.Join(w.Dir, "server"), "--listen", "127.0.0.1:" + w.port}, args...)
	w.Server = start(w.life, filepath.Join(w.bin, "stickpress"), filepath.Join(w.Dir, "server.log"), args...)
	w.Until("the console is ready", func() (bool, error) {
		if err := w.Server.Ended(); err != nil {
			return false, fmt.Errorf("the console ended: %w\n%s", err, w.Server.Output())
		}
		return w.ready(), nil
	})
}

func (w *World) ready() bool {
	status, err := w.Status("/readyz")
	return err == nil && status == http.StatusOK
}

// Status is what the console answers to GET path.
func (w *World) Status(path string) (int, error) {
	ctx, cancel := context.WithTimeout(w.T.Context(), 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL+path, http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// SetupLink is the link that a fresh console printed.
func (w *World) SetupLink() string {
	w.T.Helper()
	var link string
	w.Until("the console prints its link", func() (bool, error) {
		for line := range strings.Lines(w.Server.Output()) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, w.URL+"/setup?token=") {
				link = line
			}
		}
		return link != "", nil
	})
	return link
}

// Enrol enrols an agent and starts it with virtual sticks of a size in bytes.
func (w *World) Enrol(sticks int, bytes int64) {
	w.T.Helper()
	for n := range sticks {
		w.AddStick(fmt.Sprintf("stick-%d", n+1), bytes)
	}
	e, err := w.Client.CreateEnrolment(w.Context(), api.CreateEnrolmentInput{})
	if err != nil {
		w.T.Fatal(err)
	}
	cmd := exec.CommandContext(w.Context(), filepath.Join(w.bin, "stickpress-agent"),
		"enroll", w.URL, "--token", e.Token, "--name", Host, "--data", w.AgentData())
	if out, err := cmd.CombinedOutput(); err != nil {
		w.T.Fatalf("enrol: %v\n%s", err, out)
	}
	w.StartAgent()
}

// Programs is the folder of the programs.
func (w *World) Programs() string { return w.bin }

// Stickpress runs a command of the console's program against the console, with
// a token, and returns what it prints. An error holds what it said instead.
func (w *World) Stickpress(token string, args ...string) (string, error) {
	w.T.Helper()
	cmd := exec.CommandContext(w.Context(), filepath.Join(w.bin, "stickpress"), args...)
	cmd.Env = append(os.Environ(), "STICKPRESS_SERVER="+w.URL, "STICKPRESS_TOKEN="+token)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("stickpress %s: %w: %s", strings.Join(args, " "), err, said.String())
	}
	return string(out), err
}

// AgentCommand runs a command of the agent's program and returns what it
// prints. An error holds what it said instead.
func (w *World) AgentCommand(args ...string) (string, error) {
	w.T.Helper()
	cmd := exec.CommandContext(w.Context(), filepath.Join(w.bin, "stickpress-agent"), args...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("stickpress-agent %s: %w: %s", strings.Join(args, " "), err, said.String())
	}
	return string(out), err
}

// AddStick makes a sparse file that the agent offers as a stick; "stick-1" has
// the serial VIRTUAL-0001.
func (w *World) AddStick(name string, bytes int64) {
	w.T.Helper()
	if err := os.MkdirAll(w.Sticks(), 0o700); err != nil {
		w.T.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(w.Sticks(), name+".img"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		w.T.Fatal(err)
	}
	if err := errors.Join(f.Truncate(bytes), f.Close()); err != nil {
		w.T.Fatal(err)
	}
}

// Sticks is the folder of the virtual sticks.
func (w *World) Sticks() string { return filepath.Join(w.Dir, "sticks") }

// StartAgent starts the enrolled agent.
func (w *World) StartAgent(args ...string) {
	w.T.Helper()
	args = append([]string{"run", "--data", w.AgentData(), "--virtual", w.Sticks()}, args...)
	w.Agent = start(w.life, filepath.Join(w.bin, "stickpress-agent"), filepath.Join(w.Dir, "agent.log"), args...)
}

// Data is the console's data directory.
func (w *World) Data() string { return filepath.Join(w.Dir, "server") }

// AgentData is the agent's data directory.
func (w *World) AgentData() string { return filepath.Join(w.Dir, "agent") }

// Devices waits until the host shows a number of devices that may be written.
func (w *World) Devices(count int) []api.Device {
	w.T.Helper()
	var found []api.Device
	w.Until(fmt.Sprintf("the host shows %d sticks", count), func() (bool, error) {
		host, err := w.Client.GetHost(w.Context(), Host)
		if err != nil {
			return false, err
		}
		found = found[:0]
		for _, d := range host.Devices {
			if d.Writable && d.JobID == "" {
				found = append(found, d)
			}
		}
		return host.Online && len(found) >= count, nil
	})
	return found[:count]
}

// Publish uploads the sample image, or the file at path, as a version.
func (w *World) Publish(path, number string) api.Version {
	w.T.Helper()
	if path == "" {
		path = w.Sample()
	}
	up, err := w.Client.UploadFile(w.Context(), path, nil, nil)
	if err != nil {
		w.T.Fatal(err)
	}
	v, err := w.Client.PublishVersion(w.Context(), api.PublishVersionInput{
		UploadID: up.ID, Image: "win-sample", Version: number, Channel: api.DefaultChannel,
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return v
}

var samples struct {
	sync.Mutex
	dir string
}

// Sample is a small sample image.
func (w *World) Sample() string { return w.SampleOf(sample.Options{SmallFiles: 200}) }

// SampleOf makes a sample image, each kind once per test process.
func (w *World) SampleOf(o sample.Options) string {
	w.T.Helper()
	samples.Lock()
	defer samples.Unlock()
	if samples.dir == "" {
		dir, err := os.MkdirTemp("", "stickpress-sample-")
		if err != nil {
			w.T.Fatal(err)
		}
		samples.dir = dir
		cleanups = append(cleanups, dir)
	}
	path, err := sample.Make(w.T.Context(), samples.dir, o)
	if err != nil {
		w.T.Fatal(err)
	}
	return path
}

// Until asks again and again until ok, an error, or the end of patience.
func (w *World) Until(what string, ok func() (bool, error)) {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(w.T.Context(), Patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := ok()
		if err != nil {
			w.T.Fatalf("%s: %v", what, err)
		}
		if done {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.T.Fatalf("%s: not within %s\nconsole: %s\nagent: %s", what, Patience, w.Server.Output(), w.Agent.Output())
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err := errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	return port
}
