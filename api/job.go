package api

import (
	"context"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
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
	ExternalRef           ExternalRef         `json:"external_ref,omitzero"` // default of the builds
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
	// ExternalRef is the build's own, or the job's.
	ExternalRef ExternalRef       `json:"external_ref,omitzero"`
	Holder      string            `json:"holder,omitempty"`
	Variables   map[string]string `json:"variables,omitempty"` // the build's own
	Step        protocol.Step     `json:"step,omitempty"`      // begun last by the newest attempt
	Steps       []BuildStep       `json:"steps,omitempty"`     // of the newest attempt, all that its kind has; not in lists
	Preflight   []protocol.Check  `json:"preflight,omitempty"` // what the newest attempt found out about the stick; not in lists
	Progress    *Progress         `json:"progress,omitempty"`  // while it runs
	Touched     bool              `json:"touched"`             // at least one byte of the stick may have changed
	Fault       *protocol.Fault   `json:"fault,omitempty"`     // why it failed or was cancelled
	Result      *protocol.Result  `json:"result,omitempty"`    // once verified
	Carries     *Carried          `json:"carries,omitempty"`   // the version that a comparison found; not in lists
	// Earlier are the attempts before the newest one, the first first; not in lists.
	Earlier []BuildAttempt `json:"earlier,omitempty"`
	// CancelRequestedAt is when somebody asked to stop this build alone.
	CancelRequestedAt *time.Time `json:"cancel_requested_at,omitempty"`
	// CertificateID names the certificate of a stick that was wiped.
	CertificateID string `json:"certificate_id,omitempty"`
	// When the newest attempt began and ended: as BuildStep has it, in lists when the
	// server heard of it.
	StartedAt *time.Time `json:"started_at,omitempty"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
}

// BuildStep is one step of an attempt. Its times are those of the host, put onto
// the server's clock: what a host did while it could not tell took its time.
type BuildStep struct {
	Step    protocol.Step `json:"step"`
	BegunAt *time.Time    `json:"begun_at,omitempty"`
	DoneAt  *time.Time    `json:"done_at,omitempty"`
	LeftAt  *time.Time    `json:"left_at,omitempty"` // when the attempt ended in it, and it was not done
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

// activeStates are the states of jobs that are not over.
var activeStates = []store.JobState{store.JobQueued, store.JobRunning, store.JobCancelling}

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
		HostID: j.HostID.String(), SiteID: j.SiteID.String(), ExternalRef: externalRefOf(j.ReferenceSystem, j.Reference), Holder: j.Holder, Variables: j.Variables, NotBefore: j.NotBefore,
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
		ExternalRef: externalRefOf(b.ReferenceSystem, b.Reference), Holder: b.Holder, Variables: b.Variables, Step: b.Step, Touched: b.Touched,
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
