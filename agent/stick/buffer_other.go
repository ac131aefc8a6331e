//go:build !linux

package stick

// mapChunk leaves the memory to the garbage collector.
func mapChunk() (chunk []byte, unmap func()) { return alignedBuffer(ChunkBytes), func() {} }
