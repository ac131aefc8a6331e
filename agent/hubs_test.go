package agent

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stickpress/stickpress/agent/backoff"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
)

func TestHubsOf(t *testing.T) {
	t.Parallel()
	for port, want := range map[string][]string{
		"1-2.3.1": {"1-2.3", "1-2", "usb1"}, "2-4": {"usb2"}, "stick.img": nil, "": nil,
	} {
		if got := hubsOf(port); !slices.Equal(got, want) {
			t.Errorf("%q hangs on %v, want %v", port, got, want)
		}
	}
}

func gone(port string) *protocol.Fault {
	f := protocol.NewFault(protocol.FaultDeviceGone, "port", port)
	f.Touched = true
	return f
}

// Sticks that vanish together are one hub's doing; one that a person pulls out
// is not, nor one that fails.
func TestVanishedAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after map[string]time.Duration // when each is gone
		want  map[string]string        // hub by port, "" for none
	}{
		"one alone":                {map[string]time.Duration{"1-1.1": 0}, map[string]string{"1-1.1": ""}},
		"a hub":                    {map[string]time.Duration{"1-1.1": 0, "1-1.2": time.Second}, map[string]string{"1-1.1": "1-1", "1-1.2": "1-1"}},
		"one after the other":      {map[string]time.Duration{"1-1.1": 0, "1-1.2": 5 * time.Second}, map[string]string{"1-1.1": "", "1-1.2": ""}},
		"the hub above two hubs":   {map[string]time.Duration{"1-1.1.1": 0, "1-1.2.1": 0}, map[string]string{"1-1.1.1": "1-1", "1-1.2.1": "1-1"}},
		"two by hand":              {map[string]time.Duration{"1-1": 0, "1-2": 0}, map[string]string{"1-1": "", "1-2": ""}},
		"a controller":             {map[string]time.Duration{"1-1": 0, "1-2": 0, "1-3.1": 0}, map[string]string{"1-1": "usb1", "1-2": "usb1", "1-3.1": "usb1"}},
		"a hub and one beside it":  {map[string]time.Duration{"1-1.1": 0, "1-1.2": 0, "2-5.1": 0}, map[string]string{"1-1.1": "1-1", "1-1.2": "1-1", "2-5.1": ""}},
		"two units of one reader":  {map[string]time.Duration{"1-1.1": 0}, map[string]string{"1-1.1": ""}},
		"names are no mere prefix": {map[string]time.Duration{"1-1.1": 0, "1-11.1": 0}, map[string]string{"1-1.1": "", "1-11.1": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHubs(backoff.System{})
				var all sync.WaitGroup
				var mu sync.Mutex
				warned := map[string]int{}
				for port, after := range c.after {
					h.use(port)
					all.Go(func() {
						time.Sleep(after)
						id := &protocol.Identity{Kind: protocol.KindUSB, Port: port}
						err := h.explain(t.Context(), id, gone(port), func(hub string, _ []string, _ int) {
							mu.Lock()
							warned[hub]++
							mu.Unlock()
						})
						f := protocol.AsFault(err)
						if want := c.want[port]; f.Params["hub"] != want || (f.Code == protocol.FaultHubPower) != (want != "") || !f.Touched {
							t.Errorf("%s: %v, want hub %q", port, f, want)
						}
					})
				}
				all.Wait()
				for hub, n := range warned {
					if n != 1 {
						t.Errorf("%s was called weak %d times", hub, n)
					}
				}
			})
		})
	}
}

// On a weak hub half of the sticks are at work at a time; elsewhere nobody
// waits, and when the last one has left the hub is as good as any.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHubs(backoff.System{})
		ports := []string{"1-1.1", "1-1.2", "1-1.3", "1-1.4", "1-1.5.1", "1-1.5.2"}
		left := map[string]func(){}
		for _, p := range ports {
			left[p] = h.use(p)
		}
		most := 0
		var lost sync.WaitGroup
		for _, p := range ports[:2] {
			lost.Go(func() {
				_ = h.explain(t.Context(), &protocol.Identity{Kind: protocol.KindUSB, Port: p}, gone(p), func(_ string, _ []string, n int) { most = n })
				left[p]()
			})
		}
		lost.Wait()
		if most != 3 {
			t.Fatalf("%d at a time, want 3", most)
		}
		var mu sync.Mutex
		now, peak := 0, 0
		var all sync.WaitGroup
		for _, p := range append(ports[2:], "2-9.1") {
			d := sticktest.New(1<<20, 512)
			d.Before = func(sticktest.Op, int, int64, int64) error {
				if p == "2-9.1" {
					return nil
				}
				mu.Lock()
				now++
				peak = max(peak, now)
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				now--
				mu.Unlock()
				return nil
			}
			taker := &turnTaker{Device: d, hubs: h, port: p, ctx: t.Context()}
			all.Go(func() {
				begun, own := time.Now(), taker.now()
				for range 4 {
					if _, err := taker.WriteAt(nil, 0); err != nil {
						t.Error(err)
					}
				}
				want := 4 * time.Second
				if p == "2-9.1" {
					want = 0
				}
				if took := taker.now().Sub(own); took != want || time.Since(begun) < want {
					t.Errorf("%s took %v of its own in %v", p, took, time.Since(begun))
				}
			})
		}
		all.Wait()
		if peak != 3 {
			t.Errorf("%d at a time, want 3", peak)
		}
		for _, p := range ports[2:] {
			left[p]()
		}
		if len(h.turns)+len(h.users) != 0 {
			t.Errorf("left behind: %v, %v", h.turns, h.users)
		}
	})
}

// A stick that hangs in its turn holds up its neighbours once, not at each of
// their transfers.
func TestTurnOfAStickThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHubs(backoff.System{})
		h.use("1-1.1")
		h.turns["1-1"] = make(turn, 1)
		hung := h.await("1-1.1")
		begun := time.Now()
		for range 5 {
			h.await("1-1.2")()
		}
		if waited := time.Since(begun); waited != turnPatience {
			t.Errorf("waited %v", waited)
		}
		// It comes back: its turn is over already, and nobody else's ends.
		other := h.await("1-1.2")
		hung()
		if len(h.turns["1-1"]) != 1 {
			t.Error("a stick ended the turn of another")
		}
		other()
	})
}

// A stick that is fenced off while it waits for its turn is not written; one that
// is cancelled may still have its table wiped.
func TestFencedOffWhileItWaits(t *testing.T) {
	t.Parallel()
	for code, writes := range map[string]int{protocol.FaultFenced: 0, protocol.FaultCancelled: 1} {
		synctest.Test(t, func(t *testing.T) {
			h := newHubs(backoff.System{})
			h.turns["1-1"] = make(turn, 1)
			other := h.await("1-1.1")
			ctx, end := context.WithCancelCause(t.Context())
			d := sticktest.New(1<<20, 512)
			taker := &turnTaker{Device: d, hubs: h, port: "1-1.2", ctx: ctx}
			wrote := make(chan error)
			go func() {
				_, err := taker.WriteAt(make([]byte, 512), 0)
				wrote <- err
			}()
			synctest.Wait()
			end(protocol.NewFault(code))
			other()
			if err := <-wrote; (err == nil) != (writes > 0) || d.Count(sticktest.Write) != writes {
				t.Errorf("%s: %v, %d writes", code, err, d.Count(sticktest.Write))
			}
		})
	}
}

// In a job: both sticks end with the hub's fault, and the third is told.
func TestHubPower(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		ports := []string{"1-4.1", "1-4.2", "1-4.3"}
		for _, p := range ports {
			h.rack.devices[p] = &fakeDevice{id: identity(p), size: 30 * gib, sector: 512}
		}
		h.engine.outcome = func(_ int, answer string) error {
			if slices.Contains([]string{"secret-1-4.1", "secret-1-4.2"}, answer) {
				return gone("")
			}
			time.Sleep(time.Minute)
			return nil
		}
		h.start()
		h.send(h.assignment(ports...))
		later(2 * time.Minute)
		begun := "accepted preflight< preflight> fetch< fetch> master< master> write< touched "
		h.wantStory(ref(1, 1), begun+"failed:hub_power:touched")
		h.wantStory(ref(2, 1), begun+"failed:hub_power:touched")
		h.wantStory(ref(3, 1), begun+"log:hub_reduced write> verify< verify> table< table> eject< eject> verified")
	})
}
