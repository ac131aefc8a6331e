package agent

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/wipe"
)

// wipe brings all attempts of a JobWipe to their end. No stick waits for
// another.
func (j *job) wipe() {
	o := j.assign.Options.Wipe
	if o == nil || !slices.Contains(protocol.WipeMethods, o.Method) || o.Passes < 1 || o.Passes > protocol.MaxWipePasses {
		j.fail(j.attempts, protocol.NewFault(protocol.FaultKind, "kind", protocol.JobWipe))
		return
	}
	var all sync.WaitGroup
	for _, at := range j.attempts {
		all.Go(func() { j.erase(at, *o) })
	}
	all.Wait()
}

// erase wipes one stick and ends its attempt.
func (j *job) erase(at *attempt, o protocol.WipeOptions) {
	if _, err := at.openToFill(); err != nil {
		j.fail([]*attempt{at}, err)
		return
	}
	at.StepDone(protocol.StepPreflight)
	d := at.press()
	if d == nil {
		return // it ended meanwhile
	}
	err := context.Cause(at.ctx)
	if err == nil {
		err = d.Check()
	}
	if err != nil {
		at.fail(err)
		return
	}
	w := wipe.Wipe{Device: d, Options: o, Report: at, Rand: rand.Reader}
	res, err := w.Run(at.ctx)
	if err != nil {
		at.fail(err)
		return
	}
	(&ready{at: at, device: d}).eject(res)
}
