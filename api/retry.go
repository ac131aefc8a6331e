package api

import (
	"context"
	"slices"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// RetryBuildsInput asks for new attempts of builds of a job.
type RetryBuildsInput struct {
	JobID  string
	Builds []string // IDs; empty: every build that failed or was cancelled
	// Overrides are codes of faults that are to pass (admin), besides those that
	// the job has already. They stay with the job.
	Overrides []string
}

// RetryBuilds queues builds of a job again (helpdesk; a capture, and a job with
// overrides: admin), each with a new attempt on the stick that was confirmed.
// What could have changed since is checked as by QueueJob, and nothing is queued
// if any of it is refused. A stick that was pulled out in the meantime is
// another connection: it needs a confirmation, and so a new job. Faults:
// job_not_found, job_cancelling, build_not_found, state_refused, retry_nothing,
// attempt_leased, stick_rewritten, override_unknown, host_revoked, host_outdated,
// version_withdrawn, version_exists, device_gone, device_changed, any of a
// device's own refusals, stick_busy, stick_data_open, reference_open, stick_not_wiped.
func (c *Console) RetryBuilds(ctx context.Context, a Actor, in RetryBuildsInput) (Job, error) {
	if err := allow(a, UseRetryBuilds); err != nil {
		return Job{}, err
	}
	row, err := c.findJob(ctx, a, in.JobID)
	if err != nil {
		return Job{}, err
	}
	if row.Kind == protocol.JobCapture {
		if err := allow(a, UseCapture); err != nil {
			return Job{}, err
		}
	}
	again := store.Retry{JobID: row.ID, Overrides: slices.Clone(row.Overrides)}
	for _, code := range in.Overrides {
		if !slices.Contains(again.Overrides, code) {
			again.Overrides = append(again.Overrides, code)
		}
	}
	if err := checkOverrides(a, again.Overrides); err != nil {
		return Job{}, err
	}
	if again.Builds, err = parseAll[store.BuildID]("build", in.Builds); err != nil {
		return Job{}, err
	}
	err = c.change(ctx, a, UseRetryBuilds, func(tx *store.Tx, by store.Actor) error {
		before, err := tx.Job(ctx, row.ID)
		if err != nil {
			return err
		}
		again.By = by
		after, err := tx.RetryBuilds(ctx, again)
		if err != nil {
			return ofRetry(err)
		}
		retried := retriedOf(&before, &after)
		if err := checkAgain(ctx, tx.Reader, &after, retried); err != nil {
			return ofRetry(err)
		}
		ids := make([]string, len(retried))
		for i, b := range retried {
			ids[i] = b.ID.String()
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseRetryBuilds), ObjectKind: "job", ObjectID: in.JobID,
			Before: map[string]any{"state": before.State, "overrides": before.Overrides},
			After:  map[string]any{"state": after.State, "overrides": after.Overrides, "builds": ids},
		})
	})
	if err != nil {
		return Job{}, c.inTheWay(ctx, a, err)
	}
	return c.GetJob(ctx, a, in.JobID)
}

// ofRetry blames the builds for what a new job would blame its devices for, and
// nothing for what a retry does not choose.
func ofRetry(err error) error {
	return fault.Renamed(err, func(field string) string {
		if field == "builds" || field == "devices" {
			return "builds"
		}
		return ""
	})
}

// retriedOf lists the builds that were over before and are queued now.
func retriedOf(before, after *store.Job) (retried []store.Build) {
	for _, b := range after.Builds {
		old, ok := before.Build(b.ID)
		if ok && b.State == store.BuildQueued && old.State.Final() {
			retried = append(retried, b)
		}
	}
	return retried
}

// checkAgain refuses builds that QueueJob would refuse now: the host, and what
// it sees in the sockets of the sticks that were confirmed.
func checkAgain(ctx context.Context, r store.Reader, j *store.Job, builds []store.Build) error {
	host, err := r.Host(ctx, j.HostID)
	if err != nil {
		return err
	}
	n := store.NewJob{Kind: j.Kind, Options: j.Options, Overrides: j.Overrides}
	if err := checkHost(&host, &n); err != nil {
		return err
	}
	fits, err := fitsAgain(ctx, r, j, &plan{job: n, names: &names{r: r}})
	if err != nil {
		return err
	}
	for i := range builds {
		b := &builds[i]
		d, err := checkDevice(&host, j.Kind, &b.Device.Identity, nil) // the store has looked for busy ones
		if err == nil {
			err = fits(d)
		}
		if err != nil {
			return fault.From(err).At("builds")
		}
	}
	return nil
}

// fitsAgain is what the planner of the job's kind demanded of its sticks.
func fitsAgain(ctx context.Context, r store.Reader, j *store.Job, p *plan) (func(*protocol.Device) error, error) {
	any := func(*protocol.Device) error { return nil }
	switch j.Kind { //nolint:exhaustive // the others take any stick
	case protocol.JobPress:
		v, err := r.Version(ctx, j.ImageVersionID)
		if err != nil {
			return nil, err
		}
		e, err := findEdition(&v, j.Edition)
		return func(d *protocol.Device) error { return checkFit(d, e, j.Layout, p.pass) }, err
	case protocol.JobRaw:
		v, err := r.Version(ctx, j.ImageVersionID)
		if err != nil {
			return nil, err
		}
		return func(d *protocol.Device) error { return checkDisk(d, v.Disk) }, nil
	case protocol.JobCapture:
		if o := j.Options.Capture; o != nil {
			if image, err := findImage(ctx, r, o.Image); err == nil {
				return any, checkUnpublished(ctx, r, image.ID, o.Version)
			}
		}
	}
	return any, nil
}
