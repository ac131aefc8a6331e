package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/spool"
)

const (
	// maxLogLines is how many log lines one attempt may send.
	maxLogLines = 200
	// maxLogText is the length of one raw line, in bytes.
	maxLogText = 4 << 10
)

// errEnded is for whoever comes back to an attempt that was given up.
var errEnded = errors.New("the attempt has ended")

// attempt is one stick on its way. It is a stick.Reporter.
//
// Its context ends it, with a fault as the cause. Before the press that ends
// the attempt at once (nothing was written); from then on the engine ends it,
// because it has to leave the stick marked incomplete.
type attempt struct {
	protocol.AttemptRef
	r      *runner
	build  *protocol.Build
	ctx    context.Context
	cancel context.CancelCauseFunc
	after  <-chan struct{} // closed when the device's earlier users have left; nil without any
	done   chan struct{}   // closed when the end is in the journal
	left   chan struct{}   // closed when it is done and its earlier users have left

	mu       sync.Mutex
	opening  chan struct{} // closed when the device is open, or is not; nil before
	device   Device
	pressing bool
	ended    bool
	touched  bool
	fenced   bool
	lines    int
	meter    meter
	moved    time.Time // when the step last got on
}

// say puts an event that is not the last into the journal.
func (at *attempt) say(e protocol.Event) error {
	at.mu.Lock()
	silent := at.ended || at.fenced
	at.mu.Unlock()
	if silent {
		return nil
	}
	e.AttemptRef, e.At = at.AttemptRef, at.r.clock.Now().UTC()
	err := at.r.spool.Append(e)
	if errors.Is(err, spool.ErrEnded) {
		return nil // it ended just now
	}
	if err != nil {
		at.r.log.Error("could not write the journal", "build", at.BuildID, "event", e.Type, "err", err)
		at.r.checkBroken(err)
		f := protocol.WrapFault(err, protocol.FaultJournal)
		at.cancel(f)
		return f
	}
	at.r.wake()
	return nil
}

// StepBegun reports a step and begins its progress.
func (at *attempt) StepBegun(s protocol.Step) {
	at.Progress(s, 0, 0)
	_ = at.say(protocol.Event{Type: protocol.EventStepBegun, Step: s}) // cancels on failure
}

// StepDone reports the end of a step.
func (at *attempt) StepDone(s protocol.Step) {
	_ = at.say(protocol.Event{Type: protocol.EventStepDone, Step: s}) // cancels on failure
}

// Touched makes durable that the stick is about to change. When it returns an
// error nothing may be written.
func (at *attempt) Touched() error {
	if at.ctx.Err() != nil {
		return context.Cause(at.ctx)
	}
	at.mu.Lock()
	already := at.touched
	at.mu.Unlock()
	if already {
		return nil // pressed a second time because the master was damaged
	}
	if err := at.say(protocol.Event{Type: protocol.EventTouched}); err != nil {
		return err
	}
	at.r.found(&at.build.Identity, "")
	at.mu.Lock()
	at.touched = true
	ended := at.ended // and so nothing was said
	at.mu.Unlock()
	if ended || at.ctx.Err() != nil {
		return at.why()
	}
	return nil
}

// why is the reason for which an attempt goes on no more. One that was given up
// has ended a moment before its context.
func (at *attempt) why() error {
	if err := context.Cause(at.ctx); err != nil {
		return err
	}
	return errEnded
}

// Progress notes where the step is.
func (at *attempt) Progress(s protocol.Step, done, total int64) {
	at.mu.Lock()
	defer at.mu.Unlock()
	at.meter.set(s, done, total)
	at.moved = at.r.clock.Now()
}

// Log sends a line, if there were not too many.
func (at *attempt) Log(l protocol.LogLine) {
	at.mu.Lock()
	at.lines++
	n := at.lines
	at.mu.Unlock()
	switch {
	case n > maxLogLines:
		return
	case n == maxLogLines:
		l = protocol.LogLine{Level: "warn", Code: "log_truncated"}
	}
	if len(l.Text) > maxLogText {
		l.Text = l.Text[:maxLogText]
	}
	_ = at.say(protocol.Event{Type: protocol.EventLog, Log: &l}) // cancels on failure
}

// open begins the preflight: it waits until an earlier attempt of the build has
// left, claims the device with all its guards, and holds it.
func (at *attempt) open() (Device, error) { return at.openBy(at.r.devices.Open) }

// openToRead is open for a job that changes nothing.
func (at *attempt) openToRead() (Device, error) { return at.openBy(at.r.devices.OpenToRead) }

func (at *attempt) openBy(open func(context.Context, protocol.Identity) (Device, error)) (Device, error) {
	if err := at.enter(); err != nil {
		return nil, err
	}
	opened, ok := at.beginOpen()
	if !ok {
		return nil, at.why()
	}
	defer opened()
	d, err := open(at.ctx, at.build.Identity)
	if err != nil {
		return nil, err
	}
	if !at.hold(d) {
		return nil, at.why()
	}
	for _, where := range d.Unmounted() {
		at.Log(protocol.LogLine{Level: "info", Code: "unmounted", Params: map[string]string{"mount": where}})
	}
	at.looked(d.Device())
	return d, nil
}

// enter waits for the earlier users of the place, as long as one that does not
// hang can take, and begins the first step.
func (at *attempt) enter() error {
	if at.after != nil {
		select {
		case <-at.after:
		case <-at.ctx.Done():
		case <-at.r.clock.After(stallTime):
			return protocol.NewFault(protocol.FaultEarlierAttempt, "port", at.build.Identity.Port)
		}
	}
	if !at.alive() {
		return at.why()
	}
	at.StepBegun(protocol.StepPreflight)
	return nil
}

// beginOpen makes the attempt keep its place until opened, also if it ends before;
// false if it has ended.
func (at *attempt) beginOpen() (opened func(), ok bool) {
	at.mu.Lock()
	defer at.mu.Unlock()
	if at.ended {
		return nil, false
	}
	at.opening = make(chan struct{})
	return func() { close(at.opening) }, true
}

// hold keeps the open device until the press; it reports false, and closes
// it, if the attempt has ended meanwhile.
func (at *attempt) hold(d Device) bool {
	at.mu.Lock()
	defer at.mu.Unlock()
	if at.ended {
		at.r.close(d)
		return false
	}
	at.device = d
	return true
}

// press takes the device out for pressing; nil means that it has ended.
func (at *attempt) press() Device {
	at.mu.Lock()
	defer at.mu.Unlock()
	if at.ended || at.device == nil {
		return nil
	}
	at.pressing = true
	return at.device
}

// alive reports whether work for this attempt still makes sense.
func (at *attempt) alive() bool {
	at.mu.Lock()
	defer at.mu.Unlock()
	return !at.ended && at.ctx.Err() == nil
}

// over reports whether the attempt has ended; it may not have left yet.
func (at *attempt) over() bool {
	at.mu.Lock()
	defer at.mu.Unlock()
	return at.ended
}

// stop ends an attempt on the server's word.
func (at *attempt) stop(fenced bool) {
	f := protocol.NewFault(protocol.FaultCancelled)
	if fenced {
		f = protocol.NewFault(protocol.FaultFenced)
	}
	// In this order: an attempt that is silent must not be able to believe
	// that its Touched was written.
	at.cancel(f)
	at.mu.Lock()
	at.fenced = at.fenced || fenced
	at.mu.Unlock()
}

// interrupted runs when the attempt's context has ended.
func (at *attempt) interrupted() {
	at.mu.Lock()
	wait := at.pressing
	at.mu.Unlock()
	if !wait {
		at.fail(context.Cause(at.ctx))
	}
}

// fail ends the attempt with err; a fault of a cancellation ends it as
// cancelled.
func (at *attempt) fail(err error) {
	f := *protocol.AsFault(err)
	e := protocol.Event{Type: protocol.EventFailed, Fault: &f}
	if f.Code == protocol.FaultCancelled || f.Code == protocol.FaultFenced {
		e.Type = protocol.EventCancelled
	}
	at.end(e)
}

// verified ends the attempt well.
func (at *attempt) verified(res protocol.Result) {
	at.end(protocol.Event{Type: protocol.EventVerified, Result: &res})
}

// end is the last event. Only the first call counts.
func (at *attempt) end(e protocol.Event) {
	at.mu.Lock()
	if at.ended {
		at.mu.Unlock()
		return
	}
	at.ended = true
	if e.Fault != nil {
		e.Fault.Touched = e.Fault.Touched || at.touched
	}
	device := at.device
	at.device = nil
	at.mu.Unlock()
	if device != nil {
		at.r.close(device)
	}
	e.AttemptRef, e.At = at.AttemptRef, at.r.clock.Now().UTC()
	at.r.persistEnd(e)
	close(at.done)
	at.cancel(nil)
	at.r.release(at)
}
