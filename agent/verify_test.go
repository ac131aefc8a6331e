package agent

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
	"github.com/stickpress/stickpress/agent/volume"
)

// tiny is content of two chunks, and a partition table.
type tiny struct{ signature byte }

func (tiny) Digest() string { return "tiny" }

func (tiny) Chunks() []volume.Extent {
	return []volume.Extent{{Offset: 1 << 20, Length: 8192}, {Offset: 2 << 20, Length: 4096}}
}

func (tiny) Read(i int, b []byte) (stick.Sum, error) {
	for n := range b {
		b[n] = byte(n*7 + i)
	}
	return stick.SumOf(b), nil
}

func (c tiny) Fit(t *stick.Target) (*stick.Fit, error) {
	table := make([]byte, 512)
	table[440], table[446+4], table[510], table[511] = c.signature, 7, 0x55, 0xAA
	return &stick.Fit{
		DiskID: stick.Personal{DiskSignature: uint32(c.signature)}.DiskID(protocol.LayoutMBRDual),
		Wipe:   []volume.Extent{{Offset: 0, Length: 64 << 10}}, Table: []volume.Patch{{Bytes: table}},
	}, nil
}

// report hears of nothing.
type report struct{}

func (report) StepBegun(protocol.Step)              {}
func (report) StepDone(protocol.Step)               {}
func (report) Touched() error                       { return nil }
func (report) Progress(protocol.Step, int64, int64) {}
func (report) Log(protocol.LogLine)                 {}
func (report) Checked(protocol.Check)               {}

// written makes the stick in a port one that was pressed, here or elsewhere.
func (h *host) written(port string, signature byte) (*sticktest.Device, *stick.Record) {
	h.t.Helper()
	d := sticktest.New(8<<20, 512)
	personal := stick.Personal{StickID: "stick_of_" + port}
	o := stick.Press(h.t.Context(), tiny{signature}, []stick.Target{{Device: d, Personal: personal, Context: h.t.Context(), Report: report{}}})[0]
	if o.Err != nil || o.Record == nil {
		h.t.Fatal(o.Err)
	}
	h.rack.devices[port].unused, h.rack.devices[port].size = d, d.Size()
	return d, o.Record
}

// blank overwrites a sector with zeros.
func blank(t *testing.T, d *sticktest.Device, at int64) {
	t.Helper()
	b := make([]byte, 1024)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) & 511 // as direct I/O wants it
	if _, err := d.WriteAt(b[skip:skip+512], at); err != nil {
		t.Fatal(err)
	}
}

// verifying assigns a verification of the sticks in the ports.
func (h *host) verifying(diskID string, ports ...string) {
	a := h.assignment(ports...)
	a.Kind, a.Image, a.Recipe, a.Ticket = protocol.JobVerify, protocol.Image{}, protocol.Recipe{}, ""
	for i := range a.Builds {
		a.Builds[i].Verify = &protocol.VerifyBuild{DiskID: diskID}
	}
	h.send(a)
}

// end is the last event of an attempt.
func (h *host) end(n int) protocol.Event {
	h.t.Helper()
	synctest.Wait()
	h.srv.mu.Lock()
	defer h.srv.mu.Unlock()
	for _, e := range h.srv.got {
		if e.AttemptRef == ref(n, 1) && e.Type.Terminal() {
			return e
		}
	}
	h.t.Fatalf("attempt %d has no end", n)
	return protocol.Event{}
}

// A stick that this host wrote is compared with what this host kept, and is not
// written to; one that has changed is named.
func TestVerify(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		good, record := h.written("1-1", 1)
		bad, spoilt := h.written("1-2", 2)
		blank(t, bad, 2<<20)
		h.start()
		h.agent.records.keep(record)
		h.agent.records.keep(spoilt)
		writes := good.Count(sticktest.Write)
		h.verifying("", "1-1", "1-2")
		h.wantStory(ref(1, 1), "accepted preflight< preflight> verify< verify> verified")
		h.wantStory(ref(2, 1), "accepted preflight< preflight> verify< failed:verify_mismatch:untouched")
		if c := h.end(1).Result.Check; c == nil || c.Outcome != protocol.OutcomeIntact || c.StickID != "stick_of_1-1" || c.DiskID != record.DiskID {
			t.Errorf("%+v", c)
		}
		if p := h.end(2).Fault.Params; p["offset"] != "2097152" || p["stick"] != "stick_of_1-2" {
			t.Errorf("%v", p)
		}
		if good.Count(sticktest.Write) != writes || h.rack.devices["1-1"].open || h.srv.asked != 0 {
			t.Errorf("%d writes, open %v, asked for images %d times", good.Count(sticktest.Write)-writes, h.rack.devices["1-1"].open, h.srv.asked)
		}
	})
}

// Copies of a disk image have one record: what is found is said of the stick in
// the port, and never of the copy that was written last.
func TestVerifyOfACopy(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		_, record := h.written("1-1", 1)
		bad, _ := h.written("1-2", 1)
		blank(t, bad, 2<<20)
		record.Copy, record.StickID = true, "stick_written_last"
		h.srv.want = func(p *peer, m *protocol.WantRecord) { p.send(t, &protocol.Record{WantRecord: *m}) }
		h.start()
		h.agent.records.keep(record)
		h.verifying("", "1-1", "1-2")
		h.wantStory(ref(1, 1), "accepted preflight< preflight> verify< verify> verified")
		if got := h.end(1).Result.Check.StickID; got != "stick_1" {
			t.Errorf("said of %s", got)
		}
		if got := h.end(2).Fault.Params["stick"]; got != "stick_2" {
			t.Errorf("said of %s", got)
		}
	})
}

// Two versions of a disk image share their disk's ID. Each stick is said to
// carry what it carries, whichever was written last, and whether this host or
// another wrote it.
func TestVerifyOfTwoVersions(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		_, first := h.written("1-1", 1)
		d, second := h.written("1-2", 1)
		other := stick.Press(t.Context(), newer{tiny{1}}, []stick.Target{{Device: d, Context: t.Context(), Report: report{}}})[0]
		if other.Err != nil || other.Record.Common == first.Common {
			t.Fatal(other.Err)
		}
		first.Copy, first.StickID, second = true, "", other.Record
		h.srv.want = func(p *peer, m *protocol.WantRecord) {
			answer := &protocol.Record{WantRecord: *m, Others: []string{second.Common}}
			if m.Common == second.Common {
				answer.Stick, answer.Body = &second.StickRecord, second.Body
			}
			p.send(t, answer)
		}
		h.start()
		h.agent.records.keep(first)
		h.verifying("", "1-1", "1-2")
		later(time.Minute)
		for n, want := range map[int]*stick.Record{1: first, 2: second} {
			h.wantStory(ref(n, 1), "accepted preflight< preflight> verify< verify> verified")
			if c := h.end(n).Result.Check; c.Common != want.Common || c.StickID != fmt.Sprintf("stick_%d", n) {
				t.Errorf("stick %d: %+v", n, c)
			}
		}
	})
}

// newer is another version of tiny.
type newer struct{ tiny }

func (newer) Read(i int, b []byte) (stick.Sum, error) {
	for n := range b {
		b[n] = byte(n*5 + i)
	}
	return stick.SumOf(b), nil
}

// What another host wrote is asked for, over the next connection too; what
// nobody has is said so.
func TestVerifyOfAnotherHostsStick(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		_, record := h.written("1-1", 1)
		h.written("1-2", 2)
		asked := 0
		h.srv.want = func(p *peer, m *protocol.WantRecord) {
			answer := &protocol.Record{WantRecord: *m}
			if m.DiskID == record.DiskID {
				if asked++; asked == 1 {
					_ = p.Close() // before the answer
					return
				}
				answer.Stick, answer.Body = &record.StickRecord, record.Body
			}
			p.send(t, answer)
		}
		h.start()
		h.verifying("", "1-1", "1-2")
		later(time.Minute)
		h.wantStory(ref(1, 1), "accepted preflight< preflight> verify< verify> verified")
		h.wantStory(ref(2, 1), "accepted preflight< preflight> verify< failed:record_missing:untouched")
	})
}

// A stick without a table is compared with what it should be.
func TestVerifyOfAnUnreadableStick(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		d, record := h.written("1-1", 1)
		blank(t, d, 0)
		h.start()
		h.agent.records.keep(record)
		h.verifying(record.DiskID, "1-1")
		h.wantStory(ref(1, 1), "accepted preflight< preflight> verify< failed:verify_mismatch:untouched")
		if f := h.end(1).Fault; f.Params["offset"] != "0" {
			t.Errorf("%v", f)
		}
	})
}

// A server's question is answered, also that there is nothing.
func TestWantRecord(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		_, record := h.written("1-1", 1)
		h.start()
		h.agent.records.keep(record)
		synctest.Wait()
		for _, common := range []string{record.Common, "0000"} {
			h.srv.peer().send(t, &protocol.WantRecord{Common: common})
		}
		synctest.Wait()
		h.srv.mu.Lock()
		defer h.srv.mu.Unlock()
		if len(h.srv.records) != 2 || string(h.srv.records[0].Body) != string(record.Body) || h.srv.records[1].Body != nil {
			t.Errorf("%+v", h.srv.records)
		}
	})
}

// A cancelled verification ends at once.
func TestVerifyCancelled(t *testing.T) {
	inBubble(t, func(t *testing.T, h *host) {
		h.written("1-1", 1)
		h.srv.want = func(*peer, *protocol.WantRecord) {} // never answers
		h.start()
		h.verifying("", "1-1")
		synctest.Wait()
		h.srv.peer().send(t, &protocol.Cancel{Attempts: []protocol.AttemptRef{ref(1, 1)}})
		h.wantStory(ref(1, 1), "accepted preflight< preflight> verify< cancelled:cancelled:untouched")
	})
}
