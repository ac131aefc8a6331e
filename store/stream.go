package store

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// A change is what one transaction appends to the histories of jobs and sticks.
// Jobs are locked before sticks and both in the order of their IDs, so that two
// changes never wait for each other.
type change struct {
	tx     *Tx
	by     Actor
	jobs   map[JobID]*jobStream
	sticks map[StickID]*stickStream
}

// jobStream is a locked job with the events that it got in this transaction.
type jobStream struct {
	job    Job
	loaded int64 // Seq in the database
	events []JobEvent
}

// stickStream is a locked stick with the events that it got.
type stickStream struct {
	stick  Stick
	loaded int64 // Seq in the database
	events []StickEvent
}

func (tx *Tx) change(by Actor) *change {
	return &change{tx: tx, by: by, jobs: map[JobID]*jobStream{}, sticks: map[StickID]*stickStream{}}
}

// lockJob locks and loads one job with its builds.
func (c *change) lockJob(ctx context.Context, id JobID) (*jobStream, error) {
	job, err := c.tx.job(ctx, id, ` FOR NO KEY UPDATE`)
	if err != nil {
		return nil, err
	}
	return c.begin(job), nil
}

// lockJobs locks and loads the jobs that the condition finds, by ID.
func (c *change) lockJobs(ctx context.Context, where string, args pgx.NamedArgs) ([]*jobStream, error) {
	jobs, err := many[Job](ctx, c.tx.db, "jobs", `SELECT `+jobColumns+` FROM jobs WHERE `+where, args)
	if err != nil {
		return nil, err
	}
	if err := c.tx.loadBuilds(ctx, jobs); err != nil {
		return nil, err
	}
	streams := make([]*jobStream, len(jobs))
	for i := range jobs {
		streams[i] = c.begin(jobs[i])
	}
	return streams, nil
}

func (c *change) begin(job Job) *jobStream {
	s := &jobStream{job: job, loaded: job.Seq}
	c.jobs[job.ID] = s
	return s
}

// lockSticks locks and loads the sticks by ID; call it once, after the jobs.
func (c *change) lockSticks(ctx context.Context, ids []StickID) error {
	ids = slices.DeleteFunc(ids, StickID.IsZero)
	if len(ids) == 0 {
		return nil
	}
	sticks, err := many[Stick](ctx, c.tx.db, "sticks",
		`SELECT `+stickColumns+` FROM sticks WHERE id = ANY (@ids) ORDER BY id FOR NO KEY UPDATE`,
		pgx.NamedArgs{"ids": ids})
	for i := range sticks {
		c.sticks[sticks[i].ID] = &stickStream{stick: sticks[i], loaded: sticks[i].Seq}
	}
	return err
}

// job appends an event to a locked job, and after it the events of the job's
// own state that follow from it. The caller fills in Type, BuildID, Attempt,
// HostSeq and HostAt.
func (c *change) job(s *jobStream, e Event, payload any) error {
	if err := c.append(s, e, payload); err != nil {
		return err
	}
	for to := s.job.derived(); to != s.job.State; to = s.job.derived() {
		if err := c.append(s, Event{Type: jobMoves[to]}, struct{}{}); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) append(s *jobStream, e Event, payload any) error {
	if err := c.complete(&e, payload); err != nil {
		return err
	}
	e.Seq = s.job.Seq + 1
	event := JobEvent{JobID: s.job.ID, Event: e}
	s.events = append(s.events, event)
	return s.job.Apply(event)
}

// stick appends an event to a locked or new stick.
func (c *change) stick(id StickID, e Event, payload any) error {
	s, ok := c.sticks[id]
	if !ok {
		return NotFound("stick", id)
	}
	if err := c.complete(&e, payload); err != nil {
		return err
	}
	e.Seq = s.stick.Seq + 1
	event := StickEvent{StickID: id, Event: e}
	s.events = append(s.events, event)
	return s.stick.Apply(event)
}

func (c *change) complete(e *Event, payload any) error {
	raw, err := encodeJSON(payload)
	e.Payload, e.PayloadVersion = raw, payloadVersion
	e.ActorKind, e.ActorID, e.At = c.by.Kind, c.by.ID, c.tx.at
	return err
}

// save writes the events and the projections, later, and collects the
// notifications.
func (c *change) save() {
	batch := &c.tx.tx.waiting
	var ofSticks eventRows[stickKind]
	for _, s := range sortedStreams(c.sticks) {
		if len(s.events) > 0 {
			saveStick(batch, &s.stick, wayOf(s.loaded))
			c.tx.Notify(TopicSticks)
		}
		for i := range s.events {
			ofSticks.add(s.events[i].StickID, &s.events[i].Event)
		}
	}
	var ofJobs eventRows[jobKind]
	for _, s := range sortedStreams(c.jobs) {
		if len(s.events) == 0 {
			continue
		}
		saveJob(batch, &s.job, s.loaded, wayOf(s.loaded))
		for i := range s.events {
			ofJobs.add(s.events[i].JobID, &s.events[i].Event)
		}
		c.tx.Notify(TopicJob(s.job.ID), TopicJobs)
	}
	ofSticks.insert(batch, "stick")
	ofJobs.insert(batch, "job")
}

func sortedStreams[K kind, S any](m map[ID[K]]*S) []*S {
	ids := make([]ID[K], 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b ID[K]) int { return bytes.Compare(a[:], b[:]) })
	list := make([]*S, len(ids))
	for i, id := range ids {
		list[i] = m[id]
	}
	return list
}

// saveJob queues the writing of a job and of its builds that changed after the
// given seq.
func saveJob(batch *pgx.Batch, j *Job, after int64, how way) {
	batch.Queue(jobTable[how], pgx.NamedArgs{
		"id": j.ID, "site_id": j.SiteID, "host_id": j.HostID, "kind": j.Kind, "state": j.State,
		"image_version_id": j.ImageVersionID, "channel": j.Channel,
		"task_sequence_version_id": j.TaskSequenceVersionID, "layout": j.Layout, "edition": j.Edition,
		"options": j.Options, "overrides": j.Overrides, "reference": j.Reference, "reference_system": j.ReferenceSystem, "holder": j.Holder,
		"variables": j.Variables, "not_before": j.NotBefore, "created_by_kind": j.CreatedByKind, "created_by_id": j.CreatedByID,
		"created_at": j.CreatedAt, "cancel_requested_at": j.CancelRequestedAt, "started_at": j.StartedAt,
		"ended_at": j.EndedAt, "seq": j.Seq,
	})
	builds := slices.Clone(j.Builds)
	// A stick that one build of a transaction frees may be taken by another.
	slices.SortStableFunc(builds, func(a, b Build) int { return cmp.Compare(busy(a), busy(b)) })
	for i := range builds {
		if builds[i].Revision > after {
			saveBuild(batch, &builds[i], how)
		}
	}
}

func busy(b Build) int {
	if b.State.Live() {
		return 1
	}
	return 0
}

func saveBuild(batch *pgx.Batch, b *Build, how way) {
	batch.Queue(buildTable[how], pgx.NamedArgs{
		"id": b.ID, "job_id": b.JobID, "host_id": b.HostID, "position": b.Position, "state": b.State,
		"attempt": b.Attempt, "stick_id": b.StickID, "device": b.Device, "reference": b.Reference, "reference_system": b.ReferenceSystem,
		"holder": b.Holder, "variables": b.Variables, "step": b.Step, "touched": b.Touched,
		"fault": b.Fault, "result": b.Result, "cancel_requested_at": b.CancelRequestedAt, "assigned_at": b.AssignedAt, "started_at": b.StartedAt,
		"ended_at": b.EndedAt, "revision": b.Revision,
	})
}

func saveStick(batch *pgx.Batch, s *Stick, how way) {
	batch.Queue(stickTable[how], pgx.NamedArgs{
		"id": s.ID, "state": s.State, "life": s.Life, "data": s.Data, "holder": s.Holder, "reference": s.Reference, "kind": s.Kind, "serial": s.Serial, "vid_pid": s.VIDPID, "vendor": s.Vendor,
		"model": s.Model, "bytes": s.Bytes, "host_id": s.HostID, "port": s.Port, "lun": s.LUN,
		"image_version_id": s.ImageVersionID, "layout": s.Layout, "disk_id": s.DiskID,
		"last_build_id": s.LastBuildID, "fault": s.Fault, "verified_at": s.VerifiedAt,
		"checked_at": s.CheckedAt, "check_result": s.CheckResult, "check_fault": s.CheckFault,
		"created_at": s.CreatedAt, "updated_at": s.UpdatedAt, "seq": s.Seq,
	})
}

// stamp is the time of an event as it comes back from the database.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
