package store

import (
	"strings"

	"github.com/stickpress/stickpress/api/fault"
)

// StickLife is where a stick is in its life between the shelf and a person's
// pocket. It is apart from StickState, which is what the stick carries.
type StickLife string

// The stations of a stick's life.
const (
	StickStock    StickLife = "stock"    // nobody has it, as far as is known
	StickIssued   StickLife = "issued"   // its holder has it, or is about to
	StickReturned StickLife = "returned" // back, with whatever is on it
	StickLost     StickLife = "lost"     // nobody knows where it is
	StickRetired  StickLife = "retired"  // out of use
)

// StickLives lists the stations in their order.
var StickLives = []StickLife{StickStock, StickIssued, StickReturned, StickLost, StickRetired}

// LifeTransitions is the whole life of a stick.
var LifeTransitions = []Transition[StickLife]{
	{StickStock, StickIssued, "handed out, or pressed and verified for a holder"},
	{StickStock, StickReturned, "taken back; who had it is not known"},
	{StickStock, StickLost, "declared lost"},
	{StickStock, StickRetired, "taken out of use"},
	{StickIssued, StickReturned, "taken back; or its handing out again was undone"},
	{StickIssued, StickStock, "wiped, or pressed and verified for nobody; or its handing out was undone"},
	{StickIssued, StickLost, "declared lost"},
	{StickReturned, StickStock, "wiped, or pressed and verified for nobody; or its return was undone"},
	{StickReturned, StickIssued, "handed out to its holder again, or pressed and verified for a holder; or its return was undone"},
	{StickReturned, StickLost, "declared lost"},
	{StickReturned, StickRetired, "taken out of use; or its return was undone"},
	{StickLost, StickReturned, "found, with whatever is on it"},
	{StickLost, StickRetired, "given up"},
	{StickRetired, StickReturned, "taken back into use, with whatever is on it"},
}

// CanBecome reports whether LifeTransitions has the change.
func (l StickLife) CanBecome(to StickLife) bool { return allows(LifeTransitions, l, to) }

// live moves the stick on; where it is already, nothing changes.
func (s *Stick) live(to StickLife) error {
	if s.Life == to {
		return nil
	}
	if !s.Life.CanBecome(to) {
		return errTransition("stick", s.Life, to)
	}
	s.Life = to
	return nil
}

// applyLife says whose the stick is now. From the first byte that is pressed
// for somebody there may be something of theirs on it; only what was verified
// takes the place of an earlier holder's, and only a wipe leaves nobody's.
func (s *Stick) applyLife(e *StickEvent, p *StickContent) error {
	s.Reference = "" // the build has its own
	switch e.Type {  //nolint:exhaustive // the others change nothing of it
	case EventStickPressing:
		s.Holder = bothHolders(s.Holder, p.Holder)
	case EventStickVerified:
		s.Holder, s.Data = p.Holder, DataUnasked
		if p.Holder != "" {
			return s.live(StickIssued)
		}
		return s.live(StickStock)
	case EventStickWiped:
		s.Holder, s.Data = "", DataUnasked
		return s.live(StickStock)
	}
	return nil
}

// bothHolders names all whose content may be on a stick: none of them may have
// it before it is whole again, or wiped.
func bothHolders(had, next string) string {
	if had == "" || next == "" {
		return or(had, next)
	}
	for one := range strings.SplitSeq(had, "; ") {
		if samePerson(one, next) {
			return had
		}
	}
	return had + "; " + next
}

func samePerson(a, b string) bool {
	return strings.EqualFold(strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " "))
}

// NeedsWipe reports whether the stick may hold what must not come into the
// hands of the holder, who may be nobody in particular (""): content that was
// pressed for somebody else, or whatever an unknown person left on it.
func (s *Stick) NeedsWipe(holder string) bool {
	if s.Holder == "" {
		return s.Life == StickReturned
	}
	return !samePerson(s.Holder, holder)
}

// errNotWiped names the previous holder, "–" where nobody knows.
func (s *Stick) errNotWiped(port string) error {
	return fault.New(fault.KindConflict, CodeStickNotWiped, "port", port, "holder", or(s.Holder, "–")).At("devices")
}
