package agent

import (
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

// flashed is how often a port's stick flashed, and whether the newest inventory
// says that one does.
func (h *host) flashed(port string) (times int, now bool) {
	h.rack.mu.Lock()
	for _, p := range h.rack.flashes {
		if p == port {
			times++
		}
	}
	h.rack.mu.Unlock()
	h.srv.mu.Lock()
	defer h.srv.mu.Unlock()
	for _, d := range h.srv.invs[len(h.srv.invs)-1].Devices {
		now = now || d.Port == port && d.Blinking
	}
	return times, now
}

func TestIdentify(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.start()
		h.send(&protocol.Identify{Identity: identity("1-1"), Seconds: 5})
		later(2500 * time.Millisecond)
		if n, now := h.flashed("1-1"); n != 3 || !now {
			t.Errorf("after 2.5 s: %d flashes, shown: %v", n, now)
		}
		// Asked again, it begins anew and ends five seconds later.
		h.send(&protocol.Identify{Identity: identity("1-1"), Seconds: 5})
		later(4 * time.Second)
		if _, now := h.flashed("1-1"); !now {
			t.Error("the first order ended the second one")
		}
		later(2 * time.Second)
		n, now := h.flashed("1-1")
		if now {
			t.Error("it flashes after its time")
		}
		later(time.Minute)
		if more, _ := h.flashed("1-1"); more != n {
			t.Errorf("%d flashes became %d", n, more)
		}
	})
}

// A stick that is written does not flash, and one that is about to be stops.
func TestIdentifyIsNoUseOfAStick(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.engine.writing = make(chan struct{})
		h.start()
		h.send(&protocol.Identify{Identity: identity("1-2"), Seconds: 30})
		later(time.Second)
		h.send(h.assignment("1-1", "1-2"))
		later(2 * time.Second)
		before, now := h.flashed("1-2")
		if now {
			t.Error("it flashes while it is written")
		}
		h.send(&protocol.Identify{Identity: identity("1-1"), Seconds: 30})
		later(10 * time.Second)
		if n, _ := h.flashed("1-1"); n != 0 {
			t.Errorf("%d flashes of a stick that is written", n)
		}
		if n, _ := h.flashed("1-2"); n != before {
			t.Error("it went on")
		}
		close(h.engine.writing)
		h.wantStory(ref(1, 1), wholeStory)
	})
}

// A minute is the most, whatever a server says, and a stop waits for no light.
func TestIdentifyIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.start()
		h.send(&protocol.Identify{Identity: identity("1-1"), Seconds: 100000})
		later(protocol.MaxIdentifySeconds*time.Second + time.Second)
		if _, now := h.flashed("1-1"); now {
			t.Error("it flashes for longer than a minute")
		}
		h.send(&protocol.Identify{Identity: identity("1-1"), Seconds: 60})
		close(h.stop)
		h.wantEnd(nil)
	})
}
