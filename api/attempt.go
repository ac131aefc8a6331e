package api

import (
	"slices"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// stepBoard is how the attempts of a job's builds went: when each step began
// and ended, what was found out about the sticks, and how each attempt ended.
// It is made of the job's events in their order.
type stepBoard struct {
	attempts map[store.BuildID][]*attemptLog // the first first
	lines    map[store.BuildID]int           // events seen; the job's own under the zero ID
	clock    hostClock
}

// hostClock compares the clock of a job's host with the server's: by how much
// that is ahead is known best from the event that was on its way for the least
// time. What a host did while nobody heard it, and told afterwards all at once,
// took its time all the same.
type hostClock struct{ ahead *time.Duration }

type attemptLog struct {
	BuildAttempt
	steps          map[protocol.Step]stepStamps
	started, ended stamp
	clock          *hostClock // of the board
	over           bool
	retried        bool // what comes after it is another attempt's
}

// stamp is when something happened: by the server's clock when it heard of it,
// and by the host's when it was so.
type stamp struct {
	heard time.Time
	host  *time.Time
}

type stepStamps struct{ begun, done stamp }

func (c *hostClock) hear(e *store.JobEvent) stamp {
	if e.HostAt != nil {
		if d := e.At.Sub(*e.HostAt); c.ahead == nil || d < *c.ahead {
			c.ahead = &d
		}
	}
	return stamp{e.At, e.HostAt}
}

// when is a stamp by the server's clock, or nil for none.
func (c *hostClock) when(s stamp) *time.Time {
	switch {
	case s.heard.IsZero():
		return nil
	case s.host != nil:
		at := s.host.Add(*c.ahead)
		return &at
	}
	return &s.heard
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
	l := &attemptLog{BuildAttempt: BuildAttempt{Attempt: e.Attempt, State: string(store.BuildRunning)}, steps: map[protocol.Step]stepStamps{}, clock: &s.clock}
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
	at := l.clock.hear(e)
	switch e.Type { //nolint:exhaustive // the others say nothing about an attempt
	case store.EventBuildAccepted:
		l.started = at
	case store.EventBuildStepBegun:
		l.Step = r.Step
		l.steps[r.Step] = stepStamps{begun: at}
	case store.EventBuildStepDone:
		step := l.steps[r.Step]
		step.done = at
		l.steps[r.Step] = step
	case store.EventBuildTouched:
		l.Touched = true
	case store.EventBuildPreflight:
		l.found(r.Preflight)
	case store.EventBuildVerified:
		l.end(at, store.BuildVerified, r)
	case store.EventBuildFailed:
		l.end(at, store.BuildFailed, r)
	case store.EventBuildCancelled:
		l.end(at, store.BuildCancelled, r)
	}
}

func (l *attemptLog) end(at stamp, s store.BuildState, r *store.BuildReport) {
	l.over, l.State, l.ended = true, string(s), at
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
			known := l.steps[step]
			v.BegunAt, v.DoneAt = l.clock.when(known.begun), l.clock.when(known.done)
			if v.BegunAt != nil && v.DoneAt == nil {
				v.LeftAt = l.clock.when(l.ended)
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
				earlier.StartedAt, earlier.EndedAt = s.clock.when(l.started), s.clock.when(l.ended)
				b.Earlier = append(b.Earlier, earlier)
			case l.Attempt == b.Attempt:
				newest = l
			}
		}
		b.Steps = newest.all(j.Kind)
		if newest != nil {
			b.Preflight = slices.Clone(newest.Preflight)
			if at := s.clock.when(newest.started); at != nil && b.StartedAt != nil {
				b.StartedAt = at
			}
			if at := s.clock.when(newest.ended); at != nil && b.EndedAt != nil {
				b.EndedAt = at
			}
		}
	}
}
