package api

import (
	"context"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/store"
)

// Job is a request for work on one host. What it writes (image, version and, if
// its kind is "press", edition, layout and task sequence) is empty where its
// kind writes nothing.
type Job struct {
	ID                    string              `json:"id"`
	Kind                  protocol.JobKind    `json:"kind"` // "press", "raw", "verify", "wipe", "capture"
	Options               protocol.JobOptions `json:"options"`
	Overrides             []string            `json:"overrides,omitempty"` // codes of faults that an admin let pass
	State                 string              `json:"state"`               // "queued", "running", "cancelling", "succeeded", "failed", "cancelled"
	ImageID               string              `json:"image_id"`
	ImageName             string              `json:"image_name"`
	VersionID             string              `json:"version_id"`
	Version               string              `json:"version"`
	Channel               string              `json:"channel,omitempty"` // that was resolved to the version
	Edition               int                 `json:"edition"`
	EditionName           string              `json:"edition_name"`
	Layout                string              `json:"layout"`
	BootSignature         string              `json:"boot_signature"`
	TaskSequenceID        string              `json:"task_sequence_id"`
	TaskSequenceName      string              `json:"task_sequence_name"`
	TaskSequenceVersionID string              `json:"task_sequence_version_id"`
	HostID                string              `json:"host_id"`
	HostName              string              `json:"host_name"`
	SiteID                string              `json:"site_id"`
	Reference             string              `json:"reference,omitempty"`
	Holder                string              `json:"holder,omitempty"`
	Variables             map[string]string   `json:"variables,omitempty"`
	NotBefore             *time.Time          `json:"not_before,omitempty"` // no host gets it earlier
	QueuedBy              string              `json:"queued_by"`
	QueuedAt              time.Time           `json:"queued_at"`
	CancelRequestedAt     *time.Time          `json:"cancel_requested_at,omitempty"`
	StartedAt             *time.Time          `json:"started_at,omitempty"`
	EndedAt               *time.Time          `json:"ended_at,omitempty"`
	LastSeq               int64               `json:"last_seq"` // of its events
	Builds                []Build             `json:"builds"`
	Revision              int64               `json:"revision"`
}

// Ended reports whether nothing will happen to the job any more.
func (j *Job) Ended() bool { return j.EndedAt != nil }

// Build is one stick of a job.
type Build struct {
	ID        string            `json:"id"`
	JobID     string            `json:"job_id"`
	Position  int               `json:"position"` // from 1, in the order of the request
	State     string            `json:"state"`    // "queued", "assigned", "running", "verified", "failed", "cancelled"
	Attempt   int               `json:"attempt"`  // 0 before the first
	StickID   string            `json:"stick_id"`
	Identity  protocol.Identity `json:"identity"`             // the device that was confirmed
	PortLabel string            `json:"port_label,omitempty"` // printed on its socket, when the job was queued
	Vendor    string            `json:"vendor"`
	Model     string            `json:"model"`
	Path      string            `json:"path"` // of the device or file when it was confirmed
	Reference string            `json:"reference,omitempty"`
	Holder    string            `json:"holder,omitempty"`
	Variables map[string]string `json:"variables,omitempty"` // the build's own
	Step      protocol.Step     `json:"step,omitempty"`      // begun last by the newest attempt
	Steps     []BuildStep       `json:"steps,omitempty"`     // of the newest attempt, all that its kind has; not in lists
	Preflight []protocol.Check  `json:"preflight,omitempty"` // what the newest attempt found out about the stick; not in lists
	Progress  *Progress         `json:"progress,omitempty"`  // while it runs
	Touched   bool              `json:"touched"`             // at least one byte of the stick may have changed
	Fault     *protocol.Fault   `json:"fault,omitempty"`     // why it failed or was cancelled
	Result    *protocol.Result  `json:"result,omitempty"`    // once verified
	Carries   *Carried          `json:"carries,omitempty"`   // the version that a comparison found; not in lists
	// Earlier are the attempts before the newest one, the first first; not in lists.
	Earlier []BuildAttempt `json:"earlier,omitempty"`
	// CancelRequestedAt is when somebody asked to stop this build alone.
	CancelRequestedAt *time.Time `json:"cancel_requested_at,omitempty"`
	// CertificateID names the certificate of a stick that was wiped.
	CertificateID string     `json:"certificate_id,omitempty"`
	StartedAt     *time.Time `json:"started_at,omitempty"`
	EndedAt       *time.Time `json:"ended_at,omitempty"`
}

// BuildStep is one step of a build's newest attempt.
type BuildStep struct {
	Step    protocol.Step `json:"step"`
	BegunAt *time.Time    `json:"begun_at,omitempty"`
	DoneAt  *time.Time    `json:"done_at,omitempty"`
}

// BuildAttempt is one attempt of a build that is over.
type BuildAttempt struct {
	Attempt   int              `json:"attempt"` // from 1
	State     string           `json:"state"`   // "failed", "cancelled", or "verified"; "running" where nobody told of its end
	Step      protocol.Step    `json:"step,omitempty"`
	Steps     []BuildStep      `json:"steps"`
	Preflight []protocol.Check `json:"preflight,omitempty"`
	Touched   bool             `json:"touched"`
	Fault     *protocol.Fault  `json:"fault,omitempty"`
	Result    *protocol.Result `json:"result,omitempty"`
	StartedAt *time.Time       `json:"started_at,omitempty"`
	EndedAt   *time.Time       `json:"ended_at,omitempty"`
}

// Progress is where a running build is now.
type Progress struct {
	Step  protocol.Step `json:"step"`
	Done  int64         `json:"done"`  // bytes
	Total int64         `json:"total"` // bytes, 0 when unknown
	Rate  int64         `json:"rate"`  // bytes per second
	At    time.Time     `json:"at"`
	// Rates is how fast the step went since it began, oldest first, at equal
	// distances; empty where this server has not heard of it for long enough.
	Rates []int64 `json:"rates,omitempty"`
	// Soonest and Latest are the seconds that the step will still take, by the
	// fastest and slowest of the last ones; 0 when that is not known.
	Soonest int64 `json:"soonest,omitempty"`
	Latest  int64 `json:"latest,omitempty"`
}

// ETA is how long the step will take at the present rate, 0 when unknown.
func (p *Progress) ETA() time.Duration {
	if p == nil || p.Rate <= 0 || p.Total <= p.Done {
		return 0
	}
	return time.Duration(float64(p.Total-p.Done) / float64(p.Rate) * float64(time.Second))
}

// JobFilter narrows ListJobs; empty fields do not.
type JobFilter struct {
	State     string // one of a job, or StateActive
	Active    bool   // the same as StateActive
	Kind      string
	HostID    string // or its name
	ImageID   string // or its name
	VersionID string
	SiteID    string // or its name: where it was queued
	Reference string // exact
	Holder    string // how a holder begins, whatever its case
	From, To  string // days, in UTC, on which it was queued: the first and the last
	Search    string // how a reference or a holder begins, whatever its case
	Fault     string // code of the fault that ended one of its builds, exact
}

// StateActive stands for the states of jobs that are not over.
const StateActive = "active"

// JobFields are the fields of a JobFilter.
var JobFields = []Field[JobFilter]{
	{FieldInfo{Name: "q", Kind: FieldText}, func(f *JobFilter) *string { return &f.Search }},
	{FieldInfo{Name: "state", Kind: FieldChoice, Values: []string{StateActive, "queued", "running", "cancelling", "succeeded", "failed", "cancelled"}}, func(f *JobFilter) *string { return &f.State }},
	{FieldInfo{Name: "kind", Kind: FieldChoice, Values: []string{"press", "raw", "verify", "wipe", "capture"}}, func(f *JobFilter) *string { return &f.Kind }},
	{FieldInfo{Name: "host", Kind: FieldThing, Object: "host"}, func(f *JobFilter) *string { return &f.HostID }},
	{FieldInfo{Name: "site", Kind: FieldThing, Object: "site"}, func(f *JobFilter) *string { return &f.SiteID }},
	{FieldInfo{Name: "image", Kind: FieldThing, Object: "image"}, func(f *JobFilter) *string { return &f.ImageID }},
	{FieldInfo{Name: "version", Kind: FieldThing}, func(f *JobFilter) *string { return &f.VersionID }},
	{FieldInfo{Name: "reference", Kind: FieldText}, func(f *JobFilter) *string { return &f.Reference }},
	{FieldInfo{Name: "holder", Kind: FieldText}, func(f *JobFilter) *string { return &f.Holder }},
	{FieldInfo{Name: "fault", Kind: FieldText}, func(f *JobFilter) *string { return &f.Fault }},
	{FieldInfo{Name: "from", Kind: FieldDay}, func(f *JobFilter) *string { return &f.From }},
	{FieldInfo{Name: "to", Kind: FieldDay}, func(f *JobFilter) *string { return &f.To }},
}

// GetJob returns a job with its builds and their steps. Faults: job_not_found.
func (c *Console) GetJob(ctx context.Context, a Actor, id string) (Job, error) {
	row, err := c.findJob(ctx, a, id)
	if err != nil {
		return Job{}, err
	}
	n := c.names()
	job, err := c.jobOf(ctx, n, &row)
	if err != nil {
		return Job{}, err
	}
	var board stepBoard
	for after := int64(0); ; {
		events, err := c.store.JobEvents(ctx, row.ID, after, eventPage)
		if err != nil {
			return Job{}, err
		}
		for i := range events {
			board.apply(&events[i])
		}
		if len(events) < eventPage {
			break
		}
		after = events[len(events)-1].Seq
	}
	board.fill(&job)
	for i := range job.Builds {
		if b := &job.Builds[i]; b.Result != nil {
			if b.Carries, err = carried(ctx, n, b.Result.Check); err != nil {
				return Job{}, err
			}
		}
	}
	return job, c.addProgress(ctx, []*Job{&job})
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
		Kind: protocol.JobKind(f.Kind), Reference: f.Reference, Holder: f.Holder, Search: f.Search, Fault: f.Fault,
		From: dayOf(f.From, false), To: dayOf(f.To, true),
	}
	switch {
	case f.State == StateActive || f.State == "" && f.Active:
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

// activeStates are the states of jobs that are not over.
var activeStates = []store.JobState{store.JobQueued, store.JobRunning, store.JobCancelling}

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

// findJob finds a job that the actor may see.
func (c *Console) findJob(ctx context.Context, a Actor, id string) (store.Job, error) {
	if err := allow(a, UseGetJob); err != nil {
		return store.Job{}, err
	}
	key, err := parse[store.JobID]("job", id)
	if err != nil {
		return store.Job{}, err
	}
	j, err := c.store.Job(ctx, key)
	if err == nil && !a.InSite(j.SiteID.String()) {
		err = store.NotFound("job", id)
	}
	return j, err
}

// jobOf adds to a job what a page shows beside it.
func (c *Console) jobOf(ctx context.Context, n *names, j *store.Job) (Job, error) {
	version, err := n.version(ctx, j.ImageVersionID)
	if err != nil {
		return Job{}, err
	}
	sequence, err := n.sequence(ctx, j.TaskSequenceVersionID)
	if err != nil {
		return Job{}, err
	}
	out := Job{
		ID: j.ID.String(), Kind: j.Kind, Options: j.Options, Overrides: j.Overrides, State: string(j.State), ImageID: version.ImageID.String(), VersionID: version.ID.String(),
		Version: version.Version, Channel: j.Channel, Edition: j.Edition, Layout: j.Layout, BootSignature: sequence.BootSignature,
		TaskSequenceID: sequence.TaskSequenceID.String(), TaskSequenceVersionID: sequence.ID.String(),
		HostID: j.HostID.String(), SiteID: j.SiteID.String(), Reference: j.Reference, Holder: j.Holder, Variables: j.Variables, NotBefore: j.NotBefore,
		QueuedAt: j.CreatedAt, CancelRequestedAt: j.CancelRequestedAt, StartedAt: j.StartedAt, EndedAt: j.EndedAt,
		LastSeq: j.Seq, Builds: make([]Build, 0, len(j.Builds)), Revision: j.Revision,
	}
	if e, err := findEdition(&version, j.Edition); err == nil {
		out.EditionName = e.Name
	}
	for _, look := range []struct {
		into *string
		find func() (string, error)
	}{
		{&out.ImageName, func() (string, error) { return n.image(ctx, version.ImageID) }},
		{&out.TaskSequenceName, func() (string, error) { return n.sequenceName(ctx, sequence.TaskSequenceID) }},
		{&out.HostName, func() (string, error) { return n.host(ctx, j.HostID) }},
		{&out.QueuedBy, func() (string, error) { return n.actor(ctx, j.CreatedByKind, j.CreatedByID) }},
	} {
		if *look.into, err = look.find(); err != nil {
			return Job{}, err
		}
	}
	for i := range j.Builds {
		out.Builds = append(out.Builds, buildOf(&j.Builds[i]))
	}
	return out, n.certificates(ctx, j, out.Builds)
}

// buildOf shows a build as its newest attempt has it. One that is queued again
// has none yet, and shows nothing of the one before.
func buildOf(b *store.Build) Build {
	out := Build{
		ID: b.ID.String(), JobID: b.JobID.String(), Position: b.Position, State: string(b.State), Attempt: b.Attempt,
		StickID: b.StickID.String(), Identity: b.Device.Identity, PortLabel: b.Device.Label, Vendor: b.Device.Vendor, Model: b.Device.Model, Path: b.Device.Path,
		Reference: b.Reference, Holder: b.Holder, Variables: b.Variables, Step: b.Step, Touched: b.Touched,
		Fault: b.Fault, Result: resultOf(b.Result), CancelRequestedAt: b.CancelRequestedAt, StartedAt: b.StartedAt, EndedAt: b.EndedAt,
	}
	if b.State == store.BuildQueued {
		out.Step, out.Touched, out.Fault, out.Result = "", false, nil, nil
	}
	return out
}

// resultOf is a build's result without the record, which is the stick's, see
// StickRecord.
func resultOf(r *protocol.Result) *protocol.Result {
	if r == nil || r.Record == nil {
		return r
	}
	short := *r
	short.Record = nil
	return &short
}
