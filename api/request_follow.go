package api

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/connector"
	"github.com/stickpress/stickpress/store"
)

const (
	// followPoll is how long a replica may not have heard of a job.
	followPoll = 15 * time.Second
	// followMost is how many requests are looked at at once.
	followMost = 100
)

// followRequests brings requests to where their sticks are and has their
// tickets told, until ctx ends. Every replica does; of two that see the same one
// does it.
func (c *Console) followRequests(ctx context.Context) {
	changed := c.store.Watch(ctx, store.TopicJobs)
	for {
		if err := c.followOnce(ctx); err != nil && ctx.Err() == nil {
			c.log.WarnContext(ctx, "requests of tickets are not followed", "error", err)
		}
		select {
		case <-time.After(watchLeast): // many jobs may move at once
		case <-ctx.Done():
			return
		}
		select {
		case <-changed:
		case <-time.After(followPoll):
		case <-ctx.Done():
			return
		}
	}
}

func (c *Console) followOnce(ctx context.Context) error {
	moved, err := c.store.MovedRequests(ctx, c.store.Now(), followMost)
	if err != nil {
		return err
	}
	for _, m := range moved {
		err := c.store.InTx(ctx, func(tx *store.Tx) error {
			q, ok, err := tx.FollowStickRequest(ctx, m)
			if err != nil || !ok {
				return err
			}
			switch q.State {
			case store.RequestDone:
				return c.writeBack(ctx, tx, &q, connector.EventVerified)
			case store.RequestFailed:
				return c.writeBack(ctx, tx, &q, connector.EventFailed)
			}
			if m.Begun {
				return c.writeBack(ctx, tx, &q, connector.EventRunning)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ofRequest fills in what a job for one request leaves open: whose the sticks are,
// their ticket and their computers' name, as the request has them.
func ofRequest(ctx context.Context, tx *store.Tx, a Actor, in QueueJobInput) (QueueJobInput, error) {
	if len(in.StickRequests) != 1 {
		return in, nil // each stick says by its reference which one it is for
	}
	q, err := findRequest(a, in.StickRequests[0], func(key store.RequestID) (store.StickRequest, error) { return tx.StickRequest(ctx, key) })
	if err != nil {
		return in, fault.From(err).At("stick_requests")
	}
	said := func(is func(QueueDevice) bool) bool { return slices.ContainsFunc(in.Devices, is) }
	if in.ExternalRef.ID == "" && !said(func(d QueueDevice) bool { return d.ExternalRef.ID != "" }) {
		k, err := tx.Connector(ctx, q.ConnectorID)
		if err != nil {
			return in, err
		}
		in.ExternalRef = ExternalRef{System: k.Name, ID: q.Ticket}
	}
	if in.Holder == "" && !said(func(d QueueDevice) bool { return d.Holder != "" }) {
		in.Holder = q.Holder
	}
	if q.ComputerName != "" && in.Variables[VariableComputerName] == "" && !said(func(d QueueDevice) bool { return d.Variables[VariableComputerName] != "" }) {
		vars := map[string]string{VariableComputerName: q.ComputerName}
		for name, value := range in.Variables {
			vars[name] = cmp.Or(vars[name], value)
		}
		in.Variables = vars
	}
	return in, nil
}

// answerRequests notes which sticks of a job that was just queued are for which
// request: all of them for one, else each for the request whose ticket is its
// reference. Faults: stick_request_not_found, stick_request_over (state),
// stick_request_unmatched (ticket).
func (c *Console) answerRequests(ctx context.Context, tx *store.Tx, a Actor, by store.Actor, requests []string, j *store.Job) error {
	// In their order, so that two who answer the same do not wait for each other.
	requests = slices.Compact(slices.Sorted(slices.Values(requests)))
	for _, id := range requests {
		q, err := findRequest(a, id, func(key store.RequestID) (store.StickRequest, error) { return tx.LockStickRequest(ctx, key) })
		if err != nil {
			return fault.From(err).At("stick_requests")
		}
		if q.State != store.RequestOpen && q.State != store.RequestFailed {
			return fault.New(fault.KindConflict, CodeRequestOver, "state", q.State).At("stick_requests")
		}
		var builds []store.BuildID
		for i := range j.Builds {
			if len(requests) == 1 || j.Builds[i].Reference == q.Ticket {
				builds = append(builds, j.Builds[i].ID)
			}
		}
		if len(builds) == 0 {
			return fault.New(fault.KindInvalid, CodeRequestUnmatched, "ticket", q.Ticket).At("stick_requests")
		}
		before := q.State
		if q, err = tx.QueueStickRequest(ctx, q.ID, j.ID, builds, by); err != nil {
			return err
		}
		if err := c.writeBack(ctx, tx, &q, connector.EventQueued); err != nil {
			return err
		}
		err = tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseQueueJob), ObjectKind: "stick_request", ObjectID: q.ID.String(),
			Before: map[string]any{"state": before}, After: map[string]any{"state": q.State, "job_id": q.JobID, "ticket": q.Ticket, "sticks": len(builds)},
		})
		if err != nil {
			return err
		}
	}
	return nil
}
