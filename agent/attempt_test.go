package agent

import (
	"context"
	"errors"
	"testing"

	"github.com/stickpress/stickpress/agent/backoff"
	"github.com/stickpress/stickpress/agent/protocol"
)

// lateDevices open a device when its attempt has been given up.
type lateDevices struct {
	Devices
	rack *rack
	at   *attempt
}

func (l lateDevices) Open(ctx context.Context, id protocol.Identity) (Device, error) {
	l.at.mu.Lock()
	l.at.ended = true // its end is on its way into the journal
	l.at.mu.Unlock()
	return l.rack.Open(ctx, id)
}

// An attempt that was given up, whose device answers after all while its end
// is still being written: nothing is opened for it any more, and no byte is
// written.
func TestGivenUpAttemptGoesNoFurther(t *testing.T) {
	t.Parallel()
	devices := newRack("1-1")
	at := &attempt{
		r: &runner{clock: backoff.System{}, found: func(*protocol.Identity, string) {}}, ctx: context.Background(),
		build: &protocol.Build{Identity: identity("1-1")}, fenced: true, // it is silent
	}
	at.r.devices = lateDevices{rack: devices, at: at}
	if d, err := at.open(); !errors.Is(err, errEnded) || d != nil {
		t.Errorf("open: %v, %v", d, err)
	}
	if devices.devices["1-1"].open {
		t.Error("the device stays open")
	}
	if err := at.Touched(); !errors.Is(err, errEnded) {
		t.Errorf("the first byte may be written: %v", err)
	}
}
