package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
)

// RequestCancel asks a job to stop: queued builds are cancelled at once, those
// that the host holds end when it says so (see ToCancel). To ask again changes
// nothing; a job that is over is the fault job_ended.
func (tx *Tx) RequestCancel(ctx context.Context, id JobID, by Actor) (Job, error) {
	c := tx.change(by)
	s, err := c.lockJob(ctx, id)
	if err != nil {
		return Job{}, err
	}
	if s.job.State.Final() {
		return Job{}, fault.New(fault.KindConflict, CodeJobEnded, "state", s.job.State)
	}
	if s.job.CancelRequestedAt != nil {
		return s.job, nil
	}
	if err := c.job(s, Event{Type: EventJobCancelRequested}, struct{}{}); err != nil {
		return Job{}, err
	}
	if err := c.cancelQueued(ctx, s, protocol.FaultCancelled); err != nil {
		return Job{}, err
	}
	tx.Notify(TopicHost(s.job.HostID))
	c.save()
	return s.job, nil
}

// RequestCancelBuild asks one build to stop, the others of its job go on. A
// queued one is cancelled at once, one that the host holds ends when it says
// so. To ask again changes nothing; a build that is over is the fault
// build_ended.
func (tx *Tx) RequestCancelBuild(ctx context.Context, id BuildID, by Actor) (Job, error) {
	build, err := tx.Build(ctx, id)
	if err != nil {
		return Job{}, err
	}
	c := tx.change(by)
	s, err := c.lockJob(ctx, build.JobID)
	if err != nil {
		return Job{}, err
	}
	b, _ := s.job.Build(id)
	switch {
	case b.State.Final():
		return Job{}, fault.New(fault.KindConflict, CodeBuildEnded, "state", b.State)
	case b.CancelRequestedAt != nil, s.job.CancelRequestedAt != nil:
		return s.job, nil
	}
	event := Event{Type: EventBuildCancelRequested, BuildID: b.ID, Attempt: b.Attempt}
	if err := c.job(s, event, BuildReport{}); err != nil {
		return Job{}, err
	}
	if b.State == BuildQueued {
		why, err := c.unbegun(ctx, b, protocol.FaultCancelled)
		if err != nil {
			return Job{}, err
		}
		event.Type = EventBuildCancelled
		if err := c.job(s, event, BuildReport{Fault: why}); err != nil {
			return Job{}, err
		}
	}
	tx.Notify(TopicHost(s.job.HostID))
	c.save()
	return s.job, nil
}

// unbegun is why a build ends that waits, with the code of a fault. What an
// earlier attempt of it left on the stick is still there.
func (c *change) unbegun(ctx context.Context, b *Build, code string) (*protocol.Fault, error) {
	why := protocol.NewFault(code)
	if b.Attempt == 0 || b.StickID.IsZero() {
		return why, nil
	}
	stick, err := c.tx.Stick(ctx, b.StickID)
	why.Touched = stick.LastBuildID == b.ID
	return why, err
}

// cancelQueued cancels the builds that wait, with the code of a fault.
func (c *change) cancelQueued(ctx context.Context, s *jobStream, code string) error {
	for i := range s.job.Builds {
		b := &s.job.Builds[i]
		if b.State != BuildQueued {
			continue
		}
		why, err := c.unbegun(ctx, b, code)
		if err != nil {
			return err
		}
		event := Event{Type: EventBuildCancelled, BuildID: b.ID, Attempt: b.Attempt}
		if err := c.job(s, event, BuildReport{Fault: why}); err != nil {
			return err
		}
	}
	return nil
}

// DeclareHostLost ends every attempt that the host holds: the builds fail with
// host_lost and their sticks count as incomplete, since the host may have
// written to them. Its present socket becomes stale; the host stays enrolled
// and learns that it is fenced when it is back. Queued builds stay queued.
func (tx *Tx) DeclareHostLost(ctx context.Context, id HostID, by Actor) (Host, error) {
	host, err := one[Host](ctx, tx.tx, "host", id,
		`UPDATE hosts SET session = session + 1, disconnected_at = coalesce(disconnected_at, @at),
			revision = revision + 1, updated_at = @at
		WHERE id = @id RETURNING `+hostColumns, pgx.NamedArgs{"id": id, "at": tx.at})
	if err != nil {
		return Host{}, err
	}
	tx.Notify(TopicHosts, TopicHost(id))
	return host, tx.loseBuilds(ctx, id, by, false)
}

// RevokeHost removes a host for good: it may not connect again, what it holds
// ends as in DeclareHostLost, and its queued builds are cancelled. To revoke a
// revoked host changes nothing.
func (tx *Tx) RevokeHost(ctx context.Context, id HostID, by Actor) (Host, error) {
	host, err := one[Host](ctx, tx.tx, "host", id,
		`UPDATE hosts SET state = 'revoked', session = session + 1, revoked_at = @at,
			disconnected_at = coalesce(disconnected_at, @at), revision = revision + 1, updated_at = @at
		WHERE id = @id AND state = 'enrolled' RETURNING `+hostColumns, pgx.NamedArgs{"id": id, "at": tx.at})
	if errors.Is(err, NotFound("host", id)) {
		return tx.Host(ctx, id)
	}
	if err != nil {
		return Host{}, err
	}
	tx.Notify(TopicHosts, TopicHost(id))
	return host, tx.loseBuilds(ctx, id, by, true)
}

// loseBuilds fails the builds that the host holds; with queued it cancels the
// others that are not over.
func (tx *Tx) loseBuilds(ctx context.Context, host HostID, by Actor, queued bool) error {
	c := tx.change(by)
	jobs, err := c.lockJobs(ctx,
		`host_id = @host AND outcome IS NULL ORDER BY id FOR NO KEY UPDATE`,
		pgx.NamedArgs{"host": host})
	if err != nil {
		return err
	}
	var sticks []StickID
	for _, s := range jobs {
		for _, b := range s.job.Builds {
			if b.State == BuildAssigned || b.State == BuildRunning {
				sticks = append(sticks, b.StickID)
			}
		}
	}
	if err := c.lockSticks(ctx, sticks); err != nil {
		return err
	}
	for _, s := range jobs {
		if queued {
			if err := c.cancelQueued(ctx, s, string(CodeHostRevoked)); err != nil {
				return err
			}
		}
		lost := protocol.NewFault(string(CodeHostLost))
		lost.Touched = s.job.Kind.Writes() // nobody can say that it was not
		for i := range s.job.Builds {
			b := &s.job.Builds[i]
			if b.State != BuildAssigned && b.State != BuildRunning {
				continue
			}
			event := Event{Type: EventBuildFailed, BuildID: b.ID, Attempt: b.Attempt}
			if err := c.job(s, event, BuildReport{Fault: lost}); err != nil {
				return err
			}
			tx.endAttempt(b, AttemptLost)
			if !s.job.Kind.Writes() {
				continue
			}
			event.Type = EventStickIncomplete
			if err := c.stick(b.StickID, event, StickContent{Fault: lost}); err != nil {
				return err
			}
		}
	}
	c.save()
	return nil
}
