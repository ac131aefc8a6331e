package api

import (
	"context"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// Bounds of a job's time.
const (
	// scheduleSlack is how far in the past a time may lie: forms count minutes.
	scheduleSlack = time.Minute
	scheduleDays  = 366
)

// checkNotBefore refuses a time that is over, or too far away to be meant.
func checkNotBefore(at *time.Time, now time.Time) error {
	switch {
	case at == nil:
		return nil
	case at.Before(now.Add(-scheduleSlack)):
		return fault.New(fault.KindInvalid, CodeSchedulePast).At("not_before")
	case at.After(now.AddDate(0, 0, scheduleDays)):
		return fault.New(fault.KindInvalid, CodeScheduleFar, "days", scheduleDays).At("not_before")
	}
	return nil
}

// Scheduled reports whether the job waits for its time.
func (j *Job) Scheduled(now time.Time) bool {
	return j.State == string(store.JobQueued) && j.NotBefore != nil && j.NotBefore.After(now)
}

// ScheduleJobInput moves a job that has not begun.
type ScheduleJobInput struct {
	ID        string
	NotBefore *time.Time // nil: at once
	Revision  int64      // of the job as seen; 0 does not check
}

// ScheduleJob moves a job that no host has taken yet to another time (helpdesk).
// The same time again changes nothing. Faults: job_not_found, job_begun,
// job_ended, schedule_past, schedule_too_far, stale.
func (c *Console) ScheduleJob(ctx context.Context, a Actor, in ScheduleJobInput) (Job, error) {
	if err := allow(a, UseScheduleJob); err != nil {
		return Job{}, err
	}
	row, err := c.findJob(ctx, a, in.ID)
	if err != nil {
		return Job{}, err
	}
	err = c.change(ctx, a, UseScheduleJob, func(tx *store.Tx, by store.Actor) error {
		if err := checkNotBefore(in.NotBefore, tx.At()); err != nil {
			return err
		}
		before, err := tx.Job(ctx, row.ID)
		if err != nil {
			return err
		}
		after, err := tx.Reschedule(ctx, row.ID, in.Revision, in.NotBefore, by)
		if err != nil || after.Revision == before.Revision {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseScheduleJob), ObjectKind: "job", ObjectID: in.ID,
			Before: map[string]any{"not_before": before.NotBefore}, After: map[string]any{"not_before": after.NotBefore},
		})
	})
	if err != nil {
		return Job{}, err
	}
	return c.GetJob(ctx, a, in.ID)
}

// wakeDue tells the sockets of hosts when work is due that was queued for
// later, until ctx ends. Every replica does; a host that is told twice, or not
// at all, finds its work by asking, as always.
func (c *Console) wakeDue(ctx context.Context) {
	changed := c.store.Watch(ctx, store.TopicJobs)
	seen := c.store.Now()
	for {
		wait := c.duePoll
		due, err := c.store.NextDue(ctx, seen)
		if err != nil && ctx.Err() == nil {
			c.log.WarnContext(ctx, "looking for due jobs failed", "error", err)
		}
		if err == nil {
			now := c.store.Now()
			for _, d := range due {
				if d.At.After(now) {
					wait = min(wait, d.At.Sub(now))
					break
				}
				c.store.Notify(store.TopicHost(d.HostID))
				wait = watchLeast // behind it another job of that host may be due soon
			}
			seen = now
		}
		select {
		case <-time.After(watchLeast): // many jobs may move at once
		case <-ctx.Done():
			return
		}
		select {
		case <-changed:
		case <-time.After(max(0, wait-watchLeast)):
		case <-ctx.Done():
			return
		}
	}
}
