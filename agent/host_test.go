package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/stickpress/stickpress/agent/backoff"
	"github.com/stickpress/stickpress/agent/cache"
	"github.com/stickpress/stickpress/agent/capture"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/record"
	"github.com/stickpress/stickpress/agent/spool"
	"github.com/stickpress/stickpress/agent/stick"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const gib = 1 << 30

// rack is a host's devices.
type rack struct {
	mu      sync.Mutex
	devices map[string]*fakeDevice // by port
	plug    chan struct{}
	flashes []string // ports
}

func newRack(ports ...string) *rack {
	r := &rack{devices: map[string]*fakeDevice{}, plug: make(chan struct{}, 1)}
	for _, p := range ports {
		r.devices[p] = &fakeDevice{id: identity(p), size: 30 * gib, sector: 512}
	}
	return r
}

func identity(port string) protocol.Identity {
	return protocol.Identity{Kind: protocol.KindUSB, Port: port, VIDPID: "0781:5583", Bytes: 30 * gib, Connection: 1}
}

func (r *rack) List(context.Context) ([]protocol.Device, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []protocol.Device
	for _, p := range []string{"1-1", "1-2", "1-3"} {
		if d := r.devices[p]; d != nil {
			out = append(out, protocol.Device{Identity: d.id, Path: "/dev/" + p, SectorSize: d.sector})
		}
	}
	return out, nil
}

func (r *rack) Watch(context.Context) <-chan struct{} { return r.plug }

func (r *rack) Open(_ context.Context, id protocol.Identity) (Device, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.devices[id.Port]
	switch {
	case d == nil:
		return nil, protocol.NewFault(protocol.FaultDeviceGone, "port", id.Port)
	case d.open:
		return nil, protocol.NewFault(protocol.FaultDeviceBusy, "path", id.Port)
	}
	d.open = true
	d.rack = r
	if opening := d.opening; opening != nil {
		r.mu.Unlock()
		<-opening
		r.mu.Lock()
	}
	return d, nil
}

func (r *rack) OpenToRead(ctx context.Context, id protocol.Identity) (Device, error) {
	return r.Open(ctx, id)
}

// Blink does as a real device would, without one.
func (r *rack) Blink(ctx context.Context, id protocol.Identity, _ func() time.Time, pause func(context.Context, time.Duration) error) error {
	for {
		r.mu.Lock()
		r.flashes = append(r.flashes, id.Port)
		r.mu.Unlock()
		if err := pause(ctx, time.Second); ctx.Err() != nil {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (r *rack) pull(port string) {
	r.mu.Lock()
	delete(r.devices, port)
	r.mu.Unlock()
	r.plug <- struct{}{}
}

type unused = stick.Device

type fakeDevice struct {
	unused  // panics if anything but the engine's fake uses it
	rack    *rack
	id      protocol.Identity
	size    int64
	sector  int
	open    bool
	opening chan struct{} // Open waits for it, if set
	ejected bool
	check   error
	hub     string

	removable bool
	holds     string // ID of a stick
}

func (d *fakeDevice) Size() int64         { return d.size }
func (d *fakeDevice) SectorSize() int     { return d.sector }
func (d *fakeDevice) Check() error        { return d.check }
func (d *fakeDevice) Unmounted() []string { return nil }
func (d *fakeDevice) Device() protocol.Device {
	return protocol.Device{Identity: d.id, Path: "/dev/" + d.id.Port, SectorSize: d.sector, SpeedMbps: 480, MaxMbps: 5000, Hub: d.hub, Removable: d.removable}
}

func (d *fakeDevice) Close() error {
	d.rack.mu.Lock()
	defer d.rack.mu.Unlock()
	d.open = false
	return nil
}

func (d *fakeDevice) Eject() error {
	d.ejected = true
	return d.Close()
}

// press is an Engine that can be held and broken.
type press struct {
	mu       sync.Mutex
	prepared []stick.Spec
	pressed  [][]string // answer files, per Press
	erased   int        // targets that were to be erased first
	demands  []stick.Demands
	prepare  func(n int, spec stick.Spec) error
	outcome  func(n int, answer string) error
	making   chan struct{} // Prepare waits for it, if set
	writing  chan struct{} // Press waits for it after the first byte, if set
}

func (e *press) Found(d stick.Source) (string, error) { return d.(*fakeDevice).holds, nil }

func (e *press) Class(bytes int64) (int64, error) {
	if bytes < 28*gib {
		return 0, protocol.NewFault(protocol.FaultTooSmall, "have_bytes", bytes)
	}
	if bytes < 56*gib {
		return 28 * gib, nil
	}
	return 56 * gib, nil
}

func (e *press) Prepare(ctx context.Context, _ string, spec stick.Spec, report func(done, total int64)) (*stick.Master, error) {
	e.mu.Lock()
	e.prepared = append(e.prepared, spec)
	n, making, prepare := len(e.prepared), e.making, e.prepare
	e.mu.Unlock()
	report(1, 2)
	if making != nil {
		select {
		case <-making:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	if prepare != nil {
		if err := prepare(n, spec); err != nil {
			return nil, err
		}
	}
	return &stick.Master{}, nil
}

func (e *press) Personal(_ protocol.Recipe, b *protocol.Build) (stick.Personal, error) {
	return stick.Personal{StickID: b.StickID, AnswerFile: []byte(b.AnswerFile)}, nil
}

func (e *press) Press(ctx context.Context, _ stick.Content, targets []stick.Target) []stick.Outcome {
	var answers []string
	for _, t := range targets {
		answers = append(answers, string(t.Personal.AnswerFile))
	}
	e.mu.Lock()
	for _, t := range targets {
		if t.EraseFirst {
			e.erased++
		}
		e.demands = append(e.demands, t.Demands)
	}
	e.pressed = append(e.pressed, answers)
	n := len(e.pressed)
	e.mu.Unlock()
	out := make([]stick.Outcome, len(targets))
	var all sync.WaitGroup
	for i := range targets {
		all.Go(func() {
			out[i].Result, out[i].Err = e.one(ctx, n, &targets[i])
			targets[i].Ended(out[i])
		})
	}
	all.Wait()
	return out
}

func (e *press) one(ctx context.Context, n int, t *stick.Target) (res protocol.Result, err error) {
	e.mu.Lock()
	writing, outcome := e.writing, e.outcome
	e.mu.Unlock()
	t.Report.StepBegun(protocol.StepWrite)
	if err := t.Report.Touched(); err != nil {
		return res, err
	}
	t.Report.Checked(protocol.NewCheck(protocol.CheckCapacity, protocol.VerdictOK))
	for i := range int64(4) {
		t.Report.Progress(protocol.StepWrite, i*100, 400)
	}
	if writing != nil {
		select {
		case <-writing:
		case <-t.Context.Done():
			return res, context.Cause(t.Context)
		case <-ctx.Done():
			return res, context.Cause(ctx)
		}
	}
	if outcome != nil {
		if err := outcome(n, string(t.Personal.AnswerFile)); err != nil {
			return res, err
		}
	}
	t.Report.StepDone(protocol.StepWrite)
	for _, s := range []protocol.Step{protocol.StepVerify, protocol.StepTable} {
		t.Report.StepBegun(s)
		t.Report.StepDone(s)
	}
	return protocol.Result{BytesWritten: 400, BytesVerified: 400}, nil
}

func (e *press) presses() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.pressed)
}

// host is an agent under test with everything around it.
type host struct {
	t      *testing.T
	data   string
	srv    *server
	rack   *rack
	engine *press
	files  capture.Folders
	state  *State
	spool  *spool.Spool

	agent *Agent
	kill  context.CancelFunc
	stop  chan struct{}
	ended chan error
}

// inBubble runs a test on a clock of its own with an enrolled host.
func inBubble(t *testing.T, test func(t *testing.T, h *host)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &host{t: t, data: t.TempDir(), srv: newServer(t), rack: newRack("1-1", "1-2"), engine: new(press)}
		var err error
		h.state, err = Enroll(t.Context(), &Enrollment{Data: h.data, URL: "http://server", Token: "t", Name: "bench", Dial: h.srv.dial})
		if err != nil {
			t.Fatal(err)
		}
		defer h.srv.close()
		defer func() {
			if h.kill != nil {
				h.die()
			}
		}()
		test(t, h)
	})
}

// start runs the agent, as after a boot: whatever ran before is gone.
func (h *host) start() {
	h.t.Helper()
	var err error
	if h.spool, err = spool.Open(filepath.Join(h.data, SpoolDir), slog.New(slog.DiscardHandler)); err != nil {
		h.t.Fatal(err)
	}
	h.agent, err = New(Config{
		Records: record.Open(filepath.Join(h.data, "records"), record.DefaultLimit),
		State:   h.state, Version: "test", Capabilities: []string{protocol.CapPress},
		Devices: h.rack, Engine: h.engine, Files: h.files, Spool: h.spool,
		Cache: cache.Config{Dir: filepath.Join(h.data, "cache")},
		Clock: backoff.System{}, Rand: func() float64 { return 0.5 }, Log: slog.New(slog.DiscardHandler), Dial: h.srv.dial,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	var ctx context.Context
	ctx, h.kill = context.WithCancel(context.Background())
	h.stop, h.ended = make(chan struct{}), make(chan error, 1)
	go func() { h.ended <- h.agent.Run(ctx, h.stop) }()
	synctest.Wait()
}

// die is a kill as far as the journal is concerned: nothing more is written.
func (h *host) die() {
	h.kill()
	if err := <-h.ended; err != nil {
		h.t.Error(err)
	}
	h.kill = nil
}

func (h *host) wantEnd(want error) {
	h.t.Helper()
	synctest.Wait()
	select {
	case err := <-h.ended:
		if !errors.Is(err, want) {
			h.t.Fatalf("Run returned %v, want %v", err, want)
		}
	default:
		h.t.Fatal("Run goes on")
	}
	h.kill()
	h.kill = nil
}

func (h *host) send(m protocol.Message) {
	h.t.Helper()
	h.srv.peer().send(h.t, m)
	synctest.Wait()
}

func ref(n, attempt int) protocol.AttemptRef {
	return protocol.AttemptRef{BuildID: fmt.Sprintf("build_%d", n), Attempt: attempt}
}

// assignment is one build for each port given.
func (h *host) assignment(ports ...string) *protocol.Assign {
	a := &protocol.Assign{
		JobID: "job_1", Image: h.srv.addBlob(100_000), Ticket: "ticket-1",
		Recipe: protocol.Recipe{Edition: 1, Layout: protocol.LayoutMBRDual, BootSignature: protocol.BootSignature2011},
	}
	for i, p := range ports {
		a.Builds = append(a.Builds, protocol.Build{
			BuildID: ref(i+1, 1).BuildID, Attempt: 1, StickID: fmt.Sprint("stick_", i+1), Identity: identity(p),
			AnswerFile: "secret-" + p,
		})
	}
	return a
}

const wholeStory = "accepted preflight< preflight> fetch< fetch> master< master> write< touched write> verify< verify> table< table> eject< eject> verified"

func (h *host) wantStory(r protocol.AttemptRef, want string) {
	h.t.Helper()
	synctest.Wait()
	if got := h.srv.story(r); got != want {
		h.t.Fatalf("%s/%d:\n got %s\nwant %s", r.BuildID, r.Attempt, got, want)
	}
}

// later lets the bubble's clock run.
func later(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
