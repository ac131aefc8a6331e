package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

// jobSchedule asks to when a job that has not begun is to be moved.
func (s *Web) jobSchedule(w http.ResponseWriter, r *http.Request) error {
	job, err := s.scheduledJob(r)
	if err != nil {
		return err
	}
	return s.show(w, r, view.JobSchedule(s.frame(r, "jobs"), job, view.WhenOf(job.NotBefore, ""), job.Revision, view.Problem{}))
}

// jobReschedule moves it.
func (s *Web) jobReschedule(w http.ResponseWriter, r *http.Request) error {
	job, err := s.scheduledJob(r)
	if err != nil {
		return err
	}
	revision, err := revisionOf(r)
	if err != nil {
		return err
	}
	when := view.When{Later: r.PostFormValue("when") != "now", At: r.PostFormValue("at"), Zone: r.PostFormValue("zone")}
	at, wrong := timeOf(when)
	_, err = s.console.ScheduleJob(r.Context(), actorOf(r).Refused(wrong), api.ScheduleJobInput{ID: job.ID, NotBefore: at, Revision: revision})
	f := s.frame(r, "jobs")
	if err := fault.All(wrong, err); err != nil {
		problem := view.NewProblem(f.L, err).Renamed("not_before", "at")
		// What somebody else did meanwhile is on the page; sending it again means it.
		return s.again(w, r, err, view.JobSchedule(f, job, when, job.Revision, problem))
	}
	return see(w, r, "/jobs/"+job.ID)
}

func (s *Web) scheduledJob(r *http.Request) (api.Job, error) {
	if err := needs(r, api.UseScheduleJob); err != nil {
		return api.Job{}, err
	}
	return s.console.GetJob(r.Context(), actorOf(r), chi.URLParam(r, "id"))
}
