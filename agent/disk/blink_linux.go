package disk

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/stickpress/stickpress/agent/protocol"
)

// findToBlink finds the device that want names, if its light may flash.
func (l *Lister) findToBlink(_ context.Context, want protocol.Identity) (*candidate, error) {
	c, err := l.find(want)
	if err != nil {
		return nil, err
	}
	if f := compare(c.Path, want, c.Identity); f != nil {
		return nil, f
	}
	for _, faults := range [][]*protocol.Fault{guardRemovable(nil, c), guardFile(nil, c), guardMedium(nil, c)} {
		if len(faults) > 0 {
			return nil, faults[0]
		}
	}
	return c, nil
}

// openBlink opens for reading, past the cache where that is possible.
func openBlink(c *candidate) (*os.File, error) {
	const flags = os.O_RDONLY | unix.O_NOFOLLOW
	f, err := os.OpenFile(c.Path, flags|unix.O_DIRECT, 0)
	if errors.Is(err, unix.EINVAL) {
		return os.OpenFile(c.Path, flags, 0)
	}
	return f, err
}
