package store

import (
	"encoding/json"
	"fmt"
	"maps"
)

// decodePayload reads an event's payload as T.
func decodePayload[T any](e *Event) (T, error) {
	var p T
	if e.PayloadVersion != payloadVersion {
		return p, fmt.Errorf("event %s: payload version %d is not known", e.Type, e.PayloadVersion)
	}
	if err := json.Unmarshal(e.Payload, &p); err != nil {
		return p, fmt.Errorf("event %s: read payload: %w", e.Type, err)
	}
	return p, nil
}

// Apply brings the job from before the event to after it. It is pure: the same
// events give the same job, and every time comes from an event. It fails, and
// the job is then of no use, if the event is not the next one or leaves the
// transition map. Only an event that a host reported may be out of place (the
// build ended in the meantime): it is counted and changes nothing else.
func (j *Job) Apply(e JobEvent) error {
	if e.Seq != j.Seq+1 {
		return fmt.Errorf("job %s: event %d does not follow event %d", e.JobID, e.Seq, j.Seq)
	}
	j.Seq, j.Revision = e.Seq, e.Seq
	switch e.Type {
	case EventJobQueued:
		return j.applyQueued(&e)
	case EventJobRescheduled:
		return j.applyRescheduled(&e)
	case EventJobCancelRequested:
		j.CancelRequestedAt = &e.At
		return nil
	case EventJobRetried:
		return j.applyRetried(&e)
	case EventJobStarted:
		j.StartedAt = &e.At
		return j.become(JobRunning)
	case EventJobCancelling:
		return j.become(JobCancelling)
	case EventJobSucceeded:
		j.EndedAt = &e.At
		return j.become(JobSucceeded)
	case EventJobFailed:
		j.EndedAt = &e.At
		return j.become(JobFailed)
	case EventJobCancelled:
		j.EndedAt = &e.At
		return j.become(JobCancelled)
	default:
		b, ok := j.Build(e.BuildID)
		if !ok {
			return fmt.Errorf("job %s: event %s of unknown build %s", e.JobID, e.Type, e.BuildID)
		}
		return b.apply(&e)
	}
}

func (j *Job) become(to JobState) error {
	if !j.State.CanBecome(to) {
		return errTransition("job", j.State, to)
	}
	j.State = to
	return nil
}

func (j *Job) applyQueued(e *JobEvent) error {
	p, err := decodePayload[QueuedJob](&e.Event)
	if err != nil {
		return err
	}
	*j = Job{
		ID: e.JobID, SiteID: p.SiteID, HostID: p.HostID, Kind: p.Kind, State: JobQueued,
		ImageVersionID: p.ImageVersionID, Channel: p.Channel, TaskSequenceVersionID: p.TaskSequenceVersionID,
		Layout: p.Layout, Edition: p.Edition, Options: p.Options, Overrides: append([]string{}, p.Overrides...),
		Reference: p.Reference, ReferenceSystem: p.ReferenceSystem, Holder: p.Holder, Variables: p.Variables, NotBefore: p.NotBefore,
		CreatedByKind: e.ActorKind, CreatedByID: e.ActorID, CreatedAt: e.At, Seq: e.Seq, Revision: e.Seq,
	}
	for i, b := range p.Builds {
		j.Builds = append(j.Builds, Build{
			ID: b.BuildID, JobID: e.JobID, HostID: p.HostID, Position: i + 1, State: BuildQueued,
			StickID: b.StickID, Device: b.Device, Reference: b.Reference, ReferenceSystem: b.ReferenceSystem, Holder: b.Holder, Variables: b.Variables,
			Revision: e.Seq,
		})
	}
	return nil
}

// applyRetried opens a job anew that was over; one that runs goes on.
func (j *Job) applyRetried(e *JobEvent) error {
	p, err := decodePayload[RetriedJob](&e.Event)
	if err != nil {
		return err
	}
	j.Overrides = append([]string{}, p.Overrides...)
	if !j.State.Final() {
		return nil
	}
	j.CancelRequestedAt, j.StartedAt, j.EndedAt = nil, nil, nil
	return j.become(JobQueued)
}

// apply brings the build from before the event to after it.
func (b *Build) apply(e *JobEvent) error {
	p, err := decodePayload[BuildReport](&e.Event)
	if err != nil {
		return err
	}
	to, moves := buildMoves[e.Type]
	switch {
	case e.Type == EventBuildAssigned && e.Attempt != b.Attempt+1,
		e.Type != EventBuildAssigned && e.HostSeq == 0 && e.Attempt != b.Attempt:
		return fmt.Errorf("build %s: event %s of attempt %d at attempt %d", b.ID, e.Type, e.Attempt, b.Attempt)
	case e.HostSeq != 0 && (e.Attempt != b.Attempt || b.State.Final()):
		return nil // late: the build is over, or has a newer attempt
	case moves && !b.State.CanBecome(to) && e.HostSeq != 0:
		return nil // out of order: the caller ends the attempt
	case moves && !b.State.CanBecome(to):
		return errTransition("build", b.State, to)
	case moves:
		b.State = to
	}
	switch e.Type {
	case EventBuildAssigned:
		b.Attempt, b.Step, b.Touched, b.Fault, b.Result = e.Attempt, "", false, nil, nil
		b.AssignedAt, b.StartedAt, b.EndedAt, b.CancelRequestedAt = &e.At, nil, nil, nil
	case EventBuildRetried: // what the old attempt came to is history, not state
		b.Step, b.Touched, b.Fault, b.Result = "", false, nil, nil
		b.AssignedAt, b.StartedAt, b.EndedAt, b.CancelRequestedAt = nil, nil, nil, nil
	case EventBuildCancelRequested:
		b.CancelRequestedAt = &e.At
	case EventBuildAccepted:
		b.StartedAt = &e.At
	case EventBuildStepBegun:
		b.Step = p.Step
	case EventBuildTouched:
		b.Touched = true
	case EventBuildVerified:
		b.Result, b.EndedAt = p.Result, &e.At
	case EventBuildFailed, EventBuildCancelled:
		b.Fault, b.EndedAt = p.Fault, &e.At
		b.Touched = b.Touched || p.Fault != nil && p.Fault.Touched
	default: // a line of the log, the end of a step
		return nil
	}
	b.Revision = e.Seq
	return nil
}

// buildMoves says which events change a build's state.
var buildMoves = map[EventType]BuildState{
	EventBuildAssigned:  BuildAssigned,
	EventBuildRetried:   BuildQueued,
	EventBuildAccepted:  BuildRunning,
	EventBuildVerified:  BuildVerified,
	EventBuildFailed:    BuildFailed,
	EventBuildCancelled: BuildCancelled,
}

// jobMoves says which event brings a job into a state.
var jobMoves = map[JobState]EventType{
	JobRunning:    EventJobStarted,
	JobCancelling: EventJobCancelling,
	JobSucceeded:  EventJobSucceeded,
	JobFailed:     EventJobFailed,
	JobCancelled:  EventJobCancelled,
}

// Apply is Job.Apply for a stick.
func (s *Stick) Apply(e StickEvent) error {
	if e.Seq != s.Seq+1 {
		return fmt.Errorf("stick %s: event %d does not follow event %d", e.StickID, e.Seq, s.Seq)
	}
	s.ID, s.Seq, s.Revision, s.UpdatedAt = e.StickID, e.Seq, e.Seq, e.At
	switch e.Type {
	case EventStickRegistered, EventStickSeen:
		p, err := decodePayload[StickSeen](&e.Event)
		if err != nil {
			return err
		}
		if e.Type == EventStickRegistered {
			s.State, s.Life, s.CreatedAt = StickUnknown, StickStock, e.At
		}
		s.seen(p.HostID, &p.Device)
	case EventStickPressing, EventStickVerified, EventStickIncomplete, EventStickErasing, EventStickWiped:
		p, err := decodePayload[StickContent](&e.Event)
		if err != nil {
			return err
		}
		s.applyContent(&e, &p)
		return s.applyLife(&e, &p)
	case EventStickChecked:
		return s.applyChecked(&e)
	case EventStickReturned:
		s.Data = DataOpen
		return s.live(StickReturned)
	case EventStickUndone:
		return s.applyUndone(&e)
	case EventStickDataSettled:
		return s.applyDataSettled(&e)
	case EventStickIssued, EventStickLost, EventStickFound, EventStickRetired:
		return s.applyHandover(&e)
	default:
		return fmt.Errorf("stick %s: event %s is not known", e.StickID, e.Type)
	}
	return nil
}

func (s *Stick) seen(host HostID, d *Target) {
	s.Kind, s.Serial, s.VIDPID, s.Vendor, s.Model, s.Bytes = d.Kind, d.Serial, d.VIDPID, d.Vendor, d.Model, d.Bytes
	s.HostID, s.Port, s.LUN = host, d.Port, d.LUN
}

// applyContent says what the stick carries now: nothing but a verified build
// makes it carry a version.
func (s *Stick) applyContent(e *StickEvent, p *StickContent) {
	s.LastBuildID = e.BuildID
	s.ImageVersionID, s.Layout, s.DiskID, s.VerifiedAt, s.Fault = VersionID{}, "", "", nil, nil
	s.CheckedAt, s.CheckResult, s.CheckFault = nil, nil, nil
	switch e.Type {
	case EventStickPressing:
		s.State = StickPressing
	case EventStickErasing:
		s.State = StickErasing
	case EventStickWiped:
		s.State = StickWiped
	case EventStickVerified:
		s.State, s.VerifiedAt = StickVerified, &e.At
		s.ImageVersionID, s.Layout, s.DiskID = p.ImageVersionID, p.Layout, p.DiskID
	default:
		s.State, s.Fault = StickIncomplete, p.Fault
	}
}

// merged returns the job's variables overridden by the build's.
func merged(job, build map[string]string) map[string]string {
	m := maps.Clone(job)
	if m == nil {
		m = map[string]string{}
	}
	maps.Copy(m, build)
	return m
}
