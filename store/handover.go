package store

import (
	"context"

	"github.com/stickpress/stickpress/api/fault"
)

// StickHandover is the payload of the events about a stick that goes from hand
// to hand, or out of all of them.
type StickHandover struct {
	Holder    string `json:"holder,omitempty"`    // who got it
	Reference string `json:"reference,omitempty"` // the ticket
	Reason    string `json:"reason,omitempty"`    // what is known of a loss, a find, an end
}

// here reports whether the stick can be in somebody's hand: what is lost or out
// of use is not written to before it is back.
func (s *Stick) here() bool { return s.Life != StickLost && s.Life != StickRetired }

func (s *Stick) awayCode() fault.Code {
	if s.Life == StickLost {
		return CodeStickLost
	}
	return CodeStickRetired
}

func (s *Stick) errAway(port string) error {
	return fault.New(fault.KindConflict, s.awayCode(), "port", port).At("devices")
}

// applyHandover moves the stick in its life. Whoever had it last stays known
// when it is lost, found or retired.
func (s *Stick) applyHandover(e *StickEvent) error {
	p, err := decodePayload[StickHandover](&e.Event)
	if err != nil {
		return err
	}
	switch e.Type {
	case EventStickIssued:
		s.Holder, s.Reference, s.Data = p.Holder, p.Reference, DataUnasked
		return s.live(StickIssued)
	case EventStickLost:
		return s.live(StickLost)
	case EventStickRetired:
		return s.live(StickRetired)
	default:
		s.Data = DataOpen
		return s.live(StickReturned)
	}
}

// handOver is moveStick for the events whose payload is StickHandover.
func (tx *Tx) handOver(ctx context.Context, id StickID, by Actor, e EventType, p StickHandover, check func(*Stick) (done bool, err error)) (Stick, error) {
	p.Holder, p.Reference, p.Reason = cleanText(p.Holder), cleanText(p.Reference), cleanText(p.Reason)
	return tx.moveStick(ctx, id, by, e, p, check)
}

// moveStick locks a stick, has check look at it and appends the event. A stick
// that a build is using is the fault stick_busy; check may say that there is
// nothing to do.
func (tx *Tx) moveStick(ctx context.Context, id StickID, by Actor, e EventType, payload any, check func(*Stick) (done bool, err error)) (Stick, error) {
	c := tx.change(by)
	if err := c.lockSticks(ctx, []StickID{id}); err != nil {
		return Stick{}, err
	}
	s, ok := c.sticks[id]
	if !ok {
		return Stick{}, NotFound("stick", id)
	}
	if done, err := check(&s.stick); err != nil || done {
		return s.stick, err
	}
	busy, err := tx.busySticks(ctx, []StickID{id})
	if err != nil {
		return Stick{}, err
	}
	if busy[id] {
		return Stick{}, fault.New(fault.KindConflict, CodeStickBusy, "port", s.stick.Port)
	}
	if err := c.stick(id, Event{Type: e}, payload); err != nil {
		return Stick{}, err
	}
	c.save()
	return s.stick, nil
}

// misplaced refuses what LifeTransitions does not have.
func (s *Stick) misplaced(to StickLife) error {
	if s.Life.CanBecome(to) {
		return nil
	}
	return fault.New(fault.KindConflict, CodeStickPlace, "life", s.Life)
}

// IssueStick hands a stick out to its holder. To hand it to who has it already
// changes nothing; one that another has is the fault stick_issued; what is
// incomplete, or was found changed, is stick_unready; what may hold another's
// data stick_not_wiped; lost and retired ones are stick_lost, stick_retired.
func (tx *Tx) IssueStick(ctx context.Context, id StickID, p StickHandover, by Actor) (Stick, error) {
	return tx.handOver(ctx, id, by, EventStickIssued, StickHandover{Holder: p.Holder, Reference: p.Reference}, func(s *Stick) (bool, error) {
		ready := (s.State == StickVerified || s.State == StickWiped || s.State == StickUnknown) && s.CheckFault == nil
		switch {
		case !s.here():
			return false, s.errAway(s.Port)
		case s.Life == StickIssued && samePerson(s.Holder, p.Holder):
			return true, nil
		case s.Life == StickIssued:
			return false, fault.New(fault.KindConflict, CodeStickIssued, "holder", or(s.Holder, "–"))
		case !ready:
			return false, fault.New(fault.KindConflict, CodeStickUnready, "state", s.State)
		case s.NeedsWipe(p.Holder):
			return false, s.errNotWiped(s.Port)
		}
		return false, s.misplaced(StickIssued)
	})
}

// ReturnStick records that a stick is back, from a person or from retirement.
// To return one that is back changes nothing; one that is lost is found instead
// (the fault stick_lost), one that a build is writing is stick_busy.
func (tx *Tx) ReturnStick(ctx context.Context, id StickID, by Actor) (Stick, error) {
	return tx.handOver(ctx, id, by, EventStickReturned, StickHandover{}, func(s *Stick) (bool, error) {
		if s.Life == StickLost {
			return false, s.errAway(s.Port)
		}
		return s.Life == StickReturned, nil
	})
}

// DeclareStickLost records that nobody knows where the stick is, with what is to
// be done about it. A stick that is lost or retired is the fault stick_place.
func (tx *Tx) DeclareStickLost(ctx context.Context, id StickID, reason string, tasks []NewStickTask, by Actor) (Stick, error) {
	s, err := tx.handOver(ctx, id, by, EventStickLost, StickHandover{Reason: reason}, func(s *Stick) (bool, error) {
		return false, s.misplaced(StickLost)
	})
	if err != nil {
		return s, err
	}
	return s, tx.addStickTasks(ctx, id, tasks)
}

// StickFound records that a lost stick turned up: it is back with whatever is on
// it, and what was not done about its loss need not be. One that is not lost is
// the fault stick_place.
func (tx *Tx) StickFound(ctx context.Context, id StickID, reason string, by Actor) (Stick, error) {
	s, err := tx.handOver(ctx, id, by, EventStickFound, StickHandover{Reason: reason}, func(s *Stick) (bool, error) {
		if s.Life != StickLost {
			return false, fault.New(fault.KindConflict, CodeStickPlace, "life", s.Life)
		}
		return false, nil
	})
	if err != nil {
		return s, err
	}
	return s, tx.dropStickTasks(ctx, id)
}

// RetireStick takes a stick out of use. One that somebody has is the fault
// stick_issued: it is taken back first, or declared lost; one that is out of use
// already is stick_place.
func (tx *Tx) RetireStick(ctx context.Context, id StickID, reason string, by Actor) (Stick, error) {
	return tx.handOver(ctx, id, by, EventStickRetired, StickHandover{Reason: reason}, func(s *Stick) (bool, error) {
		if s.Life == StickIssued {
			return false, fault.New(fault.KindConflict, CodeStickIssued, "holder", or(s.Holder, "–"))
		}
		return false, s.misplaced(StickRetired)
	})
}
