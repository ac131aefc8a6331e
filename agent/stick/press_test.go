package stick

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
	"github.com/stickpress/stickpress/agent/volume"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deviceBytes is a stick that is a little larger than its class, and no
// multiple of anything but its sector.
const deviceBytes = 28*gib + 777*mib + 5*512

// newMaster makes a master of random content without any image: used extents
// of many lengths, and places that lie across chunks.
func newMaster(t testing.TB, layout string) *Master {
	t.Helper()
	plan, err := NewPlan(layout, Classes[0], 512)
	if err != nil {
		t.Fatal(err)
	}
	spec := Spec{Layout: layout, CapacityClass: Classes[0], SectorSize: 512, ImageSHA256: "none", Edition: 1}
	dir := filepath.Join(t.TempDir(), spec.Digest())
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p := newPreparation(plan, spec, dir, func(int64, int64) {})
	m := &manifest{Recipe: spec.recipe()}
	noise := mathrand.NewChaCha8([32]byte{7})
	var volumes []volumeFile
	for name, role := range map[string]Role{systemFile: RoleSystem, windowsFile: RoleWindows} {
		part := plan.Partition(role)
		used := []volume.Extent{
			{Offset: 0, Length: mib + 512},
			{Offset: 8*mib + 4096, Length: 4096},
			{Offset: 9 * mib, Length: 5 * mib},
			{Offset: 100*mib - 8192, Length: 16384},
			{Offset: part.Length - 512, Length: 512},
		}
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := f.Truncate(part.Length); err != nil {
			t.Fatal(err)
		}
		for _, e := range used {
			data := make([]byte, e.Length)
			_, _ = noise.Read(data)
			if _, err := f.WriteAt(data, e.Offset); err != nil {
				t.Fatal(err)
			}
		}
		v := volumeFile{f, name, part}
		if err := v.add(m, used); err != nil {
			t.Fatal(err)
		}
		volumes = append(volumes, v)
		at := part.Offset
		if role == RoleSystem {
			m.Places.FATSerial = []int64{at + 67, at + 6*512 + 67}
			for i, fw := range plan.firmwares() {
				store, err := emptyStore(plan, fw)
				if err != nil {
					t.Fatal(err)
				}
				n := int64(len(store))
				m.Places.Stores = append(m.Places.Stores, StorePlace{fw, n, []volume.Extent{
					{Offset: at + int64(i+1)*128*kib, Length: 4096}, {Offset: at + 512*kib + int64(i)*64*kib, Length: n - 4096},
				}})
			}
			continue
		}
		m.Places.NTFSSerial = []int64{at + 72, at + part.Length - 512 + 72}
		// Across the end of a chunk.
		edge := (at+9*mib+chunkBytes)/chunkBytes*chunkBytes - 1000
		m.Places.AnswerFile = []volume.Extent{{Offset: edge, Length: 40 * kib}, {Offset: at + 100*mib - 4096, Length: 4096}, {Offset: at + 13*mib + 512*kib, Length: 20 * kib}}
	}
	slices.SortFunc(m.Chunks, func(a, b chunk) int { return int(a.Offset/512 - b.Offset/512) })
	if err := p.hash(t.Context(), m, volumes...); err != nil {
		t.Fatal(err)
	}
	if err := m.write(dir); err != nil {
		t.Fatal(err)
	}
	master, err := openMaster(dir, plan, spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	return master
}

// reporter notes what it is told.
type reporter struct {
	mu       sync.Mutex
	t        testing.TB
	events   []string
	step     protocol.Step
	done     int64
	total    int64
	touched  error
	onEvent  func(event string)
	progress func(step protocol.Step, done, total int64)
	logs     []protocol.LogLine
}

func (r *reporter) note(e string) {
	r.mu.Lock()
	r.events = append(r.events, e)
	r.mu.Unlock()
	if r.onEvent != nil {
		r.onEvent(e)
	}
}

func (r *reporter) StepBegun(s protocol.Step) { r.done, r.step = 0, s; r.note("begun " + string(s)) }

func (r *reporter) StepDone(s protocol.Step) {
	if r.done != r.total || r.total == 0 {
		r.t.Errorf("%s done at %d of %d", s, r.done, r.total)
	}
	r.note("done " + string(s))
}

func (r *reporter) Touched() error { r.note("touched"); return r.touched }

func (r *reporter) Progress(s protocol.Step, done, total int64) {
	if s != r.step || done < r.done || done > total {
		r.t.Errorf("progress of %s: %d of %d, after %d", s, done, total, r.done)
	}
	r.done, r.total = done, total
	if r.progress != nil {
		r.progress(s, done, total)
	}
}

func (r *reporter) Log(l protocol.LogLine) { r.logs = append(r.logs, l) }

func newTarget(t testing.TB, layout, id string) (Target, *sticktest.Device, *reporter) {
	t.Helper()
	personal, err := NewPersonal(layout, rand.Reader, id, []byte("<unattend><!-- "+id+" --></unattend>"))
	if err != nil {
		t.Fatal(err)
	}
	d, r := sticktest.New(deviceBytes, 512), &reporter{t: t}
	return Target{Device: d, Personal: personal, Report: r, Context: t.Context()}, d, r
}

func bothLayouts(t *testing.T, f func(t *testing.T, layout string)) {
	t.Parallel()
	for _, layout := range []string{protocol.LayoutMBRDual, protocol.LayoutGPTUEFI} {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			f(t, layout)
		})
	}
}

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
				o.Result.MasterDigest != m.Digest() || o.Result.DiskID != targets[i].Personal.DiskID(layout) || len(o.Result.ContentSHA256) != 64 {
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
	for _, c := range m.manifest.Chunks {
		data := make([]byte, c.Length)
		if err := m.read(c, data); err != nil {
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

// Sticks that keep pace share one reading of the master.
func TestReadOnce(t *testing.T) {
	t.Parallel()
	m := newMaster(t, protocol.LayoutMBRDual)
	f := newFeed(m, 2)
	for i := range f.chunks {
		for range 2 {
			s, err := f.get(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			f.put(s)
		}
	}
	f.close()
	if f.nReads != len(f.chunks) {
		t.Errorf("%d reads of %d chunks", f.nReads, len(f.chunks))
	}
	if f.held > f.limit {
		t.Errorf("%d buffers, the limit is %d", f.held, f.limit)
	}
}

// The names of all ranges in which two sticks of one job differ.
func differences(m *Master, layout string) map[string][]volume.Extent {
	places := m.Places()
	list := func(offsets []int64, n int64) []volume.Extent {
		var e []volume.Extent
		for _, at := range offsets {
			e = append(e, volume.Extent{Offset: at, Length: n})
		}
		return e
	}
	d := map[string][]volume.Extent{
		"answer file": places.AnswerFile, "FAT serial": list(places.FATSerial, 4), "NTFS serial": list(places.NTFSSerial, 8),
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
		a, deviceA, _ := newTarget(t, layout, "stick_a")
		b, deviceB, _ := newTarget(t, layout, "stick_b")
		for _, o := range Press(t.Context(), m, []Target{a, b}) {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
		}
		named := differences(m, layout)
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
			faults = append(faults, fault{sticktest.Write, n, sticktest.ErrLost, protocol.FaultVerify})
		}
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

// wipesOverwritten says which of the first writes zero what content covers
// anyway: losing one of those is no harm.
func wipesOverwritten(m *Master) map[int]bool {
	n, over := 0, make(map[int]bool)
	for _, e := range m.plan.wiped(deviceBytes) {
		for _, c := range split([]volume.Extent{e}) {
			for at := c.Offset; at < c.End(); at += edge {
				n++
				piece := volume.Extent{Offset: at, Length: min(edge, c.End()-at)}
				over[n] = len(subtract([]volume.Extent{piece}, m.Extents())) == 0
			}
		}
	}
	return over
}

// A cancelled stick ends alone, at every step, with its table wiped.
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
			if f == nil || f.Code != protocol.FaultCancelled || !f.Touched || bootable(d) {
				t.Errorf("at %q: %v, bootable %v", when, f, bootable(d))
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
}
