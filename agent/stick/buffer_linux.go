package stick

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is what the kernel can map as one.
const hugePage = 2 * mib

// mapBytes returns n bytes in huge pages where the kernel has some. Direct
// I/O looks at every page that it is given: with few in place of
// thousands, a transfer costs half the processor time. The garbage collector
// could not promise where its memory begins.
func mapBytes(n int) (chunk []byte, unmap func()) {
	// What is not used of the mapping is never touched, and takes no memory.
	all, err := unix.Mmap(-1, 0, n+hugePage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return alignedBuffer(n), func() {}
	}
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(all))) & (hugePage - 1))
	chunk = all[skip : skip+n : skip+n]
	_ = unix.Madvise(chunk, unix.MADV_HUGEPAGE) // small pages do, too
	return chunk, func() { _ = unix.Munmap(all) }
}
