package apitest

import (
	"sync/atomic"
	"time"
)

// Clock is a clock for api.Deps that stands still until a test moves it. The
// console's own work reads it meanwhile.
type Clock struct{ now atomic.Pointer[time.Time] }

// NewClock stands at a time.
func NewClock(at time.Time) *Clock {
	var c Clock
	c.now.Store(&at)
	return &c
}

// Now is the time that the clock shows.
func (c *Clock) Now() time.Time { return *c.now.Load() }

// Advance moves the clock, and returns what it shows then.
func (c *Clock) Advance(by time.Duration) time.Time {
	now := c.Now().Add(by)
	c.now.Store(&now)
	return now
}
