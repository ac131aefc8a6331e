//go:build linux || windows

package disk

import (
	"context"
	"time"
)

// blinker is a clock that moves when it is looked at, and counts pauses.
type blinker struct {
	now    time.Time
	pauses int
	each   func()
}

func (b *blinker) Now() time.Time {
	b.now = b.now.Add(50 * time.Millisecond)
	return b.now
}

func (b *blinker) pause(ctx context.Context, _ time.Duration) error {
	b.pauses++
	if b.each != nil {
		b.each()
	}
	return ctx.Err()
}
