package api

import (
	"context"
	"slices"
	"strings"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// IssueStickInput hands a stick out.
type IssueStickInput struct {
	ID        string
	Holder    string // who gets it
	Reference string // the ticket, may be empty
	Revision  int64  // of the stick as seen; 0 does not check
}

// IssueStick records that somebody has the stick now (helpdesk). To hand it to
// who has it already changes nothing, and needs no holder said. Faults: stick_not_found, holder_missing,
// text_too_long, stick_issued{holder}, stick_unready{state},
// stick_not_wiped{port, holder}, stick_lost, stick_retired, stick_busy, stale.
func (c *Console) IssueStick(ctx context.Context, a Actor, in IssueStickInput) (Stick, error) {
	return c.moveStick(ctx, a, UseIssueStick, MoveStickInput{ID: in.ID, Revision: in.Revision}, func(tx *store.Tx, s *store.Stick, by store.Actor) (store.Stick, error) {
		p := store.StickHandover{Holder: strings.TrimSpace(in.Holder), Reference: strings.TrimSpace(in.Reference)}
		if p.Holder == "" && s.Life == store.StickIssued {
			p.Holder = s.Holder // it was pressed for somebody, who has it or is about to
		}
		var nobody error
		if p.Holder == "" {
			nobody = fault.New(fault.KindInvalid, CodeHolderMissing).At("holder")
		}
		if err := fault.All(nobody, tooLong("holder", p.Holder, maxText), tooLong("reference", p.Reference, maxText)); err != nil {
			return store.Stick{}, err
		}
		return tx.IssueStick(ctx, s.ID, p, by)
	})
}

// MoveStickInput says what happened to a stick, and what is known of it.
type MoveStickInput struct {
	ID     string
	Reason string // may be empty; ReturnStick keeps none

	Revision int64 // of the stick as seen; 0 does not check
}

// DeclareStickLost records that nobody knows where a stick is (helpdesk), and
// lists what is to be disabled as its tasks: see lossTasks. Faults:
// stick_not_found, text_too_long, stick_place{life}, stick_busy, stale.
func (c *Console) DeclareStickLost(ctx context.Context, a Actor, in MoveStickInput) (Stick, error) {
	return c.moveStick(ctx, a, UseDeclareStickLost, in, func(tx *store.Tx, s *store.Stick, by store.Actor) (store.Stick, error) {
		tasks, err := lossTasks(ctx, tx, s)
		if err != nil {
			return store.Stick{}, err
		}
		return tx.DeclareStickLost(ctx, s.ID, in.Reason, tasks, by)
	})
}

// StickFound records that a lost stick turned up (helpdesk): it is returned, and
// its open tasks are dropped. Faults: those of DeclareStickLost.
func (c *Console) StickFound(ctx context.Context, a Actor, in MoveStickInput) (Stick, error) {
	return c.moveStick(ctx, a, UseStickFound, in, func(tx *store.Tx, s *store.Stick, by store.Actor) (store.Stick, error) {
		return tx.StickFound(ctx, s.ID, in.Reason, by)
	})
}

// RetireStick takes a stick out of use (admin); ReturnStick brings it back.
// Faults: those of DeclareStickLost, stick_issued{holder}.
func (c *Console) RetireStick(ctx context.Context, a Actor, in MoveStickInput) (Stick, error) {
	return c.moveStick(ctx, a, UseRetireStick, in, func(tx *store.Tx, s *store.Stick, by store.Actor) (store.Stick, error) {
		return tx.RetireStick(ctx, s.ID, in.Reason, by)
	})
}

// moveStick moves a stick in its life and notes who did that. What the map of
// lives refuses is said first: it says more than that somebody was faster.
func (c *Console) moveStick(
	ctx context.Context, a Actor, u UseCase, in MoveStickInput, move func(*store.Tx, *store.Stick, store.Actor) (store.Stick, error),
) (Stick, error) {
	if err := allow(a, u); err != nil {
		return Stick{}, err
	}
	if err := tooLong("reason", in.Reason, maxNotes); err != nil {
		return Stick{}, err
	}
	s, err := c.findStick(ctx, a, in.ID)
	if err != nil {
		return Stick{}, err
	}
	err = c.change(ctx, a, u, func(tx *store.Tx, by store.Actor) error {
		now, err := move(tx, &s, by)
		if err != nil || now.Seq == s.Seq {
			return err
		}
		if err := stickAsSeen(in.ID, in.Revision, now.Revision); err != nil {
			return err
		}
		after := map[string]any{"life": now.Life, "holder": now.Holder}
		if now.Reference != s.Reference {
			after["reference"] = now.Reference
		}
		if in.Reason != "" {
			after["reason"] = in.Reason
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(u), ObjectKind: "stick", ObjectID: in.ID,
			Before: map[string]any{"life": s.Life, "holder": s.Holder}, After: after,
		})
	})
	if err != nil {
		return Stick{}, err
	}
	return c.GetStick(ctx, a, in.ID)
}

// stickAsSeen refuses to have moved a stick that was not as its reader saw it: a
// move is one event, and each raises the revision by one. Faults: stale.
func stickAsSeen(id string, seen, now int64) error {
	if seen > 0 && now != seen+1 {
		return fault.New(fault.KindStale, store.CodeStale, "kind", "stick", "id", id)
	}
	return nil
}

// Issuable reports whether the stick can be handed out, at least to its holder.
func (s *Stick) Issuable() bool {
	here := s.Life == "stock" && s.Holder == "" || s.Life == "returned" && s.Holder != ""
	return here && slices.Contains([]string{"verified", "wiped", "unknown"}, s.State) && s.CheckFault == nil
}

// Losable reports whether DeclareStickLost takes the stick as it is.
func (s *Stick) Losable() bool {
	return slices.Contains([]string{"stock", "issued", "returned"}, s.Life) && !s.inUse()
}

// Retirable reports whether RetireStick takes the stick as it is.
func (s *Stick) Retirable() bool { return s.Life != "retired" && s.Life != "issued" && !s.inUse() }

// inUse reports whether a build has the stick.
func (s *Stick) inUse() bool { return s.State == "pressing" || s.State == "erasing" }
