package store

import (
	"github.com/stickpress/stickpress/agent/protocol"
)

// apply stores the next event of an attempt.
func (r *reporter) apply(a *Attempt, e *protocol.Event) error {
	s := r.of[a.BuildID]
	b, _ := s.job.Build(a.BuildID)
	current := a.State == AttemptLeased && b.Attempt == a.Attempt && b.State.Live()
	event, report := reportOf(e)
	event.BuildID, event.Attempt = a.BuildID, a.Attempt
	if why := r.unproven(s, b, &event, e.Result); why != nil {
		event.Type, report = EventBuildFailed, BuildReport{Fault: why}
	}
	keep, err := r.bound(e.AttemptRef, &event, &report)
	if err != nil || !keep {
		return err
	}
	if err := r.job(s, event, report); err != nil {
		return err
	}
	if current && e.Type.Terminal() && b.State.Live() {
		// An end that the map does not allow, verified before accepted, say. The
		// attempt is over all the same, and nobody knows what the stick carries.
		report = BuildReport{Fault: protocol.NewFault(string(CodeOutOfOrder), "event", e.Type)}
		report.Fault.Touched = s.job.Kind.Writes()
		if err := r.job(s, Event{Type: EventBuildFailed, BuildID: b.ID, Attempt: b.Attempt}, report); err != nil {
			return err
		}
	}
	if e.Type.Terminal() {
		a.State, a.EndedAt = AttemptEnded, &r.tx.at
	}
	if !current {
		return nil
	}
	return r.applyStick(s, b, &event, e)
}

// unproven is why the console does not believe a host that says it is done, or
// nil.
func (r *reporter) unproven(s *jobStream, b *Build, event *Event, res *protocol.Result) *protocol.Fault {
	if event.Type != EventBuildVerified {
		return nil
	}
	switch s.job.Kind { //nolint:exhaustive // nothing is certified or published of the others
	case protocol.JobWipe:
		if !proven(s.job.Options.Wipe, b, res) {
			f := protocol.NewFault(string(CodeWipeUnproven))
			f.Touched = true
			return f
		}
	case protocol.JobCapture:
		version := r.captured[s.job.ID]
		if version.IsZero() || res == nil || res.Capture == nil || res.Capture.VersionID != version.String() {
			return protocol.NewFault(string(CodeUnpublished))
		}
	}
	return nil
}

// applyStick says what the event means for the stick. Until the first byte is
// written it is what it was, and so it stays where nothing is written.
func (r *reporter) applyStick(s *jobStream, b *Build, cause *Event, e *protocol.Event) error {
	switch s.job.Kind { //nolint:exhaustive // the others write
	case protocol.JobVerify:
		return r.applyCheck(b, cause, e)
	case protocol.JobCapture:
		return r.applyCopied(s, b, cause)
	}
	if !s.job.Kind.Writes() {
		return nil
	}
	if s.job.Kind == protocol.JobWipe {
		return r.applyWipe(s, b, cause)
	}
	content := StickContent{ImageVersionID: s.job.ImageVersionID, Layout: s.job.Layout, Holder: b.Holder}
	event := Event{BuildID: b.ID, Attempt: b.Attempt, HostSeq: cause.HostSeq, HostAt: cause.HostAt}
	switch {
	case cause.Type == EventBuildTouched:
		event.Type = EventStickPressing
	case b.State == BuildVerified:
		event.Type = EventStickVerified
		if b.Result != nil {
			content.DiskID = b.Result.DiskID
		}
	case b.State.Final() && b.Touched:
		event.Type, content = EventStickIncomplete, StickContent{Fault: b.Fault}
	default:
		return nil
	}
	return r.stick(b.StickID, event, content)
}

// reported are the events that a host may send, and what they become.
var reported = map[protocol.EventType]EventType{
	protocol.EventAccepted:  EventBuildAccepted,
	protocol.EventStepBegun: EventBuildStepBegun,
	protocol.EventStepDone:  EventBuildStepDone,
	protocol.EventTouched:   EventBuildTouched,
	protocol.EventLog:       EventBuildLog,
	protocol.EventPreflight: EventBuildPreflight,
	protocol.EventVerified:  EventBuildVerified,
	protocol.EventFailed:    EventBuildFailed,
	protocol.EventCancelled: EventBuildCancelled,
}

// reportOf is what a host's event becomes in history. A type that this version
// does not know comes from a newer agent: it becomes a line of the log.
func reportOf(e *protocol.Event) (Event, BuildReport) {
	report := BuildReport{Step: e.Step, Fault: e.Fault, Result: e.Result, Log: e.Log, Preflight: e.Preflight}
	event := Event{Type: reported[e.Type], HostSeq: e.HostSeq}
	if event.Type == "" {
		event.Type = EventBuildLog
		report.Log = &protocol.LogLine{Level: "warn", Code: "event_unknown", Params: map[string]string{"type": string(e.Type)}}
	}
	if !e.At.IsZero() {
		at := stamp(e.At)
		event.HostAt = &at
	}
	return event, report
}
