package stick

import "sync"

// buffers are the memory of one Press, ChunkBytes each. They are taken one by
// one as they are needed and given back all together, when nobody reads or
// writes any more: see mapChunk for why they are not left to the garbage
// collector.
type buffers struct {
	mu     sync.Mutex
	unmaps []func()
}

func (b *buffers) get() []byte {
	chunk, unmap := mapChunk()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unmaps = append(b.unmaps, unmap)
	return chunk
}

// close ends the use of all buffers.
func (b *buffers) close() {
	for _, unmap := range b.unmaps {
		unmap()
	}
	b.unmaps = nil
}
