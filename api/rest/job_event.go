package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/stickpress/stickpress/api"
)

// keepAlive is how often a silent stream says something, so that proxies keep
// it open and a reader that is gone is noticed.
const keepAlive = 20 * time.Second

func (s *REST) jobEventRoutes() {
	type history struct {
		Paging
		Job string `path:"job" doc:"ID of a job."`
	}
	op := get("/jobs/{job}/history", "job_history", "jobs", "A job's events, oldest first")
	op.Description = "The cursor is the seq of the last event that was seen."
	register(s, op, func(ctx context.Context, a api.Actor, in *history) (*listed[api.JobEvent], error) {
		after, err := in.seq()
		if err != nil {
			return nil, err
		}
		events, err := s.console.JobEvents(ctx, a, in.Job, after)
		return historyOf(&in.Paging, events, func(e *api.JobEvent) int64 { return e.Seq }, err)
	})
	s.watchJob()
}

// watchJob streams Server-Sent Events. The use case is asked before the answer
// begins, so that a refusal is a Problem with its status.
func (s *REST) watchJob() {
	type input struct {
		Job   string `path:"job" doc:"ID of a job."`
		After int64  `query:"after" minimum:"0" doc:"Only events after this seq; Last-Event-ID goes before."`
		Last  int64  `header:"Last-Event-ID" minimum:"0" doc:"The seq that the reader saw last; browsers send it when they reconnect."`
	}
	op := get("/jobs/{job}/events", "watch_job", "jobs", "A job as it goes on")
	op.Description = "Server-Sent Events, each named 'job', with a JobUpdate as its data: the whole job as it is now and the events since the update before. " +
		"It begins with a snapshot and ends after the update that shows the job's end. The ID of an event is the seq of the last of its job events."
	op.Responses = streamOf[api.JobUpdate](s)
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*huma.StreamResponse, error) {
		updates, err := s.console.WatchJob(ctx, a, in.Job, max(in.After, in.Last))
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			_, w := humachi.Unwrap(c)
			ctx, end := s.console.WhileSignedIn(ctx, a)
			defer end()
			stream(ctx, w, updates, eventOf)
		}}, nil
	})
}

// stream sends updates, each as the text of a Server-Sent Event, until there are
// no more or the reader is gone.
func stream[T any](ctx context.Context, w http.ResponseWriter, updates <-chan T, text func(T) []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	send := func(text []byte) error {
		// A server that sets no deadlines of its own needs none here.
		_ = out.SetWriteDeadline(time.Now().Add(keepAlive))
		if _, err := w.Write(text); err != nil {
			return err
		}
		return out.Flush()
	}
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	err := send([]byte("retry: 1000\n\n"))
	for err == nil {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			err = send([]byte(": still here\n\n"))
		case u, ok := <-updates:
			if !ok {
				return
			}
			err = send(text(u))
		}
	}
}

// eventOf is an update as the text of a Server-Sent Event.
func eventOf(u api.JobUpdate) []byte {
	if u.Events == nil {
		u.Events = []api.JobEvent{}
	}
	data, err := json.Marshal(u)
	if err != nil {
		panic(fmt.Sprintf("rest: encode a job update: %v", err)) // plain data
	}
	var id string
	if n := len(u.Events); n > 0 {
		id = fmt.Sprintf("id: %d\n", u.Events[n-1].Seq)
	}
	return fmt.Appendf(nil, "event: job\n%sdata: %s\n\n", id, data)
}
