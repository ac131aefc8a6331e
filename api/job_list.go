package api

import (
	"context"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// JobFilter narrows ListJobs; empty fields do not.
type JobFilter struct {
	State     string // one of a job, or StateActive
	Kind      string
	HostID    string // or its name
	ImageID   string // or its name
	VersionID string
	SiteID    string // or its name: where it was queued
	Reference string // exact
	System    string // of the reference, exact
	Holder    string // how a holder begins, whatever its case
	From, To  string // days, in UTC, on which it was queued: the first and the last
	Search    string // how a reference or a holder begins, whatever its case
	Fault     string // code of the fault that ended one of its builds, exact
}

// StateActive stands for the states of jobs that are not over.
const StateActive = "active"

// JobFields are the fields of a JobFilter.
var JobFields = []Field[JobFilter]{
	{FieldInfo{Name: "q", Kind: FieldText, Doc: "How a reference or a holder begins, whatever its case."}, func(f *JobFilter) *string { return &f.Search }},
	{FieldInfo{Name: "state", Kind: FieldChoice, Values: []string{StateActive, "queued", "running", "cancelling", "succeeded", "failed", "cancelled"}, Doc: "A job's state, or 'active': not over."}, func(f *JobFilter) *string { return &f.State }},
	{FieldInfo{Name: "kind", Kind: FieldChoice, Values: []string{"press", "raw", "verify", "wipe", "capture"}, Doc: "What the job does."}, func(f *JobFilter) *string { return &f.Kind }},
	{FieldInfo{Name: "host", Kind: FieldThing, Object: "host", Doc: "ID or name of its host."}, func(f *JobFilter) *string { return &f.HostID }},
	{FieldInfo{Name: "site", Kind: FieldThing, Object: "site", Doc: "ID or name of the site at which it was queued."}, func(f *JobFilter) *string { return &f.SiteID }},
	{FieldInfo{Name: "image", Kind: FieldThing, Object: "image", Doc: "ID or name of an image, any version of which it writes."}, func(f *JobFilter) *string { return &f.ImageID }},
	{FieldInfo{Name: "version", Kind: FieldThing, Doc: "ID of the version that it writes."}, func(f *JobFilter) *string { return &f.VersionID }},
	{FieldInfo{Name: "reference", Kind: FieldText, Doc: "Its reference, exact."}, func(f *JobFilter) *string { return &f.Reference }},
	{FieldInfo{Name: "reference_system", Kind: FieldText, Doc: "The system of its reference, exact."}, func(f *JobFilter) *string { return &f.System }},
	{FieldInfo{Name: "holder", Kind: FieldText, Doc: "How a holder begins, whatever its case."}, func(f *JobFilter) *string { return &f.Holder }},
	{FieldInfo{Name: "fault", Kind: FieldText, Doc: "Code of the fault that ended one of its builds."}, func(f *JobFilter) *string { return &f.Fault }},
	{FieldInfo{Name: "from", Kind: FieldDay, Doc: "The first day on which it was queued, in UTC."}, func(f *JobFilter) *string { return &f.From }},
	{FieldInfo{Name: "to", Kind: FieldDay, Doc: "The last day on which it was queued, in UTC."}, func(f *JobFilter) *string { return &f.To }},
}

// ListJobs lists jobs with their builds, newest first. Faults: those of
// checkFilter, host_not_found, image_not_found, image_version_not_found,
// site_not_found.
func (c *Console) ListJobs(ctx context.Context, a Actor, f JobFilter, p Page) (List[Job], error) {
	if err := allow(a, UseListJobs); err != nil {
		return List[Job]{}, err
	}
	query, err := c.jobQuery(ctx, a, &f)
	if err != nil {
		return List[Job]{}, err
	}
	if query.Page.Before, query.Page.After, query.Page.Limit, err = byID[store.JobID](p); err != nil {
		return List[Job]{}, err
	}
	rows, err := c.store.Jobs(ctx, query)
	if err != nil {
		return List[Job]{}, err
	}
	n := c.names()
	list, err := listOf(p, rows, func(j *store.Job) (Job, error) { return c.jobOf(ctx, n, j) },
		func(j store.Job) string { return j.ID.String() })
	if err != nil {
		return List[Job]{}, err
	}
	jobs := make([]*Job, len(list.Items))
	for i := range list.Items {
		jobs[i] = &list.Items[i]
	}
	return list, c.addProgress(ctx, jobs)
}

// jobQuery is a filter as the store takes it.
func (c *Console) jobQuery(ctx context.Context, a Actor, f *JobFilter) (store.JobFilter, error) {
	query := store.JobFilter{
		Kind: protocol.JobKind(f.Kind), Reference: f.Reference, ReferenceSystem: f.System, Holder: f.Holder, Search: f.Search, Fault: f.Fault,
		From: dayOf(f.From, false), To: dayOf(f.To, true),
	}
	switch {
	case f.State == StateActive:
		query.States = activeStates
	case f.State != "":
		query.States = []store.JobState{store.JobState(f.State)}
	}
	err := checkFilter(JobFields, f)
	if err != nil {
		return query, err
	}
	if query.Sites, err = c.scope(ctx, a, f.SiteID); err != nil {
		return query, err
	}
	if query.HostID, err = c.hostField(ctx, a, f.HostID); err != nil {
		return query, err
	}
	if query.ImageID, err = c.imageField(ctx, f.ImageID); err != nil {
		return query, err
	}
	query.ImageVersionID, err = thing("version", f.VersionID, parseVersion, func(id store.VersionID) store.VersionID { return id })
	return query, err
}

func parseVersion(text string) (store.VersionID, error) {
	return parse[store.VersionID]("image_version", text)
}
