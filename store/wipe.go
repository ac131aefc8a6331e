package store

import (
	"context"
	"errors"
	"slices"

	"github.com/stickpress/stickpress/agent/protocol"
)

// applyWipe is applyStick for a build that erases.
func (r *reporter) applyWipe(s *jobStream, b *Build, cause *Event) error {
	event := Event{BuildID: b.ID, Attempt: b.Attempt, HostSeq: cause.HostSeq, HostAt: cause.HostAt}
	switch {
	case cause.Type == EventBuildTouched:
		event.Type = EventStickErasing
		return r.stick(b.StickID, event, StickContent{})
	case b.State == BuildVerified:
		id, err := newID[certificateKind](r.tx)
		if err != nil {
			return err
		}
		stick, ok := r.sticks[b.StickID]
		if !ok {
			return NotFound("stick", b.StickID)
		}
		w := Wiped{CertificateID: id, Holder: stick.stick.Holder}
		event.Type = EventStickWiped
		if err := r.stick(b.StickID, event, StickContent{Wipe: b.Result.Wipe, CertificateID: id}); err != nil {
			return err
		}
		w.Stick, w.Job, w.Build = stick.stick, s.job, *b
		r.applied.Wiped = append(r.applied.Wiped, w)
	case b.State.Final() && b.Touched:
		event.Type = EventStickIncomplete
		return r.stick(b.StickID, event, StickContent{Fault: b.Fault})
	}
	return nil
}

// proven reports whether a host's result says that all of the build's device
// was erased by what the job asked for, and read back. The console certifies
// nothing less.
func proven(asked *protocol.WipeOptions, b *Build, res *protocol.Result) bool {
	if asked == nil || res == nil || res.Wipe == nil {
		return false
	}
	w := res.Wipe
	if w.Asked != asked.Method || w.Bytes != b.Device.Bytes || res.BytesVerified != w.Bytes {
		return false
	}
	if w.Method == protocol.WipeOverwrite {
		return asked.Method != protocol.WipeDiscard && w.Passes >= 1 && w.Passes >= asked.Passes &&
			res.BytesWritten/int64(w.Passes) >= w.Bytes
	}
	return w.Method == protocol.WipeDiscard && asked.Method != protocol.WipeOverwrite && w.BytesDiscarded == w.Bytes
}

// checkHere refuses to write to a stick that is lost or out of use. The sticks
// are locked: whoever declares one lost later finds it busy.
func (c *change) checkHere(kind protocol.JobKind, n *NewJob, sticks []StickID) error {
	if !kind.Writes() {
		return nil
	}
	for i, b := range n.Builds {
		for _, id := range []StickID{sticks[i], carriedBy(&b.Device)} {
			if s, known := c.sticks[id]; known && !s.stick.here() {
				return s.stick.errAway(b.Device.Port)
			}
		}
	}
	return nil
}

// checkWiped refuses to put content for one holder onto a stick that may hold
// another's: by what the console knows of the stick, and of the one whose
// manifest lies on it. The sticks are locked.
func (c *change) checkWiped(n *NewJob, sticks []StickID) error {
	if n.Kind != protocol.JobPress && n.Kind != protocol.JobRaw || n.overrides(CodeStickNotWiped) {
		return nil
	}
	for i, b := range n.Builds {
		for _, id := range []StickID{sticks[i], carriedBy(&b.Device)} {
			s, known := c.sticks[id]
			if known && s.stick.NeedsWipe(or(b.Holder, n.Holder)) {
				return s.stick.errNotWiped(b.Device.Port)
			}
		}
	}
	return nil
}

// JudgeFound is the host's answer to what it found in the device of an attempt:
// a stick by the ID in its manifest. A stick that nobody knows is none of
// ours. One that is lost or out of use is not written to, what is another
// holder's gets no new content, and no stick is wiped as another one. An attempt that is not this host's is the fault attempt_not_found.
func (r Reader) JudgeFound(ctx context.Context, host HostID, m *protocol.FoundStick) (*protocol.Fault, error) {
	known, err := r.Attempts(ctx, []HostID{host}, []protocol.AttemptRef{m.AttemptRef})
	if err != nil {
		return nil, err
	}
	a, ok := known[m.AttemptRef]
	if !ok {
		return nil, NotFound("attempt", m.BuildID)
	}
	id, err := ParseID[StickID](m.StickID)
	if err != nil {
		return nil, nil //nolint:nilnil // no fault
	}
	b, err := r.Build(ctx, a.BuildID)
	if err != nil {
		return nil, err
	}
	j, err := r.Job(ctx, b.JobID)
	if err != nil {
		return nil, err
	}
	s, err := r.Stick(ctx, id)
	switch {
	case errors.Is(err, NotFound("stick", id)):
		return nil, nil //nolint:nilnil // no fault
	case err != nil:
		return nil, err
	case !s.here() && j.Kind.Writes():
		return protocol.NewFault(string(s.awayCode()), "port", b.Device.Port), nil
	case s.Data == DataOpen && j.Kind.Writes():
		return protocol.NewFault(string(CodeStickDataOpen), "port", b.Device.Port, "stick", s.ID), nil
	case j.Kind == protocol.JobWipe:
		return r.judgeWipe(ctx, host, &b, id)
	case j.Kind != protocol.JobPress && j.Kind != protocol.JobRaw:
		return nil, nil //nolint:nilnil // no fault
	case slices.Contains(j.Overrides, string(CodeStickNotWiped)) || !s.NeedsWipe(b.Holder):
		return nil, nil //nolint:nilnil // no fault
	}
	return protocol.NewFault(string(CodeStickNotWiped), "port", b.Device.Port, "holder", or(s.Holder, "–")), nil
}

// judgeWipe refuses to erase a stick as another one, whose certificate it would
// get and which would lose its holder: where the console, had it known the ID
// that was found, would have taken the device for the stick of that ID.
func (r Reader) judgeWipe(ctx context.Context, host HostID, b *Build, found StickID) (*protocol.Fault, error) {
	if found == b.StickID {
		return nil, nil //nolint:nilnil // no fault
	}
	h, err := r.Host(ctx, host)
	if err != nil {
		return nil, err
	}
	devices := slices.DeleteFunc(h.Inventory.Devices, func(d protocol.Device) bool { return d.Identity == b.Device.Identity })
	devices = append(devices, protocol.Device{Identity: b.Device.Identity, FoundID: found.String()})
	known, err := r.MatchSticks(ctx, host, devices)
	if err != nil || known[len(known)-1] != found {
		return nil, err
	}
	return protocol.NewFault(string(CodeWipeOther), "port", b.Device.Port, "stick", found), nil
}
