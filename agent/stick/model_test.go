package stick

import (
	"crypto/rand"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
	"github.com/stickpress/stickpress/agent/volume"
)

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
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		v, err := p.openVolume(partFile{Name: name}, role)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		if err := v.add(m, used); err != nil {
			t.Fatal(err)
		}
		volumes = append(volumes, v)
		at := part.Offset
		if role == RoleSystem {
			m.Places.FATSerial = []int64{at + 67, at + 6*512 + 67}
			m.Places.FATLabel = []int64{at + 71, at + 6*512 + 71, at + 96*kib}
			m.Places.Tag = []volume.Extent{{Offset: at + 320*kib, Length: 4096}, {Offset: at + 9*mib, Length: 4096}}
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
		// One unit of a label lies in an update sequence array, in both copies.
		for _, record := range []int64{at + 300*kib, at + 8*mib + 4096} {
			label := int64(2 * len(WindowsLabel("")))
			m.Places.NTFSLabel = append(m.Places.NTFSLabel, []volume.Extent{{Offset: record + 510 - label + 8, Length: label - 8}, {Offset: record + 50, Length: 2}, {Offset: record + 512, Length: 6}})
		}
		m.Places.NTFSSerial = []int64{at + 72, at + part.Length - 512 + 72}
		// Across the end of a chunk.
		edge := (at+9*mib+ChunkBytes)/ChunkBytes*ChunkBytes - 1000
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
	master.facts = func() (*Facts, error) { return nil, nil } // its volumes are noise
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
	checks   []protocol.Check
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

func (r *reporter) Checked(c protocol.Check) { r.checks = append(r.checks, c) }

// check is the newest check of a name.
func (r *reporter) check(name protocol.CheckName) (last protocol.Check) {
	for _, c := range r.checks {
		if c.Name == name {
			last = c
		}
	}
	return last
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
