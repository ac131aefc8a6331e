package store

import (
	"slices"

	"github.com/stickpress/stickpress/api/fault"
)

// JobState is where a job stands. It follows from the states of its builds.
type JobState string

// The states of a job.
const (
	JobQueued     JobState = "queued"
	JobRunning    JobState = "running"
	JobCancelling JobState = "cancelling" // asked to stop; a host still holds some of its builds
	JobSucceeded  JobState = "succeeded"  // every build was verified
	JobFailed     JobState = "failed"     // every build is over and at least one failed
	JobCancelled  JobState = "cancelled"  // every build is over, none failed, at least one was cancelled
)

// BuildState is where a build stands.
type BuildState string

// The states of a build.
const (
	BuildQueued    BuildState = "queued"
	BuildAssigned  BuildState = "assigned" // a host holds the lease, it has not said so yet
	BuildRunning   BuildState = "running"  // the host accepted it
	BuildVerified  BuildState = "verified" // every written byte was read back
	BuildFailed    BuildState = "failed"
	BuildCancelled BuildState = "cancelled"
)

// StickState is what a stick carries.
type StickState string

// The states of a stick.
const (
	StickUnknown    StickState = "unknown"    // nothing was written by us
	StickPressing   StickState = "pressing"   // being written
	StickVerified   StickState = "verified"   // carries a verified image version
	StickIncomplete StickState = "incomplete" // begun and not finished: must not be handed out
	StickErasing    StickState = "erasing"    // being wiped
	StickWiped      StickState = "wiped"      // erased and read back: carries nothing
)

// JobStates, BuildStates and StickStates list all states in their order.
var (
	JobStates   = []JobState{JobQueued, JobRunning, JobCancelling, JobSucceeded, JobFailed, JobCancelled}
	BuildStates = []BuildState{BuildQueued, BuildAssigned, BuildRunning, BuildVerified, BuildFailed, BuildCancelled}
	StickStates = []StickState{StickUnknown, StickPressing, StickVerified, StickIncomplete, StickErasing, StickWiped}
)

// A Transition is an allowed change of state, with what brings it about.
type Transition[S ~string] struct {
	From, To S
	Why      string
}

// JobTransitions is the whole life of a job.
var JobTransitions = []Transition[JobState]{
	{JobQueued, JobRunning, "a host took its first build"},
	{JobQueued, JobFailed, "cancelled before a host took the builds that were to be tried again, one of the others had failed"},
	{JobQueued, JobCancelled, "cancelled before a host took a build"},
	{JobRunning, JobCancelling, "asked to stop while a host holds builds"},
	{JobRunning, JobSucceeded, "the last build was verified"},
	{JobRunning, JobFailed, "the last build is over, one failed"},
	{JobRunning, JobCancelled, "the last build is over, one was cancelled, none failed"},
	{JobCancelling, JobSucceeded, "every build was verified before the request reached it"},
	{JobCancelling, JobFailed, "the last build is over, one failed"},
	{JobCancelling, JobCancelled, "the last build is over, one was cancelled, none failed"},
	{JobFailed, JobQueued, "builds are to be tried again"},
	{JobCancelled, JobQueued, "builds are to be tried again"},
}

// BuildTransitions is the whole life of a build. Back to queued is a retry: it
// needs an attempt that has ended on its host, see Tx.RetryBuilds.
var BuildTransitions = []Transition[BuildState]{
	{BuildQueued, BuildAssigned, "its host claimed it: a new attempt begins"},
	{BuildQueued, BuildCancelled, "cancelled before it was assigned"},
	{BuildAssigned, BuildRunning, "the host accepted it"},
	{BuildAssigned, BuildFailed, "it could not be sent, the host refused it, or was declared lost"},
	{BuildAssigned, BuildCancelled, "cancelled before the host accepted it"},
	{BuildRunning, BuildVerified, "written, read back, partition table in place"},
	{BuildRunning, BuildFailed, "the host gave up, or was declared lost"},
	{BuildRunning, BuildCancelled, "the host stopped it"},
	{BuildFailed, BuildQueued, "to be tried again with a new attempt"},
	{BuildCancelled, BuildQueued, "to be tried again with a new attempt"},
}

// Final reports whether the job is over, unless somebody has it tried again.
func (s JobState) Final() bool {
	return s == JobSucceeded || s == JobFailed || s == JobCancelled
}

// Final reports whether the attempt is over.
func (s BuildState) Final() bool {
	return s == BuildVerified || s == BuildFailed || s == BuildCancelled
}

// Live reports whether a build in this state keeps its stick busy.
func (s BuildState) Live() bool { return !s.Final() }

// CanBecome reports whether JobTransitions has the change.
func (s JobState) CanBecome(to JobState) bool { return allows(JobTransitions, s, to) }

// CanBecome reports whether BuildTransitions has the change.
func (s BuildState) CanBecome(to BuildState) bool { return allows(BuildTransitions, s, to) }

func allows[S ~string](m []Transition[S], from, to S) bool {
	return slices.ContainsFunc(m, func(t Transition[S]) bool { return t.From == from && t.To == to })
}

// errTransition is returned when something would leave the map.
func errTransition[S ~string](what string, from, to S) error {
	return fault.New(fault.KindConflict, "state_refused", "what", what, "from", from, "to", to)
}

// derived returns the state that the job's builds and the request to cancel
// give it.
func (j *Job) derived() JobState {
	live, begun, failed, cancelled := false, false, false, false
	for i := range j.Builds {
		switch s := j.Builds[i].State; s {
		case BuildFailed:
			failed = true
		case BuildCancelled:
			cancelled = true
		default:
			live = live || s.Live()
		}
		begun = begun || j.Builds[i].State == BuildAssigned || j.Builds[i].State == BuildRunning
	}
	switch {
	case live && j.CancelRequestedAt != nil && j.State != JobQueued:
		return JobCancelling
	case live && (begun || j.State != JobQueued):
		return JobRunning
	case live:
		return JobQueued
	case failed:
		return JobFailed
	case cancelled:
		return JobCancelled
	default:
		return JobSucceeded
	}
}
