package agent

import (
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
)

func TestCancelBeforeTheWrite(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.srv.hold = make(chan struct{})
		h.start()
		h.send(h.assignment("1-1", "1-2"))
		h.send(&protocol.Cancel{Attempts: []protocol.AttemptRef{ref(1, 1), ref(7, 1)}})
		h.wantStory(ref(1, 1), "accepted preflight< preflight> fetch< cancelled:cancelled:untouched")
		h.wantStory(ref(7, 1), "accepted cancelled:cancelled:untouched") // never came here
		if h.rack.devices["1-1"].open || !h.rack.devices["1-2"].open {
			t.Fatal("the wrong stick is open")
		}
		h.send(&protocol.Cancel{Attempts: []protocol.AttemptRef{ref(1, 1)}}) // once more
		h.send(&protocol.Cancel{Attempts: []protocol.AttemptRef{ref(2, 1)}}) // the last: ends the download
		h.wantStory(ref(2, 1), "accepted preflight< preflight> fetch< cancelled:cancelled:untouched")
		if h.agent.runner.running() != 0 || h.engine.presses() != 0 {
			t.Fatal("something still runs")
		}
	})
}

func TestCancelInMidWrite(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.engine.writing = make(chan struct{})
		h.start()
		h.send(h.assignment("1-1", "1-2"))
		h.send(&protocol.Cancel{Attempts: []protocol.AttemptRef{ref(1, 1)}})
		close(h.engine.writing)
		h.wantStory(ref(1, 1), "accepted preflight< preflight> fetch< fetch> master< master> write< touched cancelled:cancelled:touched")
		h.wantStory(ref(2, 1), wholeStory)
	})
}

// A stick that failed has failed, also if somebody cancels it while its end is
// still on the way.
func TestCancelAfterTheFailure(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.engine.outcome = func(int, string) error { return protocol.NewFault(protocol.FaultDeviceGone, "port", "1-1") }
		h.start()
		h.send(h.assignment("1-1"))
		begun := "accepted preflight< preflight> fetch< fetch> master< master> write< touched"
		h.wantStory(ref(1, 1), begun) // it waits for others that vanish with it
		h.send(&protocol.Cancel{Attempts: []protocol.AttemptRef{ref(1, 1)}})
		later(atOnce)
		h.wantStory(ref(1, 1), begun+" failed:device_gone:touched")
	})
}
