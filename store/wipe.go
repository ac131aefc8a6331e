package store

import (
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
// was erased and read back. The console certifies nothing less.
func proven(b *Build, res *protocol.Result) bool {
	if res == nil || res.Wipe == nil {
		return false
	}
	w := res.Wipe
	if w.Bytes != b.Device.Bytes || res.BytesVerified != w.Bytes {
		return false
	}
	if w.Method == protocol.WipeOverwrite {
		return w.Passes >= 1 && res.BytesWritten >= int64(w.Passes)*w.Bytes
	}
	return w.Method == protocol.WipeDiscard && w.BytesDiscarded == w.Bytes
}

// checkWiped refuses to put content for one holder onto a stick that may hold
// another's. The sticks are locked.
func (c *change) checkWiped(n *NewJob, sticks []StickID) error {
	if n.Kind != protocol.JobPress && n.Kind != protocol.JobRaw || n.overrides(CodeStickNotWiped) {
		return nil
	}
	for i, b := range n.Builds {
		s, known := c.sticks[sticks[i]]
		if known && s.stick.NeedsWipe(or(b.Holder, n.Holder)) {
			return s.stick.errNotWiped(b.Device.Port)
		}
	}
	return nil
}
