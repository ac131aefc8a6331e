package agent

import (
	"context"
	"sync"

	"github.com/stickpress/stickpress/agent/protocol"
)

// verdicts are the server's answers to what was found on sticks.
type verdicts struct {
	send func(protocol.Message)

	mu    sync.Mutex
	asked map[protocol.FoundStick]chan *protocol.StickVerdict // of size 1
}

func newVerdicts(send func(protocol.Message)) *verdicts {
	return &verdicts{send: send, asked: map[protocol.FoundStick]chan *protocol.StickVerdict{}}
}

// ask waits for the server's word, over as many connections as it takes.
func (v *verdicts) ask(ctx context.Context, found protocol.FoundStick) error {
	answer := make(chan *protocol.StickVerdict, 1)
	v.mu.Lock()
	v.asked[found] = answer
	v.mu.Unlock()
	defer func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.asked, found)
	}()
	v.send(&found)
	select {
	case m := <-answer:
		if m.Fault != nil {
			return m.Fault
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// put takes an answer, if somebody waits for it.
func (v *verdicts) put(m *protocol.StickVerdict) {
	v.mu.Lock()
	defer v.mu.Unlock()
	select {
	case v.asked[m.FoundStick] <- m:
	default: // nobody, or a second answer
	}
}

// open lists the questions without an answer, for a new session.
func (v *verdicts) open() (out []protocol.Message) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for found := range v.asked {
		out = append(out, &found)
	}
	return out
}

// openToFill is open for a job that writes to the stick: what lies on it may be
// another's, and it may be another stick than is to be erased. Its own manifest
// says which, where the hardware could not. That needs the server, so only that is
// given up when the agent stops.
func (at *attempt) openToFill() (Device, error) {
	d, err := at.open()
	if err != nil || !at.build.AskFound {
		return d, err
	}
	id, err := at.r.engine.Found(d)
	if err != nil || id == "" || id == at.build.StickID {
		return d, err
	}
	at.r.found(&at.build.Identity, id)
	ctx, cancel := context.WithCancelCause(at.ctx)
	defer cancel(nil)
	stop := context.AfterFunc(at.r.soft, func() { cancel(context.Cause(at.r.soft)) })
	defer stop()
	return d, at.r.verdicts.ask(ctx, protocol.FoundStick{AttemptRef: at.AttemptRef, StickID: id})
}
