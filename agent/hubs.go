package agent

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stickpress/stickpress/agent/backoff"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
)

const (
	// atOnce is how close together sticks must vanish for that to be their
	// hub's doing: the kernel notices all of them within a moment.
	atOnce = 2 * time.Second
	// turnPatience bounds a turn at a weak hub, and the wait for one: a stick
	// that hangs in its turn loses it, and holds up the others once and not at
	// each of their transfers.
	turnPatience = 10 * time.Second
)

// hubs tells sticks that were pulled out from sticks whose hub lost its power:
// several of those vanish at once. On such a hub fewer sticks are at work at a
// time from then on, until none is left there.
type hubs struct {
	clock backoff.Clock

	mu    sync.Mutex
	users map[string]int  // attempts that are pressed, by port
	lost  []lostStick     // within the last moments
	turns map[string]turn // of weak hubs, by hub
}

type lostStick struct {
	port string
	at   time.Time
}

func newHubs(clock backoff.Clock) *hubs {
	return &hubs{clock: clock, users: map[string]int{}, turns: map[string]turn{}}
}

// turn hands out the right to transfer: it holds as many tokens as sticks may
// be at work.
type turn chan struct{}

// hubsOf lists the hubs above a port, nearest first: "1-2.3.1" hangs on 1-2.3,
// that on 1-2, that on the controller's bus usb1.
func hubsOf(port string) (above []string) {
	bus, chain, ok := strings.Cut(port, "-")
	if !ok {
		return nil
	}
	for {
		i := strings.LastIndexByte(chain, '.')
		if i < 0 {
			return append(above, "usb"+bus)
		}
		chain = chain[:i]
		above = append(above, bus+"-"+chain)
	}
}

// use counts a stick that is pressed; done ends that.
func (h *hubs) use(port string) (done func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users[port]++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.users[port]--; h.users[port] == 0 {
			delete(h.users, port)
		}
		for hub := range h.turns {
			if h.running(hub) == 0 {
				delete(h.turns, hub)
			}
		}
	}
}

// running counts the sticks that are pressed below a hub.
func (h *hubs) running(hub string) (n int) {
	for port, users := range h.users {
		if slices.Contains(hubsOf(port), hub) {
			n += users
		}
	}
	return n
}

// explain returns why a stick ended. One that is gone waits a moment for others
// that go with it; if some do, it is hub_power, and weak is called once with
// the hub, the ports of those and how many sticks may be at work there now.
func (h *hubs) explain(ctx context.Context, id *protocol.Identity, err error, weak func(hub string, lost []string, most int)) error {
	var f *protocol.Fault
	if id.Kind != protocol.KindUSB || !errors.As(err, &f) || f.Code != protocol.FaultDeviceGone {
		return err
	}
	h.mu.Lock()
	now := h.clock.Now()
	h.lost = append(slices.DeleteFunc(h.lost, func(l lostStick) bool { return now.Sub(l.at) > 2*atOnce }), lostStick{id.Port, now})
	h.mu.Unlock()
	if backoff.Sleep(ctx, h.clock, atOnce) != nil {
		return err
	}
	h.mu.Lock()
	hub, ports := h.together(id.Port, now)
	most := 0
	if hub != "" && h.turns[hub] == nil {
		// Those that vanished are counted, too: it was too much with them.
		most = max(h.running(hub)/2, 1)
		h.turns[hub] = make(turn, most)
	}
	h.mu.Unlock()
	if hub == "" {
		return err
	}
	if most > 0 {
		weak(hub, ports, most)
	}
	power := protocol.WrapFault(err, protocol.FaultHubPower, "port", id.Port, "hub", hub, "ports", strings.Join(ports, ", "))
	power.Touched = f.Touched
	return power
}

// together finds the nearest hub whose sticks vanished with this one, and them.
// Two in a controller's own sockets are two that a person pulled out.
func (h *hubs) together(port string, at time.Time) (hub string, ports []string) {
	for _, hub := range hubsOf(port) {
		ports = nil
		for _, l := range h.lost {
			if l.at.Sub(at).Abs() <= atOnce && slices.Contains(hubsOf(l.port), hub) {
				ports = append(ports, l.port)
			}
		}
		slices.Sort(ports)
		ports = slices.Compact(ports)
		if len(ports) > 2 || len(ports) == 2 && !strings.HasPrefix(hub, "usb") {
			return hub, ports
		}
	}
	return "", nil
}

// await waits for a turn at every weak hub above the port, and returns how to
// end it. It ends by itself after turnPatience.
func (h *hubs) await(port string) (end func()) {
	var held []turn
	h.mu.Lock()
	weak := make([]string, 0, len(h.turns))
	for hub := range h.turns {
		if slices.Contains(hubsOf(port), hub) {
			weak = append(weak, hub)
		}
	}
	slices.SortFunc(weak, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	turns := make([]turn, 0, len(weak))
	for _, hub := range weak {
		turns = append(turns, h.turns[hub])
	}
	h.mu.Unlock()
	for _, t := range turns {
		select {
		case t <- struct{}{}:
			held = append(held, t)
		case <-h.clock.After(turnPatience):
		}
	}
	if len(held) == 0 {
		return func() {}
	}
	giveBack := sync.OnceFunc(func() {
		for _, t := range held {
			<-t
		}
	})
	over := make(chan struct{})
	go func() {
		select {
		case <-over:
		case <-h.clock.After(turnPatience):
			giveBack()
		}
	}()
	return func() {
		close(over)
		giveBack()
	}
}

// turnTaker is a stick.Device that transfers in its turn.
type turnTaker struct {
	stick.Device
	hubs   *hubs
	port   string
	ctx    context.Context // of the attempt
	waited atomic.Int64    // nanoseconds, for a turn to write
}

// ReadAt implements stick.Device.
func (d *turnTaker) ReadAt(p []byte, off int64) (int, error) {
	defer d.hubs.await(d.port)()
	return d.Device.ReadAt(p, off)
}

// WriteAt implements stick.Device. Whoever asked whether it may still write did
// so before the wait: what was fenced off meanwhile is another's now.
func (d *turnTaker) WriteAt(p []byte, off int64) (int, error) {
	begun := d.hubs.clock.Now()
	end := d.hubs.await(d.port)
	defer end()
	d.waited.Add(int64(d.hubs.clock.Now().Sub(begun)))
	if cause := context.Cause(d.ctx); errors.Is(cause, protocol.NewFault(protocol.FaultFenced)) {
		return 0, cause
	}
	return d.Device.WriteAt(p, off)
}

// now is a clock that stands still while the stick waits for its turn: that is
// no slowness of its own.
func (d *turnTaker) now() time.Time {
	return d.hubs.clock.Now().Add(-time.Duration(d.waited.Load()))
}
