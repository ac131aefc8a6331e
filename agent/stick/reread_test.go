package stick

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
	"github.com/stickpress/stickpress/agent/volume"
)

func silently(int64, int64) {}

func wantFault(t *testing.T, err error, code string, params map[string]string) {
	t.Helper()
	f := protocol.AsFault(err)
	if f == nil || f.Code != code || f.Touched {
		t.Fatalf("%v, want %s", err, code)
	}
	for name, want := range params {
		if f.Params[name] != want {
			t.Errorf("%s: %s is %q, want %q: %v", code, name, f.Params[name], want, err)
		}
	}
}

// smallMaster is a master that foreign tools made of a small Windows.
func smallMaster(t *testing.T, layout string) *Master {
	t.Helper()
	m, err := Prepare(t.Context(), t.TempDir(), specFor(writeImage(t, smallWindows(t, nil)), layout), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func pressOne(t *testing.T, m *Master, layout, id string) (*sticktest.Device, *Record) {
	t.Helper()
	target, d, _ := newTarget(t, layout, id)
	o := Press(t.Context(), m, []Target{target})[0]
	if o.Err != nil || o.Record == nil {
		t.Fatal(o.Err)
	}
	return d, o.Record
}

// A stick is intact until any byte of it changes, wherever that is; and reading
// it again writes nothing.
func TestReread(t *testing.T) {
	bothLayouts(t, func(t *testing.T, layout string) {
		m := smallMaster(t, layout)
		d, record := pressOne(t, m, layout, "stick_a")
		writes := d.Count(sticktest.Write)
		if id, err := FoundID(d); id != "stick_a" || err != nil {
			t.Errorf("found %q on it, %v", id, err)
		}
		var done, all int64
		found, read, err := Reread(t.Context(), d, record, func(n, total int64) {
			if n < done || n > total {
				t.Errorf("progress %d of %d, after %d", n, total, done)
			}
			done, all = n, total
		})
		if err != nil || found.Outcome != protocol.OutcomeIntact || read < m.Bytes() || done != all || read != all {
			t.Fatalf("%+v, %d of %d bytes, %v", found, read, all, err)
		}
		if d.Count(sticktest.Write) != writes || d.Count(sticktest.Discard) > 1 {
			t.Error("it was written to")
		}
		places := m.Places()
		windows := m.plan.Partition(RoleWindows)
		for name, at := range map[string]int64{
			"boot code or protective table": 100, "last byte of the table": 511, "answer file": places.AnswerFile[0].Offset + 9,
			"FAT serial": places.FATSerial[1], "NTFS label": places.NTFSLabel[1][0].Offset, "boot store": places.Stores[0].Extents[0].Offset + 700,
			"backup boot sector": windows.End() - 1, "zeros at the start": 64 * kib, "zeros at the end": deviceBytes - mib + 100,
			"MFT": windows.Offset + 16*kib, "a chunk": m.manifest.Chunks[len(m.manifest.Chunks)-2].Offset + 5,
		} {
			flipBit(t, d, at)
			_, _, err := Reread(t.Context(), d, record, silently)
			flipBit(t, d, at)
			if err == nil {
				t.Errorf("%s at %d may change", name, at)
				continue
			}
			wantFault(t, err, protocol.FaultVerify, nil)
			f := protocol.AsFault(err)
			offset, _ := strconv.ParseInt(f.Params["offset"], 10, 64)
			if offset > at || at >= offset+ChunkBytes || len(f.Params["want"]) != 32 || len(f.Params["have"]) != 32 || f.Params["want"] == f.Params["have"] {
				t.Errorf("%s at %d: %v", name, at, f)
			}
		}
		if _, _, err := Reread(t.Context(), d, record, silently); err != nil {
			t.Error(err)
		}
	})
}

// flipBit changes one bit of a stick.
// What holds no manifest of ours is no error, what does not answer is.
func TestFoundIDOfOtherSticks(t *testing.T) {
	t.Parallel()
	d := sticktest.New(deviceBytes, 512)
	if id, err := FoundID(d); id != "" || err != nil {
		t.Errorf("an empty device: %q, %v", id, err)
	}
	gone := protocol.NewFault(protocol.FaultDeviceGone)
	d = sticktest.New(deviceBytes, 512)
	d.Fail(sticktest.Read, 1, gone)
	if _, err := FoundID(d); !errors.Is(err, gone) {
		t.Errorf("a device that is gone: %v", err)
	}
}

func flipBit(t *testing.T, d *sticktest.Device, at int64) {
	t.Helper()
	b := alignedBuffer(512)
	d.Peek(b, at/512*512)
	b[at%512] ^= 0x10
	if _, err := d.WriteAt(b, at/512*512); err != nil {
		t.Fatal(err)
	}
}

// Another stick, and the same stick pressed again, are no damaged ones.
func TestRereadOther(t *testing.T) {
	bothLayouts(t, func(t *testing.T, layout string) {
		m := smallMaster(t, layout)
		_, record := pressOne(t, m, layout, "stick_a")
		b, _ := pressOne(t, m, layout, "stick_b")
		_, _, err := Reread(t.Context(), b, record, silently)
		wantFault(t, err, protocol.FaultOtherStick, map[string]string{"what": "stick", "want": "stick_a", "have": "stick_b"})
		again, _ := pressOne(t, m, layout, "stick_a")
		_, _, err = Reread(t.Context(), again, record, silently)
		wantFault(t, err, protocol.FaultOtherStick, map[string]string{"what": "disk_id", "want": record.DiskID})
		_, _, err = Reread(t.Context(), sticktest.New(deviceBytes-512, 512), record, silently)
		wantFault(t, err, protocol.FaultOtherStick, map[string]string{"what": "bytes"})
		_, _, err = Reread(t.Context(), sticktest.New(deviceBytes, 512), record, silently)
		wantFault(t, err, protocol.FaultVerify, map[string]string{"offset": "0"})
	})
}

// What the device says, and an end from outside, are told as they are.
func TestRereadErrors(t *testing.T) {
	t.Parallel()
	m := newMaster(t, protocol.LayoutMBRDual)
	d, record := pressOne(t, m, protocol.LayoutMBRDual, "stick_a")
	reads := func(n int, err error) {
		first := d.Count(sticktest.Read)
		d.Before = func(op sticktest.Op, i int, _, _ int64) error {
			if op == sticktest.Read && i == first+n {
				return err
			}
			return nil
		}
	}
	reads(3, syscall.EIO)
	_, _, err := Reread(t.Context(), d, record, silently)
	wantFault(t, err, protocol.FaultVerify, map[string]string{"have": "unreadable"})
	reads(2, protocol.NewFault(protocol.FaultDeviceGone))
	_, _, err = Reread(t.Context(), d, record, silently)
	wantFault(t, err, protocol.FaultDeviceGone, nil)
	d.Before = nil
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("nobody wants to know")
	cancel(why)
	if _, _, err = Reread(ctx, d, record, silently); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
	broken := *record
	broken.Own = slices.Clone(record.Own)
	broken.Own[0].XXH3 = "?"
	_, _, err = Reread(t.Context(), d, &broken, silently)
	wantFault(t, err, protocol.FaultRecord, nil)
	broken = *record
	broken.Zeros = append(slices.Clone(record.Zeros), protocol.Range(volume.Extent{Offset: 0, Length: 512}))
	_, _, err = Reread(t.Context(), d, &broken, silently)
	wantFault(t, err, protocol.FaultRecord, nil)
}
