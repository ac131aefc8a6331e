package api

import (
	"context"
	"errors"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// Repeatable is a request that came with an Idempotency-Key: whatever it
// changes, it changes once. A door begins it, runs the use case with As, and
// ends it with what it answered.
//
// The rule, for every door and every use case: the key belongs to the actor; it
// is held while the request is under way; the transaction of the change notes
// that the request is done, and is rolled back if somebody else holds it by
// then. So it does not matter when a program dies: before the commit nothing
// happened and the key is free within half a minute, after it the change is known
// even if the reply was never kept. A request that was refused changed nothing,
// and frees its key at once.
type Repeatable struct {
	console *Console
	held    *store.HeldRequest
	stop    context.CancelFunc
	// Before is what the same request did before; then there is nothing to run.
	Before *store.DoneRequest
}

// Repeatable begins a request of an actor under a key. The fingerprint is a
// digest of all that makes the request what it is. Faults:
// idempotency_in_flight (retry_seconds) while the same request is under way,
// idempotency_reused if the key came with another.
func (c *Console) Repeatable(ctx context.Context, a Actor, key string, fingerprint []byte) (*Repeatable, error) {
	by, err := a.by()
	if err != nil {
		return nil, err
	}
	held, before, err := c.store.HoldRequest(ctx, by.String(), key, fingerprint)
	if err != nil {
		return nil, err
	}
	r := &Repeatable{console: c, held: held, Before: before}
	if held != nil {
		var holding context.Context
		holding, r.stop = context.WithCancel(context.WithoutCancel(ctx))
		go r.hold(holding)
	}
	return r, nil
}

// hold says now and then that the request is still under way.
func (r *Repeatable) hold(ctx context.Context) {
	every := time.NewTicker(store.RequestHold)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			if err := r.console.store.StillHeld(ctx, r.held); err != nil && ctx.Err() == nil {
				r.console.log.WarnContext(ctx, "a repeatable request is not held on", "error", err)
			}
		}
	}
}

// As is the actor whose changes are those of the request.
func (r *Repeatable) As(a Actor) Actor {
	a.repeatable = r.held
	return a
}

// Answered ends the request with its reply.
func (r *Repeatable) Answered(ctx context.Context, reply store.Reply) error {
	r.stop()
	return r.console.store.KeepReply(ctx, r.held, reply)
}

// Failed ends a request that was refused, or whose outcome is not known: what it
// changed, if anything, stays known.
func (r *Repeatable) Failed(ctx context.Context) error {
	r.stop()
	return r.console.store.LetGo(ctx, r.held)
}

// once runs a use case that comes with a key of its own (a form that may be sent
// twice) and returns the IDs of what it changed, now or before. A request under
// way is waited for.
func (c *Console) once(ctx context.Context, a Actor, key string, fingerprint []byte, do func(Actor) error) ([]string, error) {
	var r *Repeatable
	for {
		var err error
		if r, err = c.Repeatable(ctx, a, key, fingerprint); err == nil {
			break
		}
		if !errors.Is(err, fault.New(fault.KindConflict, store.CodeIdempotencyInFlight)) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(onceAgain):
		}
	}
	if r.Before != nil {
		return r.Before.Objects, nil
	}
	if err := do(r.As(a)); err != nil {
		if failed := r.Failed(context.WithoutCancel(ctx)); failed != nil {
			c.log.WarnContext(ctx, "a key is not let go", "error", failed)
		}
		return nil, err
	}
	r.stop()
	return nil, nil
}

// onceAgain is the pause before the next look at a request under way.
const onceAgain = 100 * time.Millisecond
