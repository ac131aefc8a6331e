//go:build !linux

package stick

// mapBytes leaves the memory to the garbage collector.
func mapBytes(n int) (chunk []byte, unmap func()) { return alignedBuffer(n), func() {} }
