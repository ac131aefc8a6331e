package stick

import (
	"context"
	"sync"
)

// feedChunks is how many chunks the sticks of a press share at most: 64 MiB.
const feedChunks = 16

// feed reads a master for any number of sticks. Sticks that keep pace share
// what was read: a chunk is read once, checked once and written by all. One
// that falls behind by more than the shared chunks reads again what it needs,
// from the host's page cache as a rule. So no stick ever waits for another,
// and memory stays at feedChunks and two chunks per stick.
type feed struct {
	m      *Master
	limit  int
	chunks []chunk

	mu     sync.Mutex
	slots  map[int]*slot // by index into chunks
	held   int           // buffers
	clock  int
	reads  sync.WaitGroup
	nReads int // for tests: how often the master was read
}

// slot holds a chunk that was read or is being read.
type slot struct {
	index int
	data  []byte
	err   error
	ready chan struct{}
	users int
	used  int // clock of the last use
}

func newFeed(m *Master, sticks int) *feed {
	return &feed{m: m, limit: feedChunks + 2*sticks, chunks: m.manifest.Chunks, slots: make(map[int]*slot)}
}

// get returns chunk i, and reads the one after it meanwhile. The data is
// shared and must not be changed; put gives it back.
func (f *feed) get(ctx context.Context, i int) (*slot, error) {
	f.mu.Lock()
	s := f.take(i)
	if i+1 < len(f.chunks) && f.slots[i+1] == nil {
		f.take(i+1).users-- // nobody's yet
	}
	f.mu.Unlock()
	select {
	case <-s.ready:
	case <-ctx.Done():
		f.put(s)
		return nil, context.Cause(ctx)
	}
	if s.err != nil {
		f.put(s)
		return nil, s.err
	}
	return s, nil
}

// put gives a slot back.
func (f *feed) put(s *slot) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.users--
}

// close waits for reads that are under way.
func (f *feed) close() { f.reads.Wait() }

// take returns the slot of chunk i with one more user, and begins to read it
// if nobody has. Each stick holds one slot and looks one ahead, so that there
// is always a buffer; f.mu is held.
func (f *feed) take(i int) *slot {
	f.clock++
	s := f.slots[i]
	if s == nil {
		s = &slot{index: i, ready: make(chan struct{}), data: f.buffer()[:f.chunks[i].Length]}
		f.slots[i] = s
		f.nReads++
		f.reads.Go(func() {
			s.err = f.m.read(f.chunks[i], s.data)
			close(s.ready)
		})
	}
	s.used = f.clock
	s.users++
	return s
}

// buffer returns a free buffer: a new one below the limit, else that of the
// chunk that was not used for the longest time.
func (f *feed) buffer() []byte {
	if f.held < f.limit {
		f.held++
		return alignedBuffer(chunkBytes)
	}
	var oldest *slot
	for _, s := range f.slots {
		if s.users == 0 && s.done() && (oldest == nil || s.used < oldest.used) {
			oldest = s
		}
	}
	if oldest == nil { // the limit leaves room for every stick's two
		f.held++
		return alignedBuffer(chunkBytes)
	}
	delete(f.slots, oldest.index)
	return oldest.data[:chunkBytes]
}

func (s *slot) done() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}
