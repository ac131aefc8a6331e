package store

import (
	"context"

	"github.com/stickpress/stickpress/api/fault"
)

// StickUndone is the payload of EventStickUndone: what the stick was before the
// event that is taken back.
type StickUndone struct {
	Undone    int64     `json:"undone"` // the seq of that event
	Life      StickLife `json:"life"`
	Holder    string    `json:"holder,omitempty"`
	Reference string    `json:"reference,omitempty"`
	Data      StickData `json:"data,omitempty"`
}

// applyUndone brings back what the stick was.
func (s *Stick) applyUndone(e *StickEvent) error {
	p, err := decodePayload[StickUndone](&e.Event)
	if err != nil {
		return err
	}
	s.Holder, s.Reference, s.Data = p.Holder, p.Reference, p.Data
	return s.live(p.Life)
}

// Undoable reports whether UndoHandover takes back an event of the stick, by its
// seq and type: it handed the stick out or took it back, and is the newest.
func (s *Stick) Undoable(seq int64, e EventType) bool {
	return seq == s.Seq && (e == EventStickIssued || e == EventStickReturned)
}

// UndoHandover takes back that a stick was handed out or returned, by the seq of
// that event. One that is not Undoable is the fault stick_moved_on; a stick that a
// build is using is stick_busy.
func (tx *Tx) UndoHandover(ctx context.Context, id StickID, seq int64, by Actor) (Stick, error) {
	was, last, err := tx.stickBefore(ctx, id, seq)
	if err != nil {
		return Stick{}, err
	}
	p := StickUndone{Undone: seq, Life: was.Life, Holder: was.Holder, Reference: was.Reference, Data: was.Data}
	return tx.moveStick(ctx, id, by, EventStickUndone, p, func(s *Stick) (bool, error) {
		if !s.Undoable(seq, last) {
			return false, fault.New(fault.KindConflict, CodeStickMovedOn)
		}
		return false, nil
	})
}

// stickBefore is the stick before one of its events, and that event's type;
// empty if there is none.
func (r Reader) stickBefore(ctx context.Context, id StickID, seq int64) (s Stick, at EventType, err error) {
	for s.Seq < seq {
		events, err := r.StickEvents(ctx, id, s.Seq, maxLimit)
		if err != nil || len(events) == 0 {
			return s, "", err
		}
		for _, e := range events {
			if e.Seq == seq {
				return s, e.Type, nil
			}
			if err := s.Apply(e); err != nil {
				return s, "", err
			}
		}
	}
	return s, "", nil
}
