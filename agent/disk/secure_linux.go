package disk

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SecureDiscard has the device erase a range, and every copy of it that it
// knows of, before it returns. It returns errors.ErrUnsupported where the
// kernel or the device cannot, which is so for all but some cards in a slot of
// their own (BLKSECDISCARD; MMC secure erase and secure trim).
func (h *Handle) SecureDiscard(off, length int64) error {
	if h.sys == "" {
		return fmt.Errorf("secure discard on %s: %w", h.device.Path, errors.ErrUnsupported)
	}
	if err := h.arm(off, length); err != nil {
		return err
	}
	span := [2]uint64{uint64(off), uint64(length)}
	err := ioctl(int(h.file.Fd()), unix.BLKSECDISCARD, unsafe.Pointer(&span))
	switch {
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOTTY):
		return fmt.Errorf("secure discard on %s: %w", h.device.Path, errors.ErrUnsupported)
	case err != nil:
		return h.writeFailed(off, err)
	}
	return nil
}
