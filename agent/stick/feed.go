package stick

import (
	"context"
	"sync"

	"github.com/stickpress/stickpress/agent/volume"
)

const (
	// feedChunks is how many chunks the sticks of a press share: 64 MiB, less
	// what the decoder takes that reads for all of them.
	feedChunks = 16
	// feedAhead of them are read before the quickest stick asks for them.
	feedAhead = 2
)

// feed reads content for any number of sticks. Sticks that keep pace share
// what was read: a chunk is read once, checked once and written by all. One
// that falls behind by more than the shared chunks reads again what it needs,
// from the host's page cache as a rule, and shares it with whoever is as slow.
// So no stick ever waits for another, and memory stays at feedChunks; at worst,
// when all sticks are at different places, at one chunk per stick more, and at
// one decoder per stick where the content is decoded.
type feed struct {
	content Content
	shared  int // chunks
	chunks  []volume.Extent
	memory  buffers // of the sticks, too

	mu    sync.Mutex
	slots map[int]*slot // by index into chunks
	lead  int           // all chunks before were read by the reader, or are being read
	last  *slot         // the reader's newest
	held  int           // buffers
	clock int
	reads sync.WaitGroup
}

// slot holds a chunk that was read or is being read.
type slot struct {
	index   int
	data    []byte
	sum     Sum
	lasting lasting
	err     error
	ready   chan struct{}
	users   int
	used    int // clock of the last use
}

func newFeed(content Content) *feed {
	f := &feed{content: content, shared: feedChunks, chunks: content.Chunks(), slots: make(map[int]*slot)}
	if d, ok := content.(Decoded); ok {
		f.shared -= int((d.DecoderBytes() + ChunkBytes - 1) / ChunkBytes)
	}
	return f
}

// get returns chunk i; whoever got it gets the next ones in their order. The
// data is shared and must not be changed; put gives it back.
func (f *feed) get(ctx context.Context, i int) (*slot, error) {
	f.mu.Lock()
	for f.lead < len(f.chunks) && f.lead <= i+feedAhead {
		f.read(f.lead, f.last)
		f.last = f.slots[f.lead]
		f.lead++
	}
	s := f.slots[i]
	if s == nil { // too late for the shared one
		s = f.read(i, nil)
	}
	f.clock++
	s.used = f.clock
	s.users++
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

// close waits for reads that are under way. Nobody uses a slot any more.
func (f *feed) close() {
	f.reads.Wait()
	f.memory.close()
}

// read begins to read a chunk, when the one before is there; f.mu is held.
func (f *feed) read(i int, before *slot) *slot {
	f.clock++
	s := &slot{index: i, ready: make(chan struct{}), used: f.clock, data: f.buffer()[:f.chunks[i].Length]}
	f.slots[i] = s
	f.reads.Go(func() {
		defer close(s.ready)
		if before != nil {
			<-before.ready
		}
		if s.sum, s.err = f.content.Read(i, s.data); s.err == nil {
			s.lasting = lastingOf(s.data, f.chunks[i].Offset)
		}
	})
	return s
}

// buffer returns a free buffer: that of the chunk that was not used for the
// longest time, or a new one while there are few, or where each is in use.
func (f *feed) buffer() []byte {
	var oldest *slot
	for _, s := range f.slots {
		if s.users == 0 && s.done() && (oldest == nil || s.used < oldest.used) {
			oldest = s
		}
	}
	if f.held < f.shared || oldest == nil {
		f.held++
		return f.memory.get(ChunkBytes)
	}
	delete(f.slots, oldest.index)
	return oldest.data[:ChunkBytes]
}

func (s *slot) done() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}
