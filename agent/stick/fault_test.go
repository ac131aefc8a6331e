package stick

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
	"github.com/stickpress/stickpress/agent/volume"
)

// bootable reports whether firmware could find a table: its mark is there.
func bootable(d *sticktest.Device) bool {
	first, second := make([]byte, 512), make([]byte, 512)
	d.Peek(first, 0)
	d.Peek(second, 512)
	return (first[510] == 0x55 && first[511] == 0xAA) || string(second[:8]) == gptHeaderMagic
}

// A stick that is pulled out at any operation is never taken for finished,
// and its neighbour does not notice.
func TestPulledOut(t *testing.T) {
	bothLayouts(t, func(t *testing.T, layout string) {
		m := newMaster(t, layout)
		whole, device, _ := newTarget(t, layout, "stick_0")
		if o := Press(t.Context(), m, []Target{whole}); o[0].Err != nil {
			t.Fatal(o[0].Err)
		}
		operations := device.Operations()
		for n := 1; n <= operations; n++ {
			broken, d, r := newTarget(t, layout, "stick_1")
			d.FailFrom(n)
			o := Press(t.Context(), m, []Target{broken})[0]
			f := protocol.AsFault(o.Err)
			if f == nil || !f.Touched || (f.Code != protocol.FaultWrite && f.Code != protocol.FaultVerify) {
				t.Fatalf("operation %d of %d: %v", n, operations, o.Err)
			}
			if n < operations-5 && bootable(d) {
				t.Errorf("operation %d of %d failed and the stick has a table", n, operations)
			}
			if len(r.logs) == 0 {
				t.Errorf("operation %d: nobody was told that the table could not be wiped", n)
			}
		}
	})
}

// Faults of one operation: what is reported, and that the tables are gone.
func TestFaults(t *testing.T) {
	bothLayouts(t, func(t *testing.T, layout string) {
		m := newMaster(t, layout)
		probe, device, _ := newTarget(t, layout, "stick_0")
		if o := Press(t.Context(), m, []Target{probe}); o[0].Err != nil {
			t.Fatal(o[0].Err)
		}
		writes, reads, syncs := device.Count(sticktest.Write), device.Count(sticktest.Read), device.Count(sticktest.Sync)
		type fault struct {
			op   sticktest.Op
			n    int
			err  error
			code string
		}
		faults := []fault{{sticktest.Discard, 1, syscall.EIO, ""}, {sticktest.Discard, 1, errors.ErrUnsupported, ""}}
		for n := 1; n <= writes; n++ {
			faults = append(faults,
				fault{sticktest.Write, n, syscall.EIO, protocol.FaultWrite}, fault{sticktest.Write, n, sticktest.ErrShort, protocol.FaultWrite})
			lost := protocol.FaultVerify
			if marks := n - wipeWrites(m); marks > 0 && marks <= len(Marks(deviceBytes, m.plan.wiped(deviceBytes))) {
				lost = protocol.FaultCapacity
			}
			faults = append(faults, fault{sticktest.Write, n, sticktest.ErrLost, lost})
		}
		faults = append(faults, fault{sticktest.Drop, 1, syscall.EIO, protocol.FaultWrite})
		for n := 1; n <= reads; n++ {
			faults = append(faults, fault{sticktest.Read, n, syscall.EIO, protocol.FaultVerify})
		}
		for n := 1; n <= syncs; n++ {
			faults = append(faults, fault{sticktest.Sync, n, syscall.EIO, protocol.FaultWrite})
		}
		good, _, _ := newTarget(t, layout, "good")
		targets := []Target{good}
		devices := []*sticktest.Device{nil}
		for i, f := range faults {
			target, d, _ := newTarget(t, layout, fmt.Sprint("stick_", i))
			d.Fail(f.op, f.n, f.err)
			targets, devices = append(targets, target), append(devices, d)
		}
		wipedAway := wipesOverwritten(m)
		for i, o := range Press(t.Context(), m, targets) {
			if i == 0 {
				if o.Err != nil {
					t.Errorf("the good stick: %v", o.Err)
				}
				continue
			}
			f := faults[i-1]
			got := protocol.AsFault(o.Err)
			switch {
			case f.code == "" || (errors.Is(f.err, sticktest.ErrLost) && wipedAway[f.n]):
				if got != nil {
					t.Errorf("%s %d, %v: %v", f.op, f.n, f.err, got)
				}
			case got == nil || got.Code != f.code || !got.Touched || got.Params["offset"] == "":
				t.Errorf("%s %d, %v: %v, want %s", f.op, f.n, f.err, got, f.code)
			case bootable(devices[i]):
				t.Errorf("%s %d, %v: the incomplete stick has a table", f.op, f.n, f.err)
			}
		}
	})
}

// wipeWrites is how many writes come before the marks.
func wipeWrites(m *Master) int {
	n := 0
	for _, e := range m.plan.wiped(deviceBytes) {
		for _, c := range split([]volume.Extent{e}) {
			n += int((c.Length + edge - 1) / edge)
		}
	}
	return n
}

// wipesOverwritten says which of the first writes zero what content covers
// anyway: losing one of those is no harm.
func wipesOverwritten(m *Master) map[int]bool {
	n, over := 0, make(map[int]bool)
	for _, e := range m.plan.wiped(deviceBytes) {
		for _, c := range split([]volume.Extent{e}) {
			for at := c.Offset; at < c.End(); at += edge {
				n++
				piece := volume.Extent{Offset: at, Length: min(edge, c.End()-at)}
				over[n] = len(subtract([]volume.Extent{piece}, volume.Join(m.Chunks(), 0))) == 0
			}
		}
	}
	return over
}

// A cancelled stick ends alone, at every step, with its table wiped; before its
// first byte, as it was.
func TestCancel(t *testing.T) {
	bothLayouts(t, func(t *testing.T, layout string) {
		m := newMaster(t, layout)
		for _, when := range []string{"touched", "begun write", "begun verify", "done verify", "begun table"} {
			cause := protocol.NewFault(protocol.FaultCancelled)
			target, d, r := newTarget(t, layout, "cancelled")
			ctx, cancel := context.WithCancelCause(t.Context())
			target.Context = ctx
			r.onEvent = func(e string) {
				if e == when {
					cancel(cause)
				}
			}
			other, _, _ := newTarget(t, layout, "other")
			o := Press(t.Context(), m, []Target{target, other})
			f := protocol.AsFault(o[0].Err)
			before := when == "touched" || when == "begun write"
			if f == nil || f.Code != protocol.FaultCancelled || f.Touched == before || bootable(d) || (len(d.Written()) == 0) != before {
				t.Errorf("at %q: %v, bootable %v, %d writes", when, f, bootable(d), len(d.Written()))
			}
			if o[1].Err != nil {
				t.Errorf("at %q the other: %v", when, o[1].Err)
			}
			if cause.Touched {
				t.Error("the caller's fault was changed")
			}
		}
		// All at once, and without a fault as the cause.
		ctx, cancel := context.WithCancel(t.Context())
		target, d, r := newTarget(t, layout, "all")
		r.progress = func(s protocol.Step, done, total int64) {
			if s == protocol.StepWrite && done > total/2 {
				cancel()
			}
		}
		if f := protocol.AsFault(Press(ctx, m, []Target{target})[0].Err); f == nil || f.Code != protocol.FaultCancelled || bootable(d) {
			t.Errorf("%v", f)
		}
	})
}

// A damaged master writes no stick to the end, and is gone afterwards.
func TestDamagedMaster(t *testing.T) {
	t.Parallel()
	m := newMaster(t, protocol.LayoutMBRDual)
	f, err := os.OpenFile(filepath.Join(m.dir, windowsFile), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{1, 2, 3, 4, 5, 6, 7, 8}, 9*mib); err != nil {
		t.Fatal(err)
	}
	var targets []Target
	var devices []*sticktest.Device
	for i := range 2 {
		target, d, _ := newTarget(t, protocol.LayoutMBRDual, fmt.Sprint("stick", i))
		targets, devices = append(targets, target), append(devices, d)
	}
	for i, o := range Press(t.Context(), m, targets) {
		if !errors.Is(o.Err, ErrMasterDamaged) || !protocol.AsFault(o.Err).Touched || bootable(devices[i]) {
			t.Errorf("%v, bootable %v", o.Err, bootable(devices[i]))
		}
	}
	if _, err := os.Stat(m.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the damaged master is still there: %v", err)
	}
	// Whoever finds it out later leaves alone what was made since.
	next := filepath.Join(m.dir, m.manifest.Partitions[0].Name)
	if err := errors.Join(os.Mkdir(m.dir, 0o700), os.WriteFile(next, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if o := Press(t.Context(), m, targets[:1])[0]; !errors.Is(o.Err, ErrMasterDamaged) {
		t.Error(o.Err)
	}
	if _, err := os.Stat(next); err != nil {
		t.Errorf("the master that was made in its place: %v", err)
	}
}
