package stick

import "sync"

// pieceBytes is what a stick has of its own to write from, and the same to read
// into. A whole chunk would make no request quicker: the kernel cuts it up
// anyway.
const pieceBytes = mib

// buffers are the memory of one Press. They are taken one by one as they are
// needed and given back all together, when nobody reads or writes any more: see
// mapBytes for why they are not left to the garbage collector.
type buffers struct {
	mu     sync.Mutex
	unmaps []func()
}

// get returns n bytes.
func (b *buffers) get(n int) []byte {
	chunk, unmap := mapBytes(n)
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
