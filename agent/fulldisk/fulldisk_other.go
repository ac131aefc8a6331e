//go:build !windows

package fulldisk

// words beside syscall.ENOSPC: none.
var words []error
