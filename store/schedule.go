package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stickpress/stickpress/api/fault"
)

// JobSchedule is the payload of EventJobRescheduled.
type JobSchedule struct {
	NotBefore *time.Time `json:"not_before"` // nil: at once
}

func (j *Job) applyRescheduled(e *JobEvent) error {
	p, err := decodePayload[JobSchedule](&e.Event)
	j.NotBefore = p.NotBefore
	return err
}

// stamped is stamp for a time that may be missing.
func stamped(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	at := stamp(*t)
	return &at
}

// Reschedule moves a job that no host has taken to another time; nil means at
// once. The same time again changes nothing. A job that has another revision than
// the one that was seen (0 does not check) is the fault stale, one that has begun
// job_begun, one that is over or being cancelled job_ended.
func (tx *Tx) Reschedule(ctx context.Context, id JobID, revision int64, notBefore *time.Time, by Actor) (Job, error) {
	c := tx.change(by)
	s, err := c.lockJob(ctx, id)
	if err != nil {
		return Job{}, err
	}
	to := stamped(notBefore)
	switch {
	case s.job.State.Final(), s.job.CancelRequestedAt != nil:
		return Job{}, fault.New(fault.KindConflict, CodeJobEnded, "state", s.job.State)
	case s.job.State != JobQueued:
		return Job{}, fault.New(fault.KindConflict, CodeJobBegun, "state", s.job.State)
	case to == nil && s.job.NotBefore == nil, to != nil && s.job.NotBefore != nil && to.Equal(*s.job.NotBefore):
		return s.job, nil
	case revision != 0 && revision != s.job.Revision:
		return Job{}, fault.New(fault.KindStale, CodeStale, "kind", "job", "id", id)
	}
	if err := c.job(s, Event{Type: EventJobRescheduled}, JobSchedule{NotBefore: to}); err != nil {
		return Job{}, err
	}
	tx.Notify(TopicHost(s.job.HostID))
	c.save()
	return s.job, nil
}

// Due is when a host's work begins that was queued for later.
type Due struct {
	HostID HostID
	At     time.Time
}

// NextDue lists, by host, the earliest time after the given one at which a job
// that waits may be claimed; the earliest comes first. What may be claimed
// already is nobody's next.
func (r Reader) NextDue(ctx context.Context, after time.Time) ([]Due, error) {
	return many[Due](ctx, r.db, "jobs for later",
		`SELECT host_id, min(not_before) AS at FROM jobs
		WHERE outcome IS NULL AND state = 'queued' AND not_before > @after GROUP BY host_id ORDER BY at`, pgx.NamedArgs{"after": after})
}

// NotBefore decodes the payload of EventJobRescheduled.
func (e *Event) NotBefore() (*time.Time, error) {
	p, err := decodePayload[JobSchedule](e)
	return p.NotBefore, err
}
