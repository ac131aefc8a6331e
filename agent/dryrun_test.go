package agent

import (
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
)

// A dry run tells each stick's end, and no path leads to a write.
func TestDryRun(t *testing.T) {
	t.Parallel()
	var told []stick.Outcome
	end := func(o stick.Outcome) { told = append(told, o) }
	outcomes := DryRun{}.Press(t.Context(), nil, []stick.Target{{Ended: end}, {}, {Ended: end}})
	if len(outcomes) != 3 || len(told) != 2 {
		t.Fatalf("%d outcomes, %d told", len(outcomes), len(told))
	}
	for _, o := range append(outcomes, told...) {
		if f := protocol.AsFault(o.Err); f == nil || f.Code != protocol.FaultDryRun || f.Touched {
			t.Errorf("%v", o.Err)
		}
	}
	d := dryDevice{} // there is nothing beneath that could be written
	_, write := d.WriteAt(make([]byte, 512), 0)
	for _, err := range []error{write, d.Discard(0, 512)} {
		if f := protocol.AsFault(err); f == nil || f.Code != protocol.FaultDryRun {
			t.Errorf("%v", err)
		}
	}
}
