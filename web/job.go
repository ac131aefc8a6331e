package web

import (
	"cmp"
	"context"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) job(w http.ResponseWriter, r *http.Request) error {
	id, actor := chi.URLParam(r, "id"), actorOf(r)
	job, err := s.console.GetJob(r.Context(), actor, id)
	if err != nil {
		return err
	}
	var events []api.JobEvent
	for after := int64(0); ; after = events[len(events)-1].Seq {
		more, err := s.console.JobEvents(r.Context(), actor, id, after)
		if err != nil {
			return err
		}
		if len(more) == 0 {
			break
		}
		events = append(events, more...)
	}
	f := s.frame(r, "jobs")
	f.Refresh = !job.Ended()
	return s.show(w, r, view.Job(f, job, events))
}

// jobLive streams a job's page: its head, what changed of each stick, and new
// lines of the logs. It begins with what the page does not have yet: after is
// the seq of the last line that it shows.
func (s *Web) jobLive(w http.ResponseWriter, r *http.Request) error {
	var after int64
	if seen := cmp.Or(r.Header.Get("Last-Event-ID"), r.FormValue("after")); seen != "" {
		var err error
		if after, err = strconv.ParseInt(seen, 10, 64); err != nil || after < 0 {
			return fault.Wrap(err, fault.KindInvalid, "form_unreadable")
		}
	}
	ctx := r.Context()
	updates, err := s.console.WatchJob(ctx, actorOf(r), chi.URLParam(r, "id"), after)
	if err != nil {
		return err
	}
	f := s.frame(r, "jobs")
	out := newStream(w)
	follow(ctx, s.log, out, updates, func(u api.JobUpdate) error { return sendJob(ctx, out, f, u) })
	return nil
}

func sendJob(ctx context.Context, out *stream, f view.Frame, u api.JobUpdate) error {
	if err := out.replace(ctx, "job", view.JobHead(f, u.Job)); err != nil {
		return err
	}
	for _, b := range u.Job.Builds {
		if err := out.replace(ctx, "state-"+b.ID, view.JobBuildState(f, u.Job.Kind, b)); err != nil {
			return err
		}
		if err := out.replace(ctx, "build-"+b.ID, view.JobBuild(f, u.Job, b)); err != nil {
			return err
		}
	}
	if n := len(u.Events); n > 0 {
		// One event for all logs: it arrives as a whole or not at all.
		last := strconv.FormatInt(u.Events[n-1].Seq, 10)
		if err := out.add(ctx, "log", last, view.JobNewLines(f, u)); err != nil {
			return err
		}
	}
	if u.Job.Ended() {
		return out.send("ended", "", "ended")
	}
	return nil
}

func (s *Web) jobCancel(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	if _, err := s.console.CancelJob(r.Context(), actorOf(r), id); err != nil {
		return err
	}
	return see(w, r, "/jobs/"+id)
}
