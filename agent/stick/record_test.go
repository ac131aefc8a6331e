package stick

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
	"github.com/stickpress/stickpress/agent/volume"
)

func TestPack(t *testing.T) {
	t.Parallel()
	chunks := []volume.Extent{{Offset: 512, Length: 1}, {Offset: 513, Length: ChunkBytes}, {Offset: 40 * gib, Length: 4096}}
	sums := []Sum{{1}, {2}, {3}}
	packed := pack(chunks, sums)
	got, err := unpack(packed, 41*gib)
	if err != nil || len(got) != 3 {
		t.Fatalf("%v, %v", got, err)
	}
	for i, c := range got {
		if c.Extent != chunks[i] || c.want != sums[i] {
			t.Errorf("chunk %d is %+v", i, c)
		}
	}
	if len(packed) > 3*24 {
		t.Errorf("3 chunks take %d bytes", len(packed))
	}
	whole := []int{0, len(pack(chunks[:1], sums)), len(pack(chunks[:2], sums))}
	for n := range packed {
		if _, err := unpack(packed[:n], 41*gib); !slices.Contains(whole, n) && !errors.Is(err, ErrRecord) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	if _, err := unpack(packed, 40*gib); !errors.Is(err, ErrRecord) {
		t.Errorf("chunks behind the end: %v", err)
	}
}

// FuzzRecord: whatever a record says, opening it ends with ranges that lie on
// the device, in order and apart, or with an error.
func FuzzRecord(f *testing.F) {
	body, err := json.Marshal(common{Format: commonFormat, Chunks: pack([]volume.Extent{{Offset: 4096, Length: 8192}}, []Sum{{1}}), Facts: &Facts{
		Layout: protocol.LayoutMBRDual, SectorSize: 512, Partitions: []Partition{{RoleSystem, volume.Extent{Offset: 4096, Length: 512}}, {RoleWindows, volume.Extent{Offset: 8192, Length: 512}}},
	}})
	if err != nil {
		f.Fatal(err)
	}
	own, err := json.Marshal(protocol.StickRecord{
		Bytes: mib, Own: []protocol.RecordedRange{{Range: protocol.Range{Length: 512}, XXH3: Sum{}.String()}}, Zeros: []protocol.Range{{Offset: 512, Length: 3584}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(own, body)
	f.Add([]byte(`{"bytes":-1,"zeros":[{"offset":-5,"length":3}]}`), []byte(`{"format":1,"chunks":"////////////"}`))
	f.Fuzz(func(t *testing.T, own, body []byte) {
		r := Record{Body: body}
		if json.Unmarshal(own, &r.StickRecord) != nil || r.Bytes > 1<<32 {
			return
		}
		r.Common = digestOf(body)
		all, facts, err := r.open()
		if err != nil {
			if !errors.Is(err, ErrRecord) {
				t.Errorf("%v", err)
			}
			return
		}
		end := int64(0)
		for _, c := range all {
			if c.Offset < end || c.Length <= 0 || c.End() > r.Bytes {
				t.Errorf("%+v after %d on a device of %d bytes", c, end, r.Bytes)
			}
			end = c.End()
		}
		if facts != nil && (facts.partition(RoleSystem).End() > r.Bytes || facts.partition(RoleWindows).Offset <= 0) {
			t.Errorf("%+v", facts)
		}
	})
}

// The zeros of a record are looked at before they are listed: a few bytes of it
// could ask for any number of chunks.
func TestRecordOfTooManyZeros(t *testing.T) {
	t.Parallel()
	body, err := json.Marshal(common{Format: commonFormat})
	if err != nil {
		t.Fatal(err)
	}
	const size = 64 * mib
	for name, zeros := range map[string][]protocol.Range{
		"in front":        {{Offset: -mib, Length: 2 * mib}},
		"behind":          {{Offset: size - mib, Length: 2 * mib}},
		"far behind":      {{Offset: 1<<63 - 1, Length: mib}},
		"again and again": slices.Repeat([]protocol.Range{{Offset: 0, Length: size}}, 100_000),
	} {
		r := Record{Body: body, StickRecord: protocol.StickRecord{Bytes: size, Common: digestOf(body), Zeros: zeros}}
		if _, _, err := r.open(); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := Record{Body: body, StickRecord: protocol.StickRecord{Bytes: 1 << 62, Common: digestOf(body), Zeros: []protocol.Range{{Length: 1 << 62}}}}
	_, _, err = Reread(t.Context(), sticktest.New(size, 512), &r, func(int64, int64) {})
	if !errors.Is(err, protocol.NewFault(protocol.FaultOtherStick)) {
		t.Errorf("a record of another size: %v", err)
	}
}

// A record of one stick fits every other one of its content but for a few
// chunks, and is small.
func TestRecord(t *testing.T) {
	bothLayouts(t, func(t *testing.T, layout string) {
		m := newMaster(t, layout)
		a, _, _ := newTarget(t, layout, "a")
		b, _, _ := newTarget(t, layout, "b")
		outcomes := Press(t.Context(), m, []Target{a, b})
		for i, o := range outcomes {
			if o.Err != nil || o.Record == nil || o.Record.Copy {
				t.Fatalf("stick %d: %v, %+v", i, o.Err, o.Record)
			}
			raw, err := json.Marshal(o.Record.StickRecord)
			if err != nil || len(raw) > 4<<10 {
				t.Errorf("%d bytes of its own, %v:\n%s", len(raw), err, raw)
			}
			if o.Record.Common != outcomes[0].Record.Common || !bytes.Equal(o.Record.Body, outcomes[0].Record.Body) {
				t.Error("the common parts differ")
			}
			all, _, err := o.Record.open()
			if err != nil {
				t.Fatal(err)
			}
			var extents []volume.Extent
			for _, c := range all {
				extents = append(extents, c.Extent)
			}
			if missing := subtract(m.Chunks(), extents); len(missing) > 0 {
				t.Errorf("not recorded: %v", missing)
			}
			if missing := subtract(m.plan.wiped(deviceBytes), extents); len(missing) > 0 {
				t.Errorf("not recorded: %v", missing)
			}
		}
		outcomes[0].Record.Body = append(outcomes[0].Record.Body, ' ')
		if _, _, err := outcomes[0].Record.open(); !errors.Is(err, ErrRecord) {
			t.Errorf("a changed common part: %v", err)
		}
	})
}
