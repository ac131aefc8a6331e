package api

import (
	"context"

	"github.com/stickpress/stickpress/store"
)

// ReturnStick records that a stick is back from whoever had it, or from
// retirement (helpdesk). What is on it stays, so that from now on it is pressed
// for nobody else before it is wiped. To return it again changes nothing.
// Faults: stick_not_found, stick_lost (it is found instead), stick_busy, stale.
func (c *Console) ReturnStick(ctx context.Context, a Actor, in MoveStickInput) (Stick, error) {
	in.Reason = ""
	return c.moveStick(ctx, a, UseReturnStick, in, func(tx *store.Tx, s *store.Stick, by store.Actor) (store.Stick, error) {
		return tx.ReturnStick(ctx, s.ID, by)
	})
}
