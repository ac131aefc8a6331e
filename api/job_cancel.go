package api

import (
	"context"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// CancelJob stops a job's unfinished builds (helpdesk): those that wait end at
// once, those on a host when the host says so. Repeating it changes nothing.
// Faults: job_not_found, job_ended (state).
func (c *Console) CancelJob(ctx context.Context, a Actor, id string) (Job, error) {
	if err := allow(a, UseCancelJob); err != nil {
		return Job{}, err
	}
	row, err := c.findJob(ctx, a, id)
	if err != nil {
		return Job{}, err
	}
	err = c.change(ctx, a, UseCancelJob, func(tx *store.Tx, by store.Actor) error {
		before, err := tx.Job(ctx, row.ID)
		if err != nil {
			return err
		}
		if before.CancelRequestedAt != nil && !before.State.Final() {
			return nil
		}
		if before.State.Final() {
			if before.State == store.JobCancelled {
				return nil
			}
			return fault.New(fault.KindConflict, store.CodeJobEnded, "state", before.State)
		}
		after, err := tx.RequestCancel(ctx, row.ID, by)
		if err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseCancelJob), ObjectKind: "job", ObjectID: id,
			Before: map[string]any{"state": before.State}, After: map[string]any{"state": after.State},
		})
	})
	if err != nil {
		return Job{}, err
	}
	return c.GetJob(ctx, a, id)
}

// CancelBuild stops one build (helpdesk); the others of its job go on. One that
// waits ends at once, one on a host when the host says so. Repeating it changes
// nothing. Faults: job_not_found, build_not_found, build_ended (state).
func (c *Console) CancelBuild(ctx context.Context, a Actor, job, build string) (Job, error) {
	if err := allow(a, UseCancelBuild); err != nil {
		return Job{}, err
	}
	row, err := c.findJob(ctx, a, job)
	if err != nil {
		return Job{}, err
	}
	id, err := parse[store.BuildID]("build", build)
	if err != nil {
		return Job{}, err
	}
	if _, ok := row.Build(id); !ok {
		return Job{}, store.NotFound("build", build)
	}
	err = c.change(ctx, a, UseCancelBuild, func(tx *store.Tx, by store.Actor) error {
		before, err := tx.Build(ctx, id)
		if err != nil {
			return err
		}
		changed, err := tx.RequestCancelBuild(ctx, id, by)
		if err != nil || before.CancelRequestedAt != nil || row.CancelRequestedAt != nil {
			return err
		}
		after, _ := changed.Build(id)
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseCancelBuild), ObjectKind: "build", ObjectID: build,
			Before: map[string]any{"state": before.State}, After: map[string]any{"state": after.State},
		})
	})
	if err != nil {
		return Job{}, err
	}
	return c.GetJob(ctx, a, job)
}
