package stick

import (
	"encoding/binary"
	"sync"
	"testing"

	"github.com/stickpress/stickpress/agent/stick/sticktest"
	"github.com/stickpress/stickpress/agent/volume"
)

// pattern is Content of many small chunks, made as it is read: what the engine
// does with its sticks is seen in chunks, whatever they are filled with.
type pattern struct {
	chunks []volume.Extent

	mu    sync.Mutex
	reads []int // chunks, in the order in which they were asked for
}

const patternChunk = 16 * kib

func newPattern(n int) *pattern {
	p := &pattern{}
	for i := range n {
		p.chunks = append(p.chunks, volume.Extent{Offset: 2*mib + int64(i)*2*patternChunk, Length: patternChunk})
	}
	return p
}

func (*pattern) Digest() string            { return "pattern" }
func (p *pattern) Chunks() []volume.Extent { return p.chunks }

func (p *pattern) Read(i int, buf []byte) (Sum, error) {
	p.mu.Lock()
	p.reads = append(p.reads, i)
	p.mu.Unlock()
	for at := 0; at < len(buf); at += 8 {
		binary.LittleEndian.PutUint64(buf[at:], uint64(i)<<32|uint64(at))
	}
	return SumOf(buf), nil
}

func (p *pattern) Fit(t *Target) (*Fit, error) {
	sector := make([]byte, 512)
	sector[510], sector[511] = 0x55, 0xAA
	end := t.Device.Size()/Alignment*Alignment - mib
	return &Fit{
		DiskID: "none", Wipe: []volume.Extent{{Offset: 0, Length: mib}, {Offset: end, Length: t.Device.Size() - end}}, Probes: []int64{p.chunks[len(p.chunks)-1].End() + mib},
		Table: []volume.Patch{{Offset: 0, Bytes: sector}},
	}, nil
}

// chunkAt is the number of the chunk that begins at an offset, -1 for none.
func (p *pattern) chunkAt(offset int64) int {
	if i := (offset - 2*mib) / (2 * patternChunk); offset >= 2*mib && i < int64(len(p.chunks)) && p.chunks[i].Offset == offset {
		return int(i)
	}
	return -1
}

// patternStick is a stick with room for the pattern and size more bytes.
func (p *pattern) stick(t testing.TB, size int64) (Target, *sticktest.Device, *reporter) {
	t.Helper()
	d, r := sticktest.New(p.chunks[len(p.chunks)-1].End()+4*mib+size, 512), &reporter{t: t}
	return Target{Device: d, Report: r, Context: t.Context()}, d, r
}

// check fails unless the stick holds the content and its table.
func (p *pattern) check(t testing.TB, d *sticktest.Device) {
	t.Helper()
	want, have := make([]byte, patternChunk), make([]byte, patternChunk)
	for i, c := range p.chunks {
		if _, err := (&pattern{chunks: p.chunks}).Read(i, want); err != nil {
			t.Fatal(err)
		}
		if d.Peek(have, c.Offset); string(have) != string(want) {
			t.Fatalf("chunk %d is not on the stick", i)
		}
	}
	if !bootable(d) {
		t.Error("the stick has no table")
	}
}
