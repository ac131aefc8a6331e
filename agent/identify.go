package agent

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/stickpress/stickpress/agent/backoff"
	"github.com/stickpress/stickpress/agent/protocol"
)

// identifier lets sticks flash.
type identifier struct {
	devices Devices
	busy    func(*protocol.Identity) bool // an attempt uses it
	clock   backoff.Clock
	log     *slog.Logger
	changed func() // the inventory may differ

	mu     sync.Mutex
	lights map[protocol.Identity]*light
	all    sync.WaitGroup
}

// light is one stick that flashes.
type light struct{ off context.CancelFunc }

// start takes an order; what it already knows flashes anew.
func (f *identifier) start(ctx context.Context, m *protocol.Identify) {
	id := m.Identity
	if f.busy(&id) {
		f.log.Info("a stick that is being written does not flash", "port", id.Port)
		return
	}
	over := time.Duration(min(max(m.Seconds, 1), protocol.MaxIdentifySeconds)) * time.Second
	ctx, off := context.WithCancel(ctx)
	l := &light{off}
	f.mu.Lock()
	if before := f.lights[id]; before != nil {
		before.off()
	}
	if f.lights == nil {
		f.lights = map[protocol.Identity]*light{}
	}
	f.lights[id] = l
	f.mu.Unlock()
	f.changed()
	f.all.Go(func() {
		defer off()
		f.all.Go(func() {
			defer off()
			_ = backoff.Sleep(ctx, f.clock, over)
		})
		err := f.devices.Blink(ctx, id, f.clock.Now, func(ctx context.Context, d time.Duration) error {
			if f.busy(&id) {
				return protocol.NewFault(protocol.FaultDeviceBusy, "path", id.Port)
			}
			return backoff.Sleep(ctx, f.clock, d)
		})
		if err != nil {
			f.log.Info("a stick stopped flashing", "port", id.Port, "err", err)
		}
		f.mu.Lock()
		if f.lights[id] == l {
			delete(f.lights, id)
		}
		f.mu.Unlock()
		f.changed()
	})
}

// blinking reports whether a stick flashes now.
func (f *identifier) blinking(id *protocol.Identity) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lights[*id] != nil
}
