package api

import (
	"context"
	"fmt"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// JobEvent is one thing that happened to a job. Types: "job_queued",
// "job_rescheduled" (NotBefore), "job_cancel_requested", "job_started", "job_cancelling", "job_succeeded",
// "job_failed", "job_cancelled", "job_retried"; with a build "build_assigned",
// "build_accepted", "build_step_begun" and "build_step_done" (Step),
// "build_touched", "build_log" (Log), "build_preflight" (Preflight), "build_verified" (Result),
// "build_failed" and "build_cancelled" (Fault), "build_retried",
// "build_cancel_requested".
type JobEvent struct {
	JobID     string              `json:"job_id"`
	Seq       int64               `json:"seq"` // from 1, without a gap
	Type      string              `json:"type"`
	BuildID   string              `json:"build_id,omitempty"`
	Attempt   int                 `json:"attempt,omitempty"`
	ActorKind ActorKind           `json:"actor_kind"`
	ActorName string              `json:"actor_name"`
	At        time.Time           `json:"at"` // the server's clock
	HostAt    *time.Time          `json:"host_at,omitempty"`
	Step      protocol.Step       `json:"step,omitempty"`
	Params    map[string]string   `json:"params,omitempty"`
	Fault     *protocol.Fault     `json:"fault,omitempty"`
	Result    *protocol.Result    `json:"result,omitempty"`
	Log       *protocol.LogLine   `json:"log,omitempty"`
	Preflight *protocol.Preflight `json:"preflight,omitempty"`
	NotBefore *time.Time          `json:"not_before,omitempty"` // to which a job was moved
	// Line numbers the events of a build, and those of the job itself, from 1;
	// 0 where the history was not read from its beginning.
	Line int `json:"-"`
	// In is the step that the attempt had begun last then, likewise.
	In protocol.Step `json:"-"`
	// Of is the attempt that it belongs to, likewise: what comes after an
	// attempt was to be tried again belongs to the one that follows.
	Of int `json:"-"`
}

// eventPage is how many events are read at once.
const eventPage = 200

// JobEvents returns a job's history after a seq, oldest first, at most
// MaxPage of it. Faults: job_not_found.
func (c *Console) JobEvents(ctx context.Context, a Actor, id string, after int64) ([]JobEvent, error) {
	j, err := c.findJob(ctx, a, id)
	if err != nil {
		return nil, err
	}
	rows, err := c.store.JobEvents(ctx, j.ID, after, MaxPage)
	if err != nil {
		return nil, err
	}
	return eventsOf(ctx, c.names(), rows)
}

func eventsOf(ctx context.Context, n *names, rows []store.JobEvent) ([]JobEvent, error) {
	out := make([]JobEvent, 0, len(rows))
	for i := range rows {
		e := &rows[i]
		name, err := n.actor(ctx, e.ActorKind, e.ActorID)
		if err != nil {
			return nil, err
		}
		v := JobEvent{
			JobID: e.JobID.String(), Seq: e.Seq, Type: string(e.Type), BuildID: e.BuildID.String(), Attempt: e.Attempt,
			ActorKind: ActorKind(e.ActorKind), ActorName: name, At: e.At, HostAt: e.HostAt,
		}
		if e.Type == store.EventJobRescheduled {
			if v.NotBefore, err = e.NotBefore(); err != nil {
				return nil, fmt.Errorf("read event %d of job %s: %w", e.Seq, e.JobID, err)
			}
		}
		if !e.BuildID.IsZero() {
			r, err := e.Report()
			if err != nil {
				return nil, fmt.Errorf("read event %d of job %s: %w", e.Seq, e.JobID, err)
			}
			v.Step, v.Fault, v.Result, v.Log, v.Preflight = r.Step, r.Fault, r.Result, r.Log, r.Preflight
		}
		out = append(out, v)
	}
	return out, nil
}
