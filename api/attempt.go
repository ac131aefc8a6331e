package api

import (
	"slices"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// stepBoard is how the attempts of a job's builds went: when each step began
// and ended, what was found out about the sticks, and how each attempt ended.
// It is made of the job's events in their order.
type stepBoard struct {
	attempts map[store.BuildID][]*attemptLog // the first first
	lines    map[store.BuildID]int           // events seen; the job's own under the zero ID
}

type attemptLog struct {
	BuildAttempt
	steps   map[protocol.Step]BuildStep
	over    bool
	retried bool // what comes after it is another attempt's
}

// apply takes the next event and returns where it stands in the history: Line,
// In and Of.
func (s *stepBoard) apply(e *store.JobEvent) JobEvent {
	if s.lines == nil {
		s.lines, s.attempts = map[store.BuildID]int{}, map[store.BuildID][]*attemptLog{}
	}
	s.lines[e.BuildID]++
	at := JobEvent{Line: s.lines[e.BuildID], Of: e.Attempt}
	if e.Attempt > 0 {
		if r, err := e.Report(); err == nil { // else the page shows the event itself as unreadable
			l := s.attempt(e)
			if l.retried && e.HostSeq == 0 {
				at.Of++
				return at
			}
			l.apply(e, &r)
			at.In = l.Step
		}
	}
	return at
}

// attempt finds or begins the log of an event's attempt.
func (s *stepBoard) attempt(e *store.JobEvent) *attemptLog {
	for _, l := range s.attempts[e.BuildID] {
		if l.Attempt == e.Attempt {
			return l
		}
	}
	l := &attemptLog{BuildAttempt: BuildAttempt{Attempt: e.Attempt, State: string(store.BuildRunning)}, steps: map[protocol.Step]BuildStep{}}
	s.attempts[e.BuildID] = append(s.attempts[e.BuildID], l)
	return l
}

// apply takes an event of the attempt; what comes after its end changes
// nothing.
func (l *attemptLog) apply(e *store.JobEvent, r *store.BuildReport) {
	if e.Type == store.EventBuildRetried {
		l.retried = true
	}
	if l.over {
		return
	}
	at := e.At
	switch e.Type { //nolint:exhaustive // the others say nothing about an attempt
	case store.EventBuildAccepted:
		l.StartedAt = &at
	case store.EventBuildStepBegun:
		l.Step = r.Step
		l.steps[r.Step] = BuildStep{Step: r.Step, BegunAt: &at}
	case store.EventBuildStepDone:
		step := l.steps[r.Step]
		step.Step, step.DoneAt = r.Step, &at
		l.steps[r.Step] = step
	case store.EventBuildTouched:
		l.Touched = true
	case store.EventBuildPreflight:
		l.found(r.Preflight)
	case store.EventBuildVerified:
		l.end(e, store.BuildVerified, r)
	case store.EventBuildFailed:
		l.end(e, store.BuildFailed, r)
	case store.EventBuildCancelled:
		l.end(e, store.BuildCancelled, r)
	}
}

func (l *attemptLog) end(e *store.JobEvent, s store.BuildState, r *store.BuildReport) {
	at := e.At
	l.over, l.State, l.EndedAt = true, string(s), &at
	l.Fault, l.Result = r.Fault, resultOf(r.Result)
	l.Touched = l.Touched || r.Fault != nil && r.Fault.Touched
}

// found takes checks; one that is known is replaced where it stands.
func (l *attemptLog) found(p *protocol.Preflight) {
	if p == nil {
		return
	}
	for _, c := range p.Checks {
		i := slices.IndexFunc(l.Preflight, func(known protocol.Check) bool { return known.Name == c.Name })
		if i < 0 {
			l.Preflight = append(l.Preflight, c)
		} else {
			l.Preflight[i] = c
		}
	}
}

// all are the steps of a kind, those that did not begin without times.
func (l *attemptLog) all(kind protocol.JobKind) []BuildStep {
	steps := kind.Steps()
	out := make([]BuildStep, 0, len(steps))
	for _, step := range steps {
		v := BuildStep{Step: step}
		if l != nil {
			if known, ok := l.steps[step]; ok {
				v = known
			}
		}
		out = append(out, v)
	}
	return out
}

// fill gives every build of the job the steps of its newest attempt, all that
// its kind has, and the attempts before that. A build that is queued again has
// no attempt yet.
func (s *stepBoard) fill(j *Job) {
	for i := range j.Builds {
		b := &j.Builds[i]
		id, _ := store.ParseID[store.BuildID](b.ID) // it was written by String
		var newest *attemptLog
		b.Earlier = nil
		for _, l := range s.attempts[id] {
			switch {
			case l.Attempt < b.Attempt || l.retried:
				earlier := l.BuildAttempt
				earlier.Steps, earlier.Preflight = l.all(j.Kind), slices.Clone(l.Preflight)
				b.Earlier = append(b.Earlier, earlier)
			case l.Attempt == b.Attempt:
				newest = l
			}
		}
		b.Steps = newest.all(j.Kind)
		if newest != nil {
			b.Preflight = slices.Clone(newest.Preflight)
		}
	}
}
