package agent

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

// A stick that carries the ID of another one than the console took it for is
// not begun before the server said so, over the next connection too.
func TestStickThatIsAnother(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		var asked atomic.Int32 // questions come beside each other
		h.srv.judge = func(p *peer, m *protocol.FoundStick) {
			answer := &protocol.StickVerdict{FoundStick: *m}
			if m.AttemptRef == ref(2, 1) {
				answer.Fault = protocol.NewFault("stick_not_wiped", "holder", "Ada")
			}
			if asked.Add(1) == 1 {
				_ = p.Close() // before the answer
				return
			}
			p.send(t, answer)
		}
		h.rack.devices["1-3"] = &fakeDevice{id: identity("1-3"), size: 30 * gib, sector: 512, holds: "stick_3"}
		h.rack.devices["1-1"].holds, h.rack.devices["1-2"].holds = "stick_of_nobody", "stick_of_ada"
		h.start()
		a := h.assignment("1-1", "1-2", "1-3")
		for i := range a.Builds {
			a.Builds[i].AskFound = true
		}
		h.send(a)
		later(time.Minute)
		h.wantStory(ref(1, 1), wholeStory)
		h.wantStory(ref(2, 1), "accepted preflight< failed:stick_not_wiped:untouched")
		h.wantStory(ref(3, 1), wholeStory)
		if h.rack.devices["1-2"].open {
			t.Error("the stick is still held")
		}
		if n := asked.Load(); n < 3 || n > 4 {
			t.Errorf("asked %d times about two sticks", n)
		}
	})
}

// A server that does not answer such questions is not asked.
func TestStickThatIsAnotherToAnOlderServer(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.rack.devices["1-1"].holds = "stick_of_ada"
		h.start()
		h.send(h.assignment("1-1"))
		h.wantStory(ref(1, 1), wholeStory)
	})
}
