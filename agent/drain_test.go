package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stickpress/stickpress/agent/backoff"
	"github.com/stickpress/stickpress/agent/protocol"
)

const untilWrite = "accepted preflight< preflight> fetch< fetch> master< master> write< touched "

// hang lets the stick at 1-1 never come back from a write, until the function
// returned is called.
func (h *host) hang() (answer func()) {
	answers := make(chan struct{})
	h.engine.outcome = func(_ int, answer string) error {
		if answer == "secret-1-1" {
			<-answers
		}
		return nil
	}
	return func() { close(answers); synctest.Wait() }
}

// running fails the test if Run has returned.
func (h *host) running() {
	h.t.Helper()
	select {
	case err := <-h.ended:
		h.t.Fatalf("Run returned %v", err)
	default:
	}
}

func TestStickThatHangsDoesNotHoldUpTheStop(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		answer := h.hang()
		defer answer()
		h.start()
		h.send(h.assignment("1-1", "1-2"))
		later(time.Hour) // nobody gives it up while the agent need not end
		h.wantStory(ref(1, 1), untilWrite[:len(untilWrite)-1])
		h.wantStory(ref(2, 1), wholeStory)
		close(h.stop)
		later(2 * stallPoll)
		h.wantStory(ref(1, 1), untilWrite+"failed:write_failed:touched")
		h.wantEnd(nil)
		if !h.rack.devices["1-1"].open {
			t.Error("a device with a write under way was closed")
		}
	})
}

func TestStopWaitsForAStickThatMayYetMove(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		answer := h.hang()
		h.start()
		h.send(h.assignment("1-1"))
		close(h.stop)
		later(stallTime - time.Second)
		h.running()
		answer()
		h.wantStory(ref(1, 1), wholeStory)
		h.wantEnd(nil)
	})
}

// What was cancelled before it was given up has been cancelled.
func TestCancelledStickThatHangs(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		answer := h.hang()
		defer answer()
		h.start()
		h.send(h.assignment("1-1"))
		h.send(&protocol.Cancel{Attempts: []protocol.AttemptRef{ref(1, 1)}})
		close(h.stop)
		later(stallTime + stallPoll)
		h.wantStory(ref(1, 1), untilWrite+"cancelled:cancelled:touched")
		h.wantEnd(nil)
	})
}

// The hard way ends too, and leaves the report to the next start.
func TestKillWithAStickThatHangs(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		answer := h.hang()
		h.start()
		h.send(h.assignment("1-1"))
		h.die()
		answer()
		h.start()
		h.wantStory(ref(1, 1), untilWrite+"failed:agent_restarted:touched")
	})
}

func TestStalled(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	for _, c := range []struct {
		step     protocol.Step
		pressing bool
		still    time.Duration
		want     string
	}{
		{protocol.StepWrite, true, stallTime - 1, ""},
		{protocol.StepWrite, true, stallTime, protocol.FaultWrite},
		{protocol.StepVerify, true, stallTime, protocol.FaultWrite},
		{protocol.StepEject, true, stallTime, protocol.FaultWrite},
		{protocol.StepMaster, true, time.Hour, ""}, // a damaged one is made again
		{protocol.StepMaster, false, time.Hour, ""},
		{protocol.StepFetch, false, time.Hour, ""},
		{protocol.StepPreflight, false, stallTime, protocol.FaultRestart},
		{"", false, stallTime, protocol.FaultRestart}, // waits for one that hangs
	} {
		at := &attempt{r: &runner{clock: backoff.System{}}, pressing: c.pressing}
		at.Progress(c.step, 1, 2)
		at.moved = now.Add(-c.still)
		have := ""
		if f := at.stalled(now); f != nil {
			have = f.Code
		}
		if have != c.want {
			t.Errorf("%q, pressing %v, still for %v: %q, want %q", c.step, c.pressing, c.still, have, c.want)
		}
	}
}
