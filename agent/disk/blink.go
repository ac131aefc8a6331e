//go:build linux || windows

package disk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

// A light that flickers all the time is taken for a stick at work; one that
// goes on and off slowly is seen from the other end of a room.
const (
	blinkOn    = 600 * time.Millisecond
	blinkOff   = 400 * time.Millisecond
	blinkBlock = 256 << 10 // bytes of one read
)

// Blink makes the light of a device flash by reading from it, until ctx ends;
// that is no error. It reads at random places, so that no cache answers, and
// changes nothing. pause waits for the time given, or returns an error when
// ctx has ended.
//
// Faults: device_gone if nothing is at that place, device_changed if something
// else is, device_busy if an attempt holds it, now or in the middle;
// device_no_medium, device_not_removable for internal disks.
func (l *Lister) Blink(ctx context.Context, want protocol.Identity, now func() time.Time, pause func(context.Context, time.Duration) error) error {
	c, err := l.findToBlink(ctx, want)
	if err != nil {
		return err
	}
	f, err := openBlink(c)
	if err != nil {
		return openFault(c, err)
	}
	defer f.Close()
	b := aligned(blinkBlock)
	blocks := max(1, c.Bytes/blinkBlock)
	for ctx.Err() == nil {
		for begun := now(); ctx.Err() == nil && now().Sub(begun) < blinkOn; {
			if l.held(c.Path) {
				return protocol.NewFault(protocol.FaultDeviceBusy, "path", c.Path)
			}
			if _, err := f.ReadAt(b, rand.Int64N(blocks)*blinkBlock); err != nil {
				return l.blinkFault(ctx, c, err)
			}
		}
		if err := pause(ctx, blinkOff); err != nil {
			break
		}
	}
	return nil
}

func (l *Lister) blinkFault(ctx context.Context, c *candidate, err error) error {
	if _, gone := l.findToBlink(ctx, c.Identity); gone != nil {
		return protocol.WrapFault(err, protocol.FaultDeviceGone, "port", c.Port)
	}
	return fmt.Errorf("read %s: %w", c.Path, err)
}
