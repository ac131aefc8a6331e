package stick

import (
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
)

// The power is cut at every single operation, and what was written after the
// last flush is lost. A stick that was reported as done is whole; one that
// starts is whole, too, whatever was reported.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	p := newPattern(20)
	_, like, _ := p.stick(t, 0)
	press := func(cut int) (*sticktest.Cached, error) {
		target, _, _ := p.stick(t, 0)
		d := sticktest.NewCached(like.Size(), 512)
		if cut > 0 {
			d.CutAt(cut)
		}
		target.Device = d
		return d, pressAll(t.Context(), p, []Target{target}, 4*patternChunk)[0].Err
	}
	d, err := press(0)
	if err != nil {
		t.Fatal(err)
	}
	p.check(t, d.Device)
	operations, started := d.Operations(), 0
	for n := 1; n <= operations; n++ {
		d, err := press(n)
		if f := protocol.AsFault(err); f == nil || !f.Touched {
			t.Fatalf("operation %d of %d: %v", n, operations, err)
		}
		if bootable(d.Device) {
			started++
			p.check(t, d.Device)
		}
	}
	if started == 0 || started > 2 {
		t.Errorf("%d sticks start: those that lost their power after the last flush", started)
	}
}

// The same with a master of both layouts: as soon as there is a table, there
// is everything else.
func TestPowerCutMaster(t *testing.T) {
	bothLayouts(t, func(t *testing.T, layout string) {
		m := newMaster(t, layout)
		press := func(cut int) (*sticktest.Cached, Target, error) {
			target, _, _ := newTarget(t, layout, "stick_0")
			d := sticktest.NewCached(deviceBytes, 512)
			if cut > 0 {
				d.CutAt(cut)
			}
			target.Device = d
			return d, target, Press(t.Context(), m, []Target{target})[0].Err
		}
		d, target, err := press(0)
		if err != nil {
			t.Fatal(err)
		}
		checkStick(t, m, d.Device, target.Personal)
		for n, all := d.Operations()-12, d.Operations(); n <= all; n++ {
			d, target, err := press(n)
			if err == nil {
				t.Fatalf("operation %d of %d: no error", n, all)
			}
			first := make([]byte, 512)
			if d.Peek(first, 0); first[510] == 0x55 {
				checkStick(t, m, d.Device, target.Personal)
			}
		}
	})
}
