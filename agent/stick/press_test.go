package stick

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
	"github.com/stickpress/stickpress/agent/volume"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Every byte of a pressed stick is accounted for.
func TestPress(t *testing.T) {
	bothLayouts(t, func(t *testing.T, layout string) {
		m := newMaster(t, layout)
		var targets []Target
		var devices []*sticktest.Device
		var reports []*reporter
		for i := range 3 {
			target, d, r := newTarget(t, layout, fmt.Sprint("stick_", i))
			targets, devices, reports = append(targets, target), append(devices, d), append(reports, r)
		}
		for i, o := range Press(t.Context(), m, targets) {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
			if o.Result.BytesWritten <= m.Bytes() || o.Result.BytesVerified < o.Result.BytesWritten ||
				o.Result.MasterDigest != m.Digest() || o.Result.DiskID != targets[i].Personal.DiskID(layout) || len(o.Result.ContentDigest) != 64 {
				t.Errorf("result %+v", o.Result)
			}
			want := []string{"touched", "begun write", "done write", "begun verify", "done verify", "begun table", "done table"}
			if !slices.Equal(reports[i].events, want) {
				t.Errorf("events %q", reports[i].events)
			}
			checkStick(t, m, devices[i], targets[i].Personal)
		}
	})
}

// expected returns what belongs onto a stick: patches over content, table.
func expected(t *testing.T, m *Master, p Personal) []volume.Patch {
	t.Helper()
	var all []volume.Patch
	for i, c := range m.Chunks() {
		data := make([]byte, c.Length)
		if _, err := m.Read(i, data); err != nil {
			t.Fatal(err)
		}
		all = append(all, volume.Patch{Offset: c.Offset, Bytes: data})
	}
	patches, err := p.patches(m.plan, m.manifest.Places)
	if err != nil {
		t.Fatal(err)
	}
	table, err := m.plan.table(p, deviceBytes)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(all, patches, table)
}

func checkStick(t *testing.T, m *Master, d *sticktest.Device, p Personal) {
	t.Helper()
	model := sticktest.New(deviceBytes, 512)
	put := func(patch volume.Patch) {
		// The model takes whole sectors.
		from := patch.Offset / 512 * 512
		to := (patch.Offset + int64(len(patch.Bytes)) + 511) / 512 * 512
		b := alignedBuffer(int(to - from))
		model.Peek(b, from)
		copy(b[patch.Offset-from:], patch.Bytes)
		if _, err := model.WriteAt(b, from); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range m.plan.wiped(deviceBytes) {
		put(volume.Patch{Offset: e.Offset, Bytes: make([]byte, e.Length)})
	}
	for _, at := range Marks(deviceBytes, m.plan.wiped(deviceBytes)) {
		mark := make([]byte, Alignment)
		d.Peek(mark, at)
		put(volume.Patch{Offset: at, Bytes: mark}) // stays where no content is
	}
	for _, patch := range expected(t, m, p) {
		put(patch)
	}
	want, have := make([]byte, 4096), make([]byte, 4096)
	for _, at := range slices.Concat(model.Written(), d.Written()) {
		n := min(4096, deviceBytes-at)
		model.Peek(want[:n], at)
		d.Peek(have[:n], at)
		if !bytes.Equal(want[:n], have[:n]) {
			t.Fatalf("the page at %d differs from what belongs there", at)
		}
	}
}

// Each stick's end is told while its neighbours are still at work.
func TestEnded(t *testing.T) {
	t.Parallel()
	m := newMaster(t, protocol.LayoutMBRDual)
	quick, _, _ := newTarget(t, protocol.LayoutMBRDual, "quick")
	hangs, d, _ := newTarget(t, protocol.LayoutMBRDual, "hangs")
	over := make(chan Outcome, 1)
	quick.Ended = func(o Outcome) { over <- o }
	d.Before = func(op sticktest.Op, n int, _, _ int64) error {
		if op == sticktest.Write && n == 1 {
			if o := <-over; o.Err != nil || o.Result.BytesVerified == 0 {
				t.Errorf("the quick stick: %+v", o)
			}
		}
		return nil
	}
	for _, o := range Press(t.Context(), m, []Target{quick, hangs}) {
		if o.Err != nil {
			t.Error(o.Err)
		}
	}
}

// The names of all ranges in which two sticks of one job differ.
func differences(m *Master, layout string) map[string][]volume.Extent {
	places := m.Places()
	d := map[string][]volume.Extent{
		"answer file": places.AnswerFile, "tag": places.Tag,
		"NTFS label": places.NTFSLabel[0], "NTFS label in the mirror": places.NTFSLabel[1],
	}
	for i, where := range []string{"", " in the backup boot sector"} {
		d["FAT serial"+where] = []volume.Extent{{Offset: places.FATSerial[i], Length: 4}}
		d["NTFS serial"+where] = []volume.Extent{{Offset: places.NTFSSerial[i], Length: 8}}
	}
	for i, where := range []string{"boot sector", "backup boot sector", "root directory"} {
		d["FAT label in the "+where] = []volume.Extent{{Offset: places.FATLabel[i], Length: 11}}
	}
	for _, s := range places.Stores {
		d["boot store "+s.Firmware.String()] = s.Extents
	}
	if layout == protocol.LayoutMBRDual {
		d["disk signature"] = []volume.Extent{{Offset: 440, Length: 4}}
		return d
	}
	last := int64(deviceBytes/512 - 1)
	for name, at := range map[string]int64{"primary": 512, "backup": last * 512} {
		d[name+" GPT header checksums"] = []volume.Extent{{Offset: at + 16, Length: 4}, {Offset: at + 88, Length: 4}}
		d[name+" disk GUID"] = []volume.Extent{{Offset: at + 56, Length: 16}}
	}
	for name, at := range map[string]int64{"primary": 1024, "backup": (last - 32) * 512} {
		for i := range int64(3) {
			d[fmt.Sprint(name, " GUID of partition ", i+1)] = []volume.Extent{{Offset: at + i*128 + 16, Length: 16}}
		}
	}
	return d
}

func TestSticksDifferExactlyThere(t *testing.T) {
	bothLayouts(t, func(t *testing.T, layout string) {
		m := newMaster(t, layout)
		a, deviceA, _ := newTarget(t, layout, "stick_01jd6y9k3te0mv8b0g2z5q4w7x")
		b, deviceB, _ := newTarget(t, layout, "stick_01jd6y9k3te0mv8b0g2zkzfr9s")
		for _, o := range Press(t.Context(), m, []Target{a, b}) {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
		}
		named := differences(m, layout)
		for _, at := range Marks(deviceBytes, m.plan.wiped(deviceBytes)) {
			// Under content or not, it is one name: some of them differ.
			named["marks of the probe"] = append(named["marks of the probe"], volume.Extent{Offset: at, Length: Alignment})
		}
		hit := make(map[string]bool)
		x, y := make([]byte, 4096), make([]byte, 4096)
		for _, at := range deviceA.Written() {
			n := min(4096, deviceBytes-at)
			deviceA.Peek(x[:n], at)
			deviceB.Peek(y[:n], at)
			for i := range n {
				if x[i] == y[i] {
					continue
				}
				name := ""
				for candidate, extents := range named {
					if slices.ContainsFunc(extents, func(e volume.Extent) bool { return e.Offset <= at+i && at+i < e.End() }) {
						name = candidate
					}
				}
				if name == "" {
					t.Fatalf("byte %d differs and is no personalisation", at+i)
				}
				hit[name] = true
			}
		}
		for name := range named {
			if !hit[name] {
				t.Errorf("%s is the same on both sticks", name)
			}
		}
	})
}

// Nothing is written before Touched has returned, or when it fails, or to a
// device that does not fit.
func TestUntouched(t *testing.T) {
	t.Parallel()
	m := newMaster(t, protocol.LayoutGPTUEFI)
	durable := errors.New("the journal is full")
	refused, a, r := newTarget(t, protocol.LayoutGPTUEFI, "a")
	r.touched = durable
	small, _, _ := newTarget(t, protocol.LayoutGPTUEFI, "b")
	b := sticktest.New(28*gib-512, 512)
	small.Device = b
	sector, _, _ := newTarget(t, protocol.LayoutGPTUEFI, "c")
	c := sticktest.New(deviceBytes/4096*4096, 4096)
	sector.Device = c
	long, d, _ := newTarget(t, protocol.LayoutGPTUEFI, "d")
	long.Personal.AnswerFile = make([]byte, AnswerFileLimit+1)
	nobody, e, _ := newTarget(t, protocol.LayoutGPTUEFI, "e")
	nobody.Personal = Personal{}
	changed, h, _ := newTarget(t, protocol.LayoutGPTUEFI, "h")
	h.Before = func(sticktest.Op, int, int64, int64) error { return protocol.NewFault(protocol.FaultDeviceChanged) }
	gone, g, _ := newTarget(t, protocol.LayoutGPTUEFI, "g")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(protocol.NewFault(protocol.FaultFenced))
	gone.Context = ctx
	outcomes := Press(t.Context(), m, []Target{refused, small, sector, long, nobody, gone, changed})
	for i, code := range []string{
		protocol.FaultInternal, protocol.FaultTooSmall, protocol.FaultSectorSize, protocol.FaultAnswerSize, protocol.FaultInternal, protocol.FaultFenced,
		protocol.FaultDeviceChanged,
	} {
		if f := protocol.AsFault(outcomes[i].Err); f == nil || f.Code != code || f.Touched {
			t.Errorf("target %d: %v, want %s", i, f, code)
		}
	}
	if f := protocol.AsFault(outcomes[1].Err); f.Params["missing_bytes"] != "512" {
		t.Errorf("%v", f.Params)
	}
	if !errors.Is(outcomes[0].Err, durable) {
		t.Errorf("%v", outcomes[0].Err)
	}
	if h.Operations() != 1 {
		t.Errorf("%d operations on a device that refused the first", h.Operations())
	}
	for i, device := range []*sticktest.Device{a, b, c, d, e, g} {
		if device.Operations() != 0 {
			t.Errorf("target %d was touched", i)
		}
	}
}

// A stick that stands still does not hold up the others: they end while it
// has not even taken its first byte of content.
func TestSlowStick(t *testing.T) {
	t.Parallel()
	m := newMaster(t, protocol.LayoutMBRDual)
	fast := make(chan struct{})
	var targets []Target
	var left sync.WaitGroup
	left.Add(2)
	for i := range 2 {
		target, _, r := newTarget(t, protocol.LayoutMBRDual, fmt.Sprint("fast", i))
		r.onEvent = func(e string) {
			if e == "done table" {
				left.Done()
			}
		}
		targets = append(targets, target)
	}
	slow, d, _ := newTarget(t, protocol.LayoutMBRDual, "slow")
	d.Before = func(op sticktest.Op, n int, _, _ int64) error {
		if op == sticktest.Write && n == 1 {
			<-fast
		}
		return nil
	}
	go func() {
		left.Wait()
		close(fast)
	}()
	for i, o := range Press(t.Context(), m, append(targets, slow)) {
		if o.Err != nil {
			t.Errorf("target %d: %v", i, o.Err)
		}
	}
	checkStick(t, m, d, slow.Personal)
}
