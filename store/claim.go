package store

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Work is what one host has to do for one job: some of the job's builds.
type Work struct {
	Job    Job
	Builds []Build
}

// ClaimBuilds gives the host's queued builds to it: each becomes assigned with
// a new attempt whose lease the host holds from now on. Jobs are taken whole,
// oldest first, until limit builds are reached, because the sticks of a job are
// written in one pass. Jobs of other kinds than the ones named are left alone,
// and so are those that are for later. A session that is not the host's newest
// is the fault session_stale. Jobs that another transaction is changing are left for the
// next call.
func (tx *Tx) ClaimBuilds(ctx context.Context, host HostID, session int64, kinds []protocol.JobKind, limit int) ([]Work, error) {
	if err := tx.holdSession(ctx, host, session); err != nil {
		return nil, err
	}
	c := tx.change(HostActor(host))
	jobs, err := c.lockJobs(ctx,
		`host_id = @host AND kind = ANY (@kinds) AND outcome IS NULL AND state <> 'cancelling' AND cancel_requested_at IS NULL
			AND (not_before IS NULL OR not_before <= @now)
			AND EXISTS (SELECT FROM builds b WHERE b.job_id = jobs.id AND b.state = 'queued')
		ORDER BY id LIMIT @limit FOR NO KEY UPDATE SKIP LOCKED`, pgx.NamedArgs{"host": host, "kinds": kinds, "limit": limit, "now": tx.at})
	if err != nil {
		return nil, err
	}
	var work []Work
	var builds []BuildID
	var attempts []int
	for _, s := range jobs {
		if limit <= 0 {
			break
		}
		w := Work{}
		for i := range s.job.Builds {
			b := &s.job.Builds[i]
			if b.State != BuildQueued {
				continue
			}
			if err := c.job(s, Event{Type: EventBuildAssigned, BuildID: b.ID, Attempt: b.Attempt + 1}, BuildReport{}); err != nil {
				return nil, err
			}
			builds, attempts = append(builds, b.ID), append(attempts, b.Attempt)
			w.Builds = append(w.Builds, *b)
			limit--
		}
		w.Job = s.job
		work = append(work, w)
	}
	c.save()
	if len(builds) > 0 {
		tx.tx.later(
			`INSERT INTO build_attempts (build_id, attempt, host_id, state, begun_at)
			SELECT build_id, attempt, @host, 'leased', @at FROM unnest(@builds::uuid[], @attempts::integer[]) AS new (build_id, attempt)`,
			pgx.NamedArgs{"builds": builds, "attempts": attempts, "host": host, "at": tx.at})
	}
	return work, nil
}

// Unfinished lists the builds that the host holds, assigned or running, by job:
// what is sent again after a reconnect.
func (r Reader) Unfinished(ctx context.Context, host HostID) ([]Work, error) {
	jobs, err := many[Job](ctx, r.db, "jobs",
		`SELECT `+jobColumns+` FROM jobs
		WHERE host_id = @host AND outcome IS NULL AND state <> 'queued' ORDER BY id`, pgx.NamedArgs{"host": host})
	if err != nil {
		return nil, err
	}
	if err := r.loadBuilds(ctx, jobs); err != nil {
		return nil, err
	}
	var work []Work
	for _, j := range jobs {
		w := Work{Job: j}
		for _, b := range j.Builds {
			if b.State == BuildAssigned || b.State == BuildRunning {
				w.Builds = append(w.Builds, b)
			}
		}
		if len(w.Builds) > 0 {
			work = append(work, w)
		}
	}
	return work, nil
}

// ToCancel lists the attempts that the host holds and that somebody asked to
// stop: what goes into protocol.Cancel, again after a reconnect.
func (r Reader) ToCancel(ctx context.Context, host HostID) ([]protocol.AttemptRef, error) {
	work, err := r.Unfinished(ctx, host)
	var refs []protocol.AttemptRef
	for _, w := range work {
		for _, b := range w.Builds {
			if w.Job.CancelRequestedAt != nil || b.CancelRequestedAt != nil {
				refs = append(refs, b.Ref())
			}
		}
	}
	return refs, err
}

// Ref names the build's newest attempt on the wire.
func (b *Build) Ref() protocol.AttemptRef {
	return protocol.AttemptRef{BuildID: b.ID.String(), Attempt: b.Attempt}
}

// FailUnsent fails builds that were claimed and cannot be sent to the host,
// each with its fault. Attempts that are not assigned any more are left alone.
func (tx *Tx) FailUnsent(ctx context.Context, host HostID, why map[protocol.AttemptRef]*protocol.Fault) error {
	if len(why) == 0 {
		return nil
	}
	c := tx.change(HostActor(host))
	return c.endUnsent(ctx, host, func(_ *Job, b *Build) (EventType, *protocol.Fault) {
		if f := why[b.Ref()]; f != nil {
			return EventBuildFailed, f
		}
		return "", nil
	})
}

// CancelUnheld ends what somebody asked to stop and the host, by its Resume,
// does not hold: an assignment that never arrived. It is called before
// Unfinished is sent again.
func (tx *Tx) CancelUnheld(ctx context.Context, host HostID, session int64, held []protocol.AttemptRef) error {
	if err := tx.holdSession(ctx, host, session); err != nil {
		return err
	}
	c := tx.change(HostActor(host))
	return c.endUnsent(ctx, host, func(j *Job, b *Build) (EventType, *protocol.Fault) {
		if (j.CancelRequestedAt != nil || b.CancelRequestedAt != nil) && !slices.Contains(held, b.Ref()) {
			return EventBuildCancelled, protocol.NewFault(protocol.FaultCancelled)
		}
		return "", nil
	})
}

// endUnsent ends the leases of assigned builds for which pick gives an event,
// with the fault that the event tells.
func (c *change) endUnsent(ctx context.Context, host HostID, pick func(*Job, *Build) (EventType, *protocol.Fault)) error {
	jobs, err := c.lockJobs(ctx,
		`host_id = @host AND outcome IS NULL AND state <> 'queued'
			AND EXISTS (SELECT FROM builds b WHERE b.job_id = jobs.id AND b.state = 'assigned')
		ORDER BY id FOR NO KEY UPDATE`, pgx.NamedArgs{"host": host})
	if err != nil {
		return err
	}
	for _, s := range jobs {
		for i := range s.job.Builds {
			b := &s.job.Builds[i]
			if b.State != BuildAssigned {
				continue
			}
			event, why := pick(&s.job, b)
			if event == "" {
				continue
			}
			if err := c.job(s, Event{Type: event, BuildID: b.ID, Attempt: b.Attempt}, BuildReport{Fault: why}); err != nil {
				return err
			}
			c.tx.endAttempt(b, AttemptReturned)
		}
	}
	c.save()
	return nil
}

// endAttempt ends the lease of a build's newest attempt.
func (tx *Tx) endAttempt(b *Build, state AttemptState) {
	tx.tx.later(
		`UPDATE build_attempts SET state = @state, ended_at = @at WHERE build_id = @build AND attempt = @attempt`,
		pgx.NamedArgs{"build": b.ID, "attempt": b.Attempt, "state": state, "at": tx.at})
}

// AttemptState is where the lease of an attempt stands.
type AttemptState string

// The states of an attempt's lease.
const (
	AttemptLeased   AttemptState = "leased"   // the host may be writing
	AttemptEnded    AttemptState = "ended"    // the host said that it is not
	AttemptLost     AttemptState = "lost"     // an admin declared so
	AttemptReturned AttemptState = "returned" // it was never sent
)

// AttemptStates lists the states in their order.
var AttemptStates = []AttemptState{AttemptLeased, AttemptEnded, AttemptLost, AttemptReturned}

// Attempt is the lease of one attempt and how far its host has reported.
type Attempt struct {
	BuildID BuildID
	Attempt int
	HostID  HostID
	State   AttemptState
	HostSeq int64 // of the last event stored
	BegunAt time.Time
	EndedAt *time.Time
}

// Ref names the attempt on the wire.
func (a *Attempt) Ref() protocol.AttemptRef {
	return protocol.AttemptRef{BuildID: a.BuildID.String(), Attempt: a.Attempt}
}

// Attempts finds the attempts that these hosts were given among refs; the answer
// to protocol.Resume. What is missing in the result was never theirs.
func (r Reader) Attempts(ctx context.Context, hosts []HostID, refs []protocol.AttemptRef) (map[protocol.AttemptRef]Attempt, error) {
	var ids []BuildID
	for _, ref := range refs {
		if id, err := ParseID[BuildID](ref.BuildID); err == nil {
			ids = append(ids, id)
		}
	}
	list, err := many[Attempt](ctx, r.db, "attempts",
		`SELECT build_id, attempt, host_id, state, host_seq, begun_at, ended_at FROM build_attempts
		WHERE build_id = ANY (@ids) AND host_id = ANY (@hosts)`, pgx.NamedArgs{"ids": ids, "hosts": hosts})
	wanted := make(map[protocol.AttemptRef]bool, len(refs))
	for _, ref := range refs {
		wanted[ref] = true
	}
	found := make(map[protocol.AttemptRef]Attempt, len(list))
	for _, a := range list {
		if ref := a.Ref(); wanted[ref] {
			found[ref] = a
		}
	}
	return found, err
}
