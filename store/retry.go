package store

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
)

// Retry asks for new attempts of builds of a job that failed or were cancelled.
type Retry struct {
	JobID  JobID
	Builds []BuildID // empty: all of them
	// Overrides are those that the job had, and what an admin adds to them.
	Overrides []string
	By        Actor
}

// RetryBuilds queues builds again: the only way to a further attempt, never
// taken by the console itself, and what the numbers and fences of attempts are
// for. A job that was over is queued again with them. What is looked at is the
// same as in QueueJob: the faults host_revoked, version_withdrawn, stick_busy
// stick_data_open and stick_not_wiped. Besides, the last attempt must be over on its host, or
// declared lost (attempt_leased), no later build may have written to the device
// (stick_rewritten, with its job), and nobody may be stopping the job
// (job_cancelling). A build of another state is state_refused; where there is
// none to try again, retry_nothing.
func (tx *Tx) RetryBuilds(ctx context.Context, r Retry) (Job, error) {
	known, err := tx.Job(ctx, r.JobID) // its host and its version never change
	if err != nil {
		return Job{}, err
	}
	n := NewJob{HostID: known.HostID, Kind: known.Kind, ImageVersionID: known.ImageVersionID, Overrides: r.Overrides}
	if err := tx.hold(ctx, &n, externalRefs{}); err != nil {
		return Job{}, err
	}
	c := tx.change(r.By)
	s, err := c.lockJob(ctx, r.JobID)
	if err != nil {
		return Job{}, err
	}
	if s.job.State == JobCancelling {
		return Job{}, fault.New(fault.KindConflict, CodeJobCancelling)
	}
	again, err := s.job.toRetry(r.Builds)
	if err != nil {
		return Job{}, err
	}
	if err := tx.checkUnleased(ctx, again); err != nil {
		return Job{}, err
	}
	if s.job.Kind.Writes() {
		if err := tx.checkUnwritten(ctx, again); err != nil {
			return Job{}, err
		}
	}
	var sticks []StickID
	refs := externalRefs{job: r.JobID}
	for _, b := range again {
		refs.add(b.ReferenceSystem, b.Reference)
		n.Builds = append(n.Builds, NewBuild{Device: protocol.Device{Identity: b.Device.Identity}, Holder: b.Holder})
		sticks = append(sticks, b.StickID)
	}
	if err := tx.hold(ctx, &n, refs); err != nil {
		return Job{}, err
	}
	if err := c.lockSticks(ctx, sticks); err != nil {
		return Job{}, err
	}
	if err := c.checkHere(s.job.Kind, &n, sticks); err != nil {
		return Job{}, err
	}
	if err := c.checkData(s.job.Kind, &n, sticks); err != nil {
		return Job{}, err
	}
	if err := c.checkWiped(&n, sticks); err != nil {
		return Job{}, err
	}
	if err := c.append(s, Event{Type: EventJobRetried}, RetriedJob{Overrides: r.Overrides}); err != nil {
		return Job{}, err
	}
	for _, b := range again {
		event := Event{Type: EventBuildRetried, BuildID: b.ID, Attempt: b.Attempt}
		if err := c.job(s, event, BuildReport{}); err != nil {
			return Job{}, err
		}
	}
	tx.Notify(TopicHost(s.job.HostID))
	c.save()
	return s.job, nil
}

// hold is what NewJob.hold, checkFree and externalRefs.hold say.
func (tx *Tx) hold(ctx context.Context, n *NewJob, refs externalRefs) error {
	q := tx.Questions()
	held, open := n.hold(q), refs.hold(q)
	busy := ask[busyPlace](q, busyPlaces+`@host`, pgx.NamedArgs{"host": n.HostID})
	if err := q.Ask(ctx); err != nil {
		return err
	}
	if _, err := held(); err != nil {
		return err
	}
	if err := n.checkFree(jobsAt(busy.rows)); err != nil {
		return err
	}
	return open()
}

// toRetry picks the builds that are to be tried again: those named, or all that
// can.
func (j *Job) toRetry(named []BuildID) (again []Build, err error) {
	for _, id := range named {
		b, ok := j.Build(id)
		switch {
		case !ok:
			return nil, NotFound("build", id)
		case !b.State.CanBecome(BuildQueued):
			return nil, errTransition("build", b.State, BuildQueued)
		case !slices.ContainsFunc(again, func(a Build) bool { return a.ID == id }):
			again = append(again, *b)
		}
	}
	for _, b := range j.Builds {
		if len(named) == 0 && b.State.CanBecome(BuildQueued) {
			again = append(again, b)
		}
	}
	if len(again) == 0 {
		return nil, fault.New(fault.KindConflict, CodeRetryNothing, "state", j.State)
	}
	return again, nil
}

// checkUnleased refuses builds whose host may still be at work.
func (tx *Tx) checkUnleased(ctx context.Context, builds []Build) error {
	var ids []BuildID
	for _, b := range builds {
		ids = append(ids, b.ID)
	}
	var leased bool
	err := tx.db.QueryRow(ctx,
		`SELECT EXISTS (SELECT FROM build_attempts WHERE build_id = ANY (@ids) AND state = 'leased')`,
		pgx.NamedArgs{"ids": ids}).Scan(&leased)
	if err == nil && leased {
		return fault.New(fault.KindConflict, CodeAttemptLeased)
	}
	return fail(err, "look for leases")
}

// checkUnwritten refuses builds whose device got something else in the meantime,
// as it is plugged in: an old job must not take the place of a newer one's work.
// What is newer is what ended later: a job may be tried again, or have waited for
// its time, long after jobs that were queued behind it.
func (tx *Tx) checkUnwritten(ctx context.Context, builds []Build) error {
	for i := range builds {
		b := &builds[i]
		later, err := many[Build](ctx, tx.db, "builds",
			`SELECT `+buildColumns+` FROM builds
			WHERE id <> @id AND ended_at > @ended_at AND host_id = @host AND touched AND device ->> 'kind' = @kind AND device ->> 'port' = @port
				AND device -> 'lun' = to_jsonb(@lun::integer) AND device -> 'connection' = to_jsonb(@connection::bigint)
			ORDER BY ended_at DESC LIMIT 1`,
			pgx.NamedArgs{
				"id": b.ID, "ended_at": b.EndedAt, "host": b.HostID, "kind": b.Device.Kind, "port": b.Device.Port,
				"lun": b.Device.LUN, "connection": b.Device.Connection,
			})
		if err != nil {
			return err
		}
		if len(later) > 0 {
			return fault.New(fault.KindConflict, CodeStickRewritten, "port", b.Device.Port, "job", later[0].JobID).At("builds")
		}
	}
	return nil
}
