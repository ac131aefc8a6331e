package stick

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
)

// What was flushed is read back while later content is written, and nothing
// is read back that was not flushed before. Afterwards a page of each is looked
// at again.
func TestReadBackWhileWriting(t *testing.T) {
	t.Parallel()
	p := newPattern(50)
	target, d, r := p.stick(t, 0)
	var mu sync.Mutex
	written, flushed, reads, again := 0, 0, 0, 0
	seen := make(chan struct{})
	d.Before = func(op sticktest.Op, _ int, offset, length int64) error {
		i := p.chunkAt(offset)
		if op == sticktest.Write && i == len(p.chunks)-1 {
			<-seen // the last chunk, while another is read back
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case op == sticktest.Sync:
			flushed = written
		case op == sticktest.Write && i >= 0:
			written = i + 1
		case op == sticktest.Read && i >= 0 && length < patternChunk:
			if reads != len(p.chunks) || flushed != len(p.chunks) {
				t.Errorf("a page of chunk %d was looked at again when %d were flushed and %d read back", i, flushed, reads)
			}
			again++
		case op == sticktest.Read && i >= 0:
			if i >= flushed {
				t.Errorf("chunk %d was read back, %d are flushed", i, flushed)
			}
			if i != reads {
				t.Errorf("chunk %d was read back after %d others", i, reads)
			}
			if reads++; reads == 1 {
				close(seen)
			}
		}
		return nil
	}
	r.progress = func(step protocol.Step, done, _ int64) {
		mu.Lock()
		defer mu.Unlock()
		if step == protocol.StepWrite && done > int64(written)*patternChunk {
			t.Errorf("%d bytes were counted, the stick was given %d chunks", done, written)
		}
	}
	o := pressAll(t.Context(), p, []Target{target}, 4*patternChunk)[0]
	if o.Err != nil {
		t.Fatal(o.Err)
	}
	p.check(t, d)
	content := int64(len(p.chunks) * patternChunk)
	if reads != len(p.chunks) || again != len(p.chunks) || o.Result.BytesVerified < content || o.Result.BytesWritten != content+512 {
		t.Errorf("%d chunks read back, %d looked at again, result %+v", reads, again, o.Result)
	}
	want := []string{"touched", "begun write", "done write", "begun verify", "done verify", "begun table", "done table"}
	for i, e := range r.events {
		if e != want[i] {
			t.Errorf("events %q", r.events)
		}
	}
}

// A stick that loses what it was given is found out while it is being
// written, and alone.
func TestLostWhileWriting(t *testing.T) {
	t.Parallel()
	p := newPattern(50)
	bad, d, r := p.stick(t, 0)
	found := make(chan struct{})
	d.Before = func(op sticktest.Op, _ int, offset, _ int64) error {
		i := p.chunkAt(offset)
		switch {
		case op == sticktest.Write && i == 7:
			return sticktest.ErrLost
		case op == sticktest.Write && i == 20:
			<-found
		case op == sticktest.Read && i == 7:
			close(found)
		case op == sticktest.Read && i > 7:
			t.Errorf("chunk %d was read back after chunk 7 had been found lost", i)
		}
		return nil
	}
	good, g, _ := p.stick(t, 0)
	outcomes := pressAll(t.Context(), p, []Target{bad, good}, 4*patternChunk)
	f := protocol.AsFault(outcomes[0].Err)
	if f == nil || f.Code != protocol.FaultVerify || !f.Touched || f.Params["offset"] != fmt.Sprint(p.chunks[7].Offset) || bootable(d) {
		t.Errorf("%v", outcomes[0].Err)
	}
	if !slices.Equal(r.events, []string{"touched", "begun write"}) {
		t.Errorf("events %q", r.events)
	}
	if outcomes[1].Err != nil {
		t.Error(outcomes[1].Err)
	}
	p.check(t, g)
}

// Whatever breaks while one part is written and another read back, the stick
// ends incomplete.
func TestFaultsWhileReadingBack(t *testing.T) {
	t.Parallel()
	p := newPattern(20)
	whole, device, _ := p.stick(t, 0)
	if o := pressAll(t.Context(), p, []Target{whole}, 4*patternChunk)[0]; o.Err != nil {
		t.Fatal(o.Err)
	}
	operations := device.Operations()
	for n := 1; n <= operations; n++ {
		broken, d, _ := p.stick(t, 0)
		d.FailFrom(n)
		o := pressAll(t.Context(), p, []Target{broken}, 4*patternChunk)[0]
		f := protocol.AsFault(o.Err)
		if f == nil || !f.Touched || (f.Code != protocol.FaultWrite && f.Code != protocol.FaultVerify) {
			t.Fatalf("operation %d of %d: %v", n, operations, o.Err)
		}
		if n < operations-3 && bootable(d) {
			t.Errorf("operation %d of %d failed and the stick has a table", n, operations)
		}
	}
}
