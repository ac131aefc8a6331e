package store

import (
	"bytes"
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
	var sticks, jobs, ended, live lot
	var ofSticks eventRows[stickKind]
	for _, s := range sortedStreams(c.sticks) {
		if len(s.events) == 0 {
			continue
		}
		sticks.add(s.loaded == 0, stickRow(&s.stick))
		for i := range s.events {
			ofSticks.add(s.events[i].StickID, &s.events[i].Event)
		}
		c.tx.Notify(TopicSticks)
	}
	var ofJobs eventRows[jobKind]
	for _, s := range sortedStreams(c.jobs) {
		if len(s.events) == 0 {
			continue
		}
		jobs.add(s.loaded == 0, jobRow(&s.job))
		for i := range s.job.Builds {
			b := &s.job.Builds[i]
			switch {
			case b.Revision <= s.loaded: // nothing happened to it
			case b.State.Live():
				live.add(s.loaded == 0, buildRow(b))
			default:
				ended.add(s.loaded == 0, buildRow(b))
			}
		}
		for i := range s.events {
			ofJobs.add(s.events[i].JobID, &s.events[i].Event)
		}
		c.tx.Notify(TopicJob(s.job.ID), TopicJobs)
	}
	// Postgres looks at keys row by row: a job before its builds, and a build that
	// gives a stick free before one that takes it.
	batch := &c.tx.tx.waiting
	stickTable.save(batch, sticks)
	jobTable.save(batch, jobs)
	buildTable.save(batch, ended)
	buildTable.save(batch, live)
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

// stamp is the time of an event as it comes back from the database.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
