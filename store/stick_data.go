package store

import (
	"context"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
)

// StickData is whether a stick that came back may hold what its user made, and
// what became of that. While it is open nothing is written to the stick.
type StickData string

// What is known of a user's data.
const (
	DataUnasked StickData = ""         // it did not come back since it was pressed, wiped or handed out
	DataOpen    StickData = "open"     // it came back, and nobody has said
	DataNone    StickData = "none"     // it holds none: somebody looked, or it was proven to be as it was pressed
	DataCopied  StickData = "copied"   // it was copied
	DataGivenUp StickData = "given_up" // somebody signed its loss
)

// StickDataSettled is the payload of EventStickDataSettled.
type StickDataSettled struct {
	Data           StickData `json:"data"`
	Signer         string    `json:"signer,omitempty"` // who answers for a loss
	Reason         string    `json:"reason,omitempty"` // of a loss; where a copy lies
	ImageVersionID VersionID `json:"image_version_id"` // that a capture made of the stick
}

// applyDataSettled closes the question.
func (s *Stick) applyDataSettled(e *StickEvent) error {
	p, err := decodePayload[StickDataSettled](&e.Event)
	if err == nil {
		s.Data = p.Data
	}
	return err
}

// Used reports whether the last comparison found that Windows has run from the
// stick since it was pressed, or that somebody changed it: then it holds what they
// did there.
func (s *Stick) Used() bool {
	return s.CheckFault != nil || s.CheckResult != nil && s.CheckResult.Outcome == protocol.OutcomeUsed
}

// SettleStickData closes the question for a stick of which it is open, else it
// is the fault stick_data_settled. One from which Windows has run does not hold
// none: stick_data_used. What a build is using is stick_busy.
func (tx *Tx) SettleStickData(ctx context.Context, id StickID, p StickDataSettled, by Actor) (Stick, error) {
	p.Signer, p.Reason = cleanText(p.Signer), cleanText(p.Reason)
	return tx.moveStick(ctx, id, by, EventStickDataSettled, p, func(s *Stick) (bool, error) {
		switch {
		case s.Data != DataOpen:
			return false, fault.New(fault.KindConflict, CodeStickDataSettled)
		case p.Data == DataNone && s.Used():
			return false, fault.New(fault.KindConflict, CodeStickDataUsed).At("data")
		}
		return false, nil
	})
}

// errDataOpen refuses to write over what nobody has looked at.
func (s *Stick) errDataOpen(port string) error {
	return fault.New(fault.KindConflict, CodeStickDataOpen, "port", port, "stick", s.ID).At("devices")
}

// checkData refuses to write to a stick that came back, before its user's data
// is copied or given up: by what the console knows of the stick, and of the one
// whose manifest lies on it. The sticks are locked.
func (c *change) checkData(kind protocol.JobKind, n *NewJob, sticks []StickID) error {
	if !kind.Writes() {
		return nil
	}
	for i, b := range n.Builds {
		for _, id := range []StickID{sticks[i], carriedBy(&b.Device)} {
			if s, known := c.sticks[id]; known && s.stick.Data == DataOpen {
				return s.stick.errDataOpen(b.Device.Port)
			}
		}
	}
	return nil
}

// applyCopied notes that a capture has copied what was on a stick that came
// back.
func (r *reporter) applyCopied(s *jobStream, b *Build, cause *Event) error {
	stick, known := r.sticks[b.StickID]
	if !known || b.State != BuildVerified || stick.stick.Data != DataOpen {
		return nil
	}
	event := Event{Type: EventStickDataSettled, BuildID: b.ID, Attempt: b.Attempt, HostSeq: cause.HostSeq, HostAt: cause.HostAt}
	return r.stick(b.StickID, event, StickDataSettled{Data: DataCopied, ImageVersionID: r.captured[s.job.ID]})
}
