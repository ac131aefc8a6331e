package agent

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

const (
	// stallTime is how long a stick may make no progress before an agent that
	// stops gives it up. The kernel's own patience is half of that: five
	// tries of a command, 30 s each.
	stallTime = 5 * time.Minute
	// stallPoll is how often a stopping agent looks for such sticks.
	stallPoll = 10 * time.Second
)

// stopAll ends every attempt with f.
func (r *runner) stopAll(f *protocol.Fault) {
	for _, at := range r.sorted() {
		at.cancel(f)
	}
}

// drain takes no more work, gives up what waits for image bytes, and returns
// a channel that is closed when the rest is done. A stick that hangs is given
// up: the process may end then, although its job has not. It may be called
// again.
func (r *runner) drain() <-chan struct{} {
	r.taking.Lock()
	r.stopping = true
	r.taking.Unlock()
	r.soften(protocol.NewFault(protocol.FaultRestart, "step", protocol.StepFetch))
	idle, done := make(chan struct{}), make(chan struct{})
	go func() {
		r.jobs.Wait()
		close(idle)
	}()
	go func() {
		defer close(done)
		for !r.gaveUp.Load() || r.running() > 0 {
			select {
			case <-idle:
				return
			case <-r.clock.After(stallPoll):
				r.giveUpStalled()
			}
		}
	}()
	return done
}

// giveUpStalled ends the attempts that hang in the kernel, as far as words can.
func (r *runner) giveUpStalled() {
	for _, at := range r.sorted() {
		if f := at.stalled(r.clock.Now()); f != nil {
			r.log.Error("a stick does not answer and is given up", "build", at.BuildID, "err", f)
			r.gaveUp.Store(true)
			at.giveUp(f)
		}
	}
}

// stalled is why the attempt is to be given up, or nil. One that waits for its
// image or its master does not hang in its device.
func (at *attempt) stalled(now time.Time) *protocol.Fault {
	at.mu.Lock()
	defer at.mu.Unlock()
	m := &at.meter
	if now.Sub(at.moved) < stallTime || m.step == protocol.StepFetch || m.step == protocol.StepMaster {
		return nil
	}
	if !at.pressing {
		return protocol.NewFault(protocol.FaultRestart, "step", cmp.Or(m.step, protocol.StepPreflight))
	}
	err := fmt.Errorf("no progress in step %s for %v, after %d of %d bytes", m.step, stallTime, m.done, m.total)
	return protocol.WrapFault(err, protocol.FaultWrite, "offset", m.done, "path", "")
}

// giveUp ends the attempt with f, or with what it was already told to end
// with. Its device stays open: closing it could hang too, and nobody may use
// it before this process has ended.
func (at *attempt) giveUp(f *protocol.Fault) {
	at.mu.Lock()
	at.device = nil
	at.mu.Unlock()
	if cause := context.Cause(at.ctx); cause != nil {
		at.fail(cause)
		return
	}
	at.fail(f)
}
