// Package agent runs on an imaging host: it connects to its server, takes
// assignments, presses the sticks and reports what happened.
//
// How to read it, in the order of a build:
//
//   - connect.go keeps a connection, handshake.go opens one, session.go reads
//     and writes it. A connection may end at any moment; nothing depends on it.
//   - runner.go takes an assignment, job.go brings it from the image to a
//     master, press.go from the master to the sticks, attempt.go is one stick;
//     drain.go ends all that. Jobs of other kinds have a file each; records.go
//     has what verify.go compares with.
//   - everything that happens is an event in the spool first (package spool);
//     a session only carries what waits there. Progress and the inventory are
//     not history: a session sends the newest.
//   - state.go and enroll.go: who this host is and whom it trusts.
//
// The agent never presses a stick because it was restarted: what a crash
// interrupted is reported as failed, and a person decides.
package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/stickpress/stickpress/agent/backoff"
	"github.com/stickpress/stickpress/agent/cache"
	"github.com/stickpress/stickpress/agent/capture"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/record"
	"github.com/stickpress/stickpress/agent/spool"
	"github.com/stickpress/stickpress/agent/stick"
	"github.com/stickpress/stickpress/agent/upload"
)

// ErrRevoked is returned by Run when the server has removed this host. The
// agent must not be started again before it was enrolled again.
var ErrRevoked = errors.New("this host was revoked by its server")

// flushTime is how long a stopping agent waits for its last events to be
// acknowledged. They are not lost after that, only late.
const flushTime = 10 * time.Second

// Config is what an Agent is made of; every field is required unless it says
// otherwise.
type Config struct {
	State        *State
	Version      string   // of this program
	Capabilities []string // protocol.CapPress and so on
	Devices      Devices
	Engine       Engine
	Files        capture.Folders // whose files may be captured; may be empty
	Spool        *spool.Spool
	// Cache describes the cache; Client, URL, Clock, Rand, Log, Sweep and Leave are
	// filled in by New.
	Cache cache.Config
	// Records are where this host remembers the sticks that it wrote.
	Records *record.Store
	Clock   backoff.Clock
	Rand    func() float64 // in [0, 1), for jitter
	Log     *slog.Logger
	// Dial opens connections; nil dials TCP.
	Dial Dial
}

// Agent is one running agent. Run may be called once.
type Agent struct {
	cfg     Config
	tls     *tls.Config
	close   func()
	runner  *runner
	lights  *identifier
	tickets *tickets
	records *records

	verdicts *verdicts
	devices  *inventory
	acked    chan struct{} // an Ack came, or the session ended

	mu      sync.Mutex
	session *session
}

// New prepares an agent. It opens the cache and touches nothing else.
func New(cfg Config) (*Agent, error) {
	trust, err := cfg.State.TLS()
	if err != nil {
		return nil, err
	}
	client, closeClient := newClient(trust, cfg.Dial)
	a := &Agent{cfg: cfg, tls: trust, acked: make(chan struct{}, 1)}
	c := cfg.Cache
	c.Client, c.URL, c.Clock, c.Rand, c.Log = client, cfg.State.URL, cfg.Clock, cfg.Rand, cfg.Log
	c.Sweep, c.Leave = stick.Sweep, capture.Sweep
	blobs, err := cache.Open(c)
	if err != nil {
		return nil, err
	}
	a.close = func() { blobs.Close(); closeClient() }
	a.tickets = newTickets(func(m protocol.Message) { a.send(m) })
	a.records = newRecords(cfg.Records, func(m protocol.Message) { a.send(m) }, cfg.Log)
	a.verdicts = newVerdicts(func(m protocol.Message) { a.send(m) })
	a.devices = newInventory(cfg.Devices, cfg.Files, blobs.Used, cfg.Log, a.wake)
	a.runner = newRunner(&runner{
		spool: cfg.Spool, healthy: cfg.Spool.Healthy, cache: blobs, files: cfg.Files, devices: cfg.Devices, engine: cfg.Engine, tickets: a.tickets, records: a.records, verdicts: a.verdicts,
		uploads: upload.New(upload.Config{Client: client, URL: cfg.State.URL, Clock: cfg.Clock, Rand: cfg.Rand, Log: cfg.Log}),
		clock:   cfg.Clock, log: cfg.Log, changed: a.devices.nudge, found: a.devices.found, wake: a.wake,
	})
	a.devices.busy = a.runner.busy
	a.lights = &identifier{devices: cfg.Devices, busy: a.runner.busy, clock: cfg.Clock, log: cfg.Log, changed: a.devices.nudge}
	a.devices.blinking = a.lights.blinking
	return a, nil
}

// Run works until it is told to end.
//
// A closed stop is the friendly way: no new work is taken, sticks whose master
// is being made or that are being written are finished, those that still wait
// for image bytes fail untouched, and Run returns nil. The end of ctx is the
// hard way: sticks stop after the write that is under way, and the next start
// reports what was left. Either way a stick that does not answer for five
// minutes is given up; Run then returns while a goroutine still hangs in its
// device, and the process should end.
// ErrRevoked means that the server does not want this host any more;
// spool.ErrBroken that the disk below the journal failed: sticks stop, and the
// next start reports them.
func (a *Agent) Run(ctx context.Context, stop <-chan struct{}) error {
	defer a.close()
	if err := a.reportInterrupted(); err != nil {
		return err
	}
	a.devices.refresh(ctx)
	bg, cancel := context.WithCancel(ctx)
	var loops sync.WaitGroup
	defer func() {
		cancel()
		a.runner.abandon()
		loops.Wait()
		a.lights.all.Wait()
		<-a.runner.drain()
	}()
	loops.Go(func() { a.devices.run(bg) })
	loops.Go(func() { a.progressLoop(bg) })
	end := make(chan error, 1)
	loops.Go(func() { end <- a.connectLoop(bg) })

	var drained <-chan struct{}
	for {
		select {
		case err := <-end:
			return a.revoked(ctx, err)
		case err := <-a.runner.fatal:
			return err
		case <-ctx.Done():
			return nil
		case <-stop:
			a.cfg.Log.Info("stopping: sticks that were begun are finished first", "attempts", a.runner.running())
			stop, drained = nil, a.runner.drain()
		case <-drained:
			a.flush(ctx)
			return nil
		}
	}
}

// revoked stops the sticks and says why it ends.
func (a *Agent) revoked(ctx context.Context, err error) error {
	if !errors.Is(err, ErrRevoked) {
		return err
	}
	a.cfg.Log.Error("the server has revoked this host; enrol it again to use it", "server", a.cfg.State.URL)
	a.runner.stopAll(protocol.NewFault(protocol.FaultRevoked))
	select {
	case <-a.runner.drain():
	case <-ctx.Done():
	}
	return ErrRevoked
}

// reportInterrupted ends every attempt that the last run did not. They are
// never begun again.
func (a *Agent) reportInterrupted() error {
	for _, at := range a.cfg.Spool.Unended() {
		f := protocol.NewFault(protocol.FaultRestart, "step", at.Step)
		f.Touched = at.Touched
		a.cfg.Log.Warn("the last run left a build behind", "build", at.BuildID, "attempt", at.Attempt, "step", at.Step, "touched", at.Touched)
		e := protocol.Event{AttemptRef: at.AttemptRef, Type: protocol.EventFailed, At: a.cfg.Clock.Now().UTC(), Fault: f}
		if err := a.cfg.Spool.Append(e); err != nil {
			return fmt.Errorf("report build %s, which the last run left behind: %w", at.BuildID, err)
		}
	}
	return nil
}

// flush gives the last events a moment to be acknowledged.
func (a *Agent) flush(ctx context.Context) {
	late := a.cfg.Clock.After(flushTime)
	for a.connected() {
		if a.cfg.Spool.Waiting() == 0 {
			return
		}
		select {
		case <-a.acked:
		case <-late:
			a.cfg.Log.Info("stopped with unacknowledged events, they are sent at the next start", "events", a.cfg.Spool.Waiting())
			return
		case <-ctx.Done():
			return
		}
	}
}

// progressLoop lets the session send progress, at most twice a second.
func (a *Agent) progressLoop(ctx context.Context) {
	for backoff.Sleep(ctx, a.cfg.Clock, progressEvery) == nil {
		if a.connected() && a.runner.sample() {
			a.wake()
		}
	}
}

func (a *Agent) connected() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.session != nil
}

// wake tells the session, if there is one, that there is something to send.
func (a *Agent) wake() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.session != nil {
		a.session.wakeUp()
	}
}

// send puts m into the session's queue, if there is one.
func (a *Agent) send(m protocol.Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.session != nil {
		a.session.queueUp(m)
	}
}
