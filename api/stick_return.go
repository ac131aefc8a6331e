package api

import (
	"context"

	"github.com/stickpress/stickpress/store"
)

// ReturnStick records that a stick is back from whoever had it (helpdesk).
// What is on it stays, so that from now on it is pressed for nobody else
// before it is wiped. To return it again changes nothing. Faults:
// stick_not_found, stick_busy.
func (c *Console) ReturnStick(ctx context.Context, a Actor, id string) (Stick, error) {
	if err := allow(a, UseReturnStick); err != nil {
		return Stick{}, err
	}
	s, err := c.findStick(ctx, a, id)
	if err != nil {
		return Stick{}, err
	}
	err = c.change(ctx, a, UseReturnStick, func(tx *store.Tx, by store.Actor) error {
		now, err := tx.ReturnStick(ctx, s.ID, by)
		if err != nil || now.Seq == s.Seq {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseReturnStick), ObjectKind: "stick", ObjectID: id,
			Before: map[string]any{"life": s.Life, "holder": s.Holder}, After: map[string]any{"life": now.Life, "holder": now.Holder},
		})
	})
	if err != nil {
		return Stick{}, err
	}
	return c.GetStick(ctx, a, id)
}
