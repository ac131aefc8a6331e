// Package backoff spaces out tries of something that another machine has to
// be ready for.
//
// The waits double from Base to Cap, each one shortened by a random part, so
// that a thousand hosts that lost one server do not come back in one moment.
// The clock and the randomness are parameters: a test lives through an hour
// of waiting in no time.
package backoff

import (
	"context"
	"time"
)

// Clock tells the time and waits.
type Clock interface {
	Now() time.Time
	After(time.Duration) <-chan time.Time
}

// System is the machine's clock.
type System struct{}

// Now is time.Now.
func (System) Now() time.Time { return time.Now() }

// After is time.After.
func (System) After(d time.Duration) <-chan time.Time { return time.After(d) }

// Sleep waits for d, or returns the cause of ctx when that ends first.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case <-c.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Backoff is one series of waits. It is not safe for concurrent use.
type Backoff struct {
	Base time.Duration // first wait
	Cap  time.Duration // longest wait
	// Rand returns a number in [0, 1).
	Rand func() float64

	tries int
}

// Next returns how long to wait before the next try: between one half and the
// whole of Base·2ⁿ, but never more than Cap.
func (b *Backoff) Next() time.Duration {
	d := b.Base
	for range b.tries {
		if d >= b.Cap/2 {
			d = b.Cap
			break
		}
		d *= 2
	}
	b.tries++
	return d/2 + time.Duration(b.Rand()*float64(d-d/2))
}

// Reset begins again with Base: the other side has answered.
func (b *Backoff) Reset() { b.tries = 0 }
