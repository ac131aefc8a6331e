package api

import (
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
)

// A line keeps the whole step and never grows; what is left is told by the
// slowest and fastest of the last seconds, and a new step begins anew.
func TestRates(t *testing.T) {
	t.Parallel()
	var board rateBoard
	ref := protocol.AttemptRef{BuildID: "build_x", Attempt: 2}
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	hear := func(step protocol.Step, rate int64) {
		board.note([]protocol.AttemptProgress{{AttemptRef: ref, Step: step, Rate: rate}}, at)
		board.note([]protocol.AttemptProgress{{AttemptRef: ref, Step: step, Rate: rate}}, at.Add(300*time.Millisecond))
		at = at.Add(time.Second)
	}
	look := func(step protocol.Step) Progress {
		p := Progress{Step: step, Done: 1000, Total: 5000}
		board.fill(ref, &p)
		return p
	}
	for range 4 {
		hear(protocol.StepWrite, 100)
	}
	if p := look(protocol.StepWrite); len(p.Rates) != 4 || p.Soonest != 0 {
		t.Errorf("after four seconds: %+v", p)
	}
	for i := range 500 {
		hear(protocol.StepWrite, 100+int64(i%2)*100)
	}
	p := look(protocol.StepWrite)
	if n := len(p.Rates); n < ratePoints/2-1 || n >= ratePoints {
		t.Errorf("the line has %d points", n)
	}
	if p.Soonest != 20 || p.Latest != 40 {
		t.Errorf("4000 bytes at 100 to 200 a second take %d to %d s", p.Soonest, p.Latest)
	}
	if p := look(protocol.StepVerify); p.Rates != nil || p.Latest != 0 {
		t.Errorf("another step has %+v", p)
	}
	hear(protocol.StepVerify, 300)
	if p := look(protocol.StepVerify); len(p.Rates) != 1 || p.Rates[0] != 300 {
		t.Errorf("the step after it has %+v", p)
	}
	at = at.Add(2 * rateForget)
	board.note(nil, at)
	if len(board.logs) != 0 {
		t.Error("nobody forgets what is not heard of any more")
	}
}
