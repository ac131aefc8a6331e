package api

import (
	"context"
	"slices"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// JobBuild is a build with what its job says of it.
type JobBuild struct {
	Build
	Kind      protocol.JobKind `json:"kind"` // of the job
	HostID    string           `json:"host_id"`
	HostName  string           `json:"host_name"`
	SiteID    string           `json:"site_id"`
	ImageID   string           `json:"image_id,omitempty"` // that it writes
	ImageName string           `json:"image_name,omitempty"`
	VersionID string           `json:"version_id,omitempty"`
	Version   string           `json:"version,omitempty"`
	Revision  int64            `json:"revision"` // of the job
}

func jobBuildOf(j *Job, b Build) JobBuild {
	return JobBuild{
		Build: b, Kind: j.Kind, HostID: j.HostID, HostName: j.HostName, SiteID: j.SiteID,
		ImageID: j.ImageID, ImageName: j.ImageName, VersionID: j.VersionID, Version: j.Version, Revision: j.Revision,
	}
}

// BuildFilter narrows ListBuilds; empty fields do not.
type BuildFilter struct {
	State     string // one of a build, or StateActive
	Kind      string
	HostID    string // or its name
	JobID     string
	StickID   string
	ImageID   string // that its job writes; or its name
	VersionID string // that its job writes
	SiteID    string // or its name: where its job was queued
	Holder    string // how it begins, whatever its case
	Reference string // exact
	System    string // of the reference, exact
	Fault     string // code, exact
	From, To  string // days, in UTC, on which it was queued: the first and the last
}

// BuildFields are the fields of a BuildFilter.
var BuildFields = []Field[BuildFilter]{
	{FieldInfo{Name: "state", Kind: FieldChoice, Values: []string{StateActive, "queued", "assigned", "running", "verified", "failed", "cancelled"}, Doc: "A build's state, or 'active': not over."}, func(f *BuildFilter) *string { return &f.State }},
	{FieldInfo{Name: "kind", Kind: FieldChoice, Values: []string{"press", "raw", "verify", "wipe", "capture"}, Doc: "What its job does."}, func(f *BuildFilter) *string { return &f.Kind }},
	{FieldInfo{Name: "job", Kind: FieldThing, Doc: "ID of its job."}, func(f *BuildFilter) *string { return &f.JobID }},
	{FieldInfo{Name: "host", Kind: FieldThing, Object: "host", Doc: "ID or name of its host."}, func(f *BuildFilter) *string { return &f.HostID }},
	{FieldInfo{Name: "site", Kind: FieldThing, Object: "site", Doc: "ID or name of the site at which its job was queued."}, func(f *BuildFilter) *string { return &f.SiteID }},
	{FieldInfo{Name: "stick", Kind: FieldThing, Doc: "ID of its stick."}, func(f *BuildFilter) *string { return &f.StickID }},
	{FieldInfo{Name: "image", Kind: FieldThing, Object: "image", Doc: "ID or name of an image, any version of which it writes."}, func(f *BuildFilter) *string { return &f.ImageID }},
	{FieldInfo{Name: "version", Kind: FieldThing, Doc: "ID of the version that it writes."}, func(f *BuildFilter) *string { return &f.VersionID }},
	{FieldInfo{Name: "holder", Kind: FieldText, Doc: "How its holder begins, whatever its case."}, func(f *BuildFilter) *string { return &f.Holder }},
	{FieldInfo{Name: "reference", Kind: FieldText, Doc: "Its reference, exact."}, func(f *BuildFilter) *string { return &f.Reference }},
	{FieldInfo{Name: "reference_system", Kind: FieldText, Doc: "The system of its reference, exact."}, func(f *BuildFilter) *string { return &f.System }},
	{FieldInfo{Name: "fault", Kind: FieldText, Doc: "Code of the fault that ended it."}, func(f *BuildFilter) *string { return &f.Fault }},
	{FieldInfo{Name: "from", Kind: FieldDay, Doc: "The first day on which it was queued, in UTC."}, func(f *BuildFilter) *string { return &f.From }},
	{FieldInfo{Name: "to", Kind: FieldDay, Doc: "The last day on which it was queued, in UTC."}, func(f *BuildFilter) *string { return &f.To }},
}

// ListBuilds lists builds, newest first. Faults: those of FieldInfo.Check,
// host_not_found, site_not_found, image_not_found, image_version_not_found,
// job_not_found, stick_not_found.
func (c *Console) ListBuilds(ctx context.Context, a Actor, f BuildFilter, p Page) (List[JobBuild], error) {
	if err := allow(a, UseListBuilds); err != nil {
		return List[JobBuild]{}, err
	}
	query, err := c.buildQuery(ctx, a, &f)
	if err != nil {
		return List[JobBuild]{}, err
	}
	if query.Page.Before, query.Page.After, query.Page.Limit, err = byID[store.BuildID](p); err != nil {
		return List[JobBuild]{}, err
	}
	rows, err := c.store.Builds(ctx, query)
	if err != nil {
		return List[JobBuild]{}, err
	}
	rows, list := cut[store.Build, JobBuild](p, rows, func(b store.Build) string { return b.ID.String() })
	jobs, err := c.jobsOf(ctx, rows)
	if err != nil {
		return List[JobBuild]{}, err
	}
	for i := range rows {
		j := jobs[rows[i].JobID]
		at := slices.IndexFunc(j.Builds, func(b Build) bool { return b.ID == rows[i].ID.String() })
		list.Items = append(list.Items, jobBuildOf(j, j.Builds[at]))
	}
	return list, nil
}

// jobsOf are the jobs of some builds, as a list shows them.
func (c *Console) jobsOf(ctx context.Context, builds []store.Build) (map[store.JobID]*Job, error) {
	ids := make([]store.JobID, 0, len(builds))
	for _, b := range builds {
		ids = append(ids, b.JobID)
	}
	rows, err := c.store.JobsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	out, all, n := map[store.JobID]*Job{}, make([]*Job, 0, len(rows)), c.names()
	for i := range rows {
		job, err := c.jobOf(ctx, n, &rows[i])
		if err != nil {
			return nil, err
		}
		out[rows[i].ID] = &job
		all = append(all, &job)
	}
	return out, c.addProgress(ctx, all)
}

func (c *Console) buildQuery(ctx context.Context, a Actor, f *BuildFilter) (store.BuildFilter, error) {
	query := store.BuildFilter{
		Kind: protocol.JobKind(f.Kind), Holder: f.Holder, Reference: f.Reference, ReferenceSystem: f.System, Fault: f.Fault,
		From: dayOf(f.From, false), To: dayOf(f.To, true),
	}
	switch {
	case f.State == StateActive:
		query.States = []store.BuildState{store.BuildQueued, store.BuildAssigned, store.BuildRunning}
	case f.State != "":
		query.States = []store.BuildState{store.BuildState(f.State)}
	}
	err := checkFilter(BuildFields, f)
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
	if query.ImageVersionID, err = thing("version", f.VersionID, parseVersion, func(id store.VersionID) store.VersionID { return id }); err != nil {
		return query, err
	}
	if query.JobID, err = thing("job", f.JobID, func(id string) (store.Job, error) { return c.findJob(ctx, a, id) },
		func(j store.Job) store.JobID { return j.ID }); err != nil {
		return query, err
	}
	query.StickID, err = thing("stick", f.StickID, func(id string) (store.Stick, error) { return c.findStick(ctx, a, id) },
		func(s store.Stick) store.StickID { return s.ID })
	return query, err
}

// GetBuild returns a build with its steps and attempts. Faults: build_not_found.
func (c *Console) GetBuild(ctx context.Context, a Actor, id string) (JobBuild, error) {
	b, err := c.findBuild(ctx, a, id)
	if err != nil {
		return JobBuild{}, err
	}
	j, err := c.GetJob(ctx, a, b.JobID.String())
	if err != nil {
		return JobBuild{}, err
	}
	at := slices.IndexFunc(j.Builds, func(x Build) bool { return x.ID == id })
	return jobBuildOf(&j, j.Builds[at]), nil
}

// BuildEvents returns the part of a job's history that is about one build,
// after a seq, oldest first, at most MaxPage of it. Faults: build_not_found.
func (c *Console) BuildEvents(ctx context.Context, a Actor, id string, after int64) ([]JobEvent, error) {
	return c.buildEvents(ctx, a, id, after)
}

// BuildLog returns what the host said about one build, likewise: its events
// with a Log. Faults: build_not_found.
func (c *Console) BuildLog(ctx context.Context, a Actor, id string, after int64) ([]JobEvent, error) {
	return c.buildEvents(ctx, a, id, after, store.EventBuildLog)
}

func (c *Console) buildEvents(ctx context.Context, a Actor, id string, after int64, types ...store.EventType) ([]JobEvent, error) {
	b, err := c.findBuild(ctx, a, id)
	if err != nil {
		return nil, err
	}
	rows, err := c.store.BuildEvents(ctx, b.JobID, b.ID, after, MaxPage, types...)
	if err != nil {
		return nil, err
	}
	return eventsOf(ctx, c.names(), rows)
}

// findBuild finds a build of a job that the actor may see.
func (c *Console) findBuild(ctx context.Context, a Actor, id string) (store.Build, error) {
	if err := allow(a, UseGetBuild); err != nil {
		return store.Build{}, err
	}
	key, err := parse[store.BuildID]("build", id)
	if err != nil {
		return store.Build{}, err
	}
	b, err := c.store.Build(ctx, key)
	if err != nil {
		return b, err
	}
	if _, err = c.findJob(ctx, a, b.JobID.String()); isNotFound(err, "job") {
		err = store.NotFound("build", id)
	}
	return b, err
}
