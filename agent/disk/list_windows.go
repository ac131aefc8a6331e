package disk

import (
	"context"

	"github.com/stickpress/stickpress/agent/protocol"
)

// List reports every disk of the machine and every virtual stick, with what
// speaks against writing each (Refusals). Internal disks are listed so that a
// person sees that they were noticed; they are always refused. A device that
// this Lister holds open is Busy and is not asked. One that does not answer is
// not listed.
func (l *Lister) List(ctx context.Context) ([]protocol.Device, error) {
	all, err := l.drives(ctx)
	if err != nil {
		return nil, err
	}
	virtual, err := l.virtualSticks()
	if err != nil {
		return nil, err
	}
	devices := []protocol.Device{}
	if len(all) > 0 {
		m, err := l.look()
		if err != nil {
			return nil, err
		}
		for _, c := range all {
			if !c.Busy {
				c.Refusals = l.refuse(m, c)
			}
			devices = append(devices, c.Device)
		}
	}
	for _, c := range virtual {
		c.Refusals = l.refuse(nil, c)
		c.Busy = l.held(c.Path)
		devices = append(devices, c.Device)
	}
	countDuplicates(devices)
	return devices, ctx.Err()
}
