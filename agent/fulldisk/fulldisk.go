// Package fulldisk gives a full disk one name on every system: syscall.ENOSPC,
// which Windows knows and never returns.
package fulldisk

import (
	"errors"
	"fmt"
	"syscall"
)

// Wrap returns err so that errors.Is finds syscall.ENOSPC in it, if it says in
// the system's own words that a disk is full. Any other error, and nil, stays
// what it is.
func Wrap(err error) error { return wrap(err, words) }

func wrap(err error, words []error) error {
	if err == nil || errors.Is(err, syscall.ENOSPC) {
		return err
	}
	for _, w := range words {
		if errors.Is(err, w) {
			return fmt.Errorf("%w: %w", syscall.ENOSPC, err)
		}
	}
	return err
}
