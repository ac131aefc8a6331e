package stick

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick/sticktest"
)

// Sticks that keep pace share one reading of the content, in its order.
func TestReadOnce(t *testing.T) {
	t.Parallel()
	p := newPattern(100)
	f := newFeed(p)
	for i := range p.chunks {
		for range 2 {
			s, err := f.get(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			if s.index != i || s.sum != SumOf(s.data) {
				t.Errorf("asked for chunk %d, got %d", i, s.index)
			}
			f.put(s)
		}
	}
	f.close()
	if len(p.reads) != len(p.chunks) || !slices.IsSorted(p.reads) {
		t.Errorf("chunks were read in the order %v", p.reads)
	}
	if f.held != feedChunks {
		t.Errorf("%d buffers, want %d", f.held, feedChunks)
	}
}

// One stick takes a chunk for every five of the others, which are never more
// than three apart. They never wait for it: it is by far not finished when
// they are. It alone reads again, and once, what it was too late for.
func TestSlowStickReadsAgain(t *testing.T) {
	t.Parallel()
	p := newPattern(200)
	const quick, apart, lag = 7, 3, 5
	var mu sync.Mutex
	turn := sync.NewCond(&mu)
	taken := make([]int, quick) // chunks
	least := func() int { return slices.Min(taken) }
	// pace lets a stick take chunk i when may says so.
	pace := func(d *sticktest.Device, may func(i int) bool, took func(i int)) {
		d.Before = func(op sticktest.Op, _ int, offset, _ int64) error {
			if i := p.chunkAt(offset); op == sticktest.Write && i >= 0 {
				mu.Lock()
				defer mu.Unlock()
				for !may(i) {
					turn.Wait()
				}
				took(i)
				turn.Broadcast()
			}
			return nil
		}
	}
	var targets []Target
	for stick := range quick {
		target, d, _ := p.stick(t, 0)
		pace(d, func(i int) bool { return i <= least()+apart }, func(i int) { taken[stick] = i + 1 })
		targets = append(targets, target)
	}
	slow, d, _ := p.stick(t, 0)
	behind := 0
	pace(d, func(i int) bool { return least() >= min(lag*(i+1), len(p.chunks)) }, func(i int) {
		if least() < len(p.chunks) {
			behind = i
		}
	})
	for i, o := range pressAll(t.Context(), p, append(targets, slow), 4*patternChunk) {
		if o.Err != nil {
			t.Errorf("target %d: %v", i, o.Err)
		}
	}
	p.check(t, d)
	if behind > len(p.chunks)/lag {
		t.Errorf("the slow stick had %d of %d chunks when the others had all", behind, len(p.chunks))
	}
	again := make(map[int]int)
	for _, i := range p.reads {
		if again[i]++; again[i] > 2 {
			t.Errorf("chunk %d was read %d times", i, again[i])
		}
	}
	if len(p.reads) < len(p.chunks)*3/2 {
		t.Errorf("%d reads: the slow stick shared what it was too late for", len(p.reads))
	}
}

// Up to 32 sticks of different sizes, some of them broken in different ways:
// each ends by itself, and what is held in memory stays within what README
// says: 64 MB, and 16 MB for each stick.
func TestManySticks(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 16, 32} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			p := newPattern(60)
			f := newFeed(p)
			var held []*slot
			for i := range n { // as far apart as they can be
				s, err := f.get(t.Context(), i)
				if err != nil {
					t.Fatal(err)
				}
				held = append(held, s)
			}
			for _, s := range held {
				f.put(s)
			}
			if most := f.held*ChunkBytes + n*2*pieceBytes; most > 64*mib+16*mib*n {
				t.Errorf("%d bytes for %d sticks", most, n)
			}
			f.close()
			var targets []Target
			var devices []*sticktest.Device
			for i := range n {
				target, d, _ := p.stick(t, int64(i)*7*512)
				if i%5 == 4 {
					d.FailFrom(20 + i)
				}
				targets, devices = append(targets, target), append(devices, d)
			}
			for i, o := range pressAll(t.Context(), p, targets, 4*patternChunk) {
				if i%5 == 4 {
					if f := protocol.AsFault(o.Err); f == nil || !f.Touched || bootable(devices[i]) {
						t.Errorf("stick %d: %v", i, o.Err)
					}
					continue
				}
				if o.Err != nil {
					t.Errorf("stick %d: %v", i, o.Err)
					continue
				}
				p.check(t, devices[i])
			}
		})
	}
}
