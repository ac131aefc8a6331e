package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

// maxSearch bounds what is searched for in a log, in bytes.
const maxSearch = 200

func (s *Web) job(w http.ResponseWriter, r *http.Request) error {
	return s.showJob(w, r, nil)
}

// showJob shows a job, with what was wrong with what was asked for.
func (s *Web) showJob(w http.ResponseWriter, r *http.Request, problem error) error {
	u, err := s.console.JobRun(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	x, err := s.jobRun(r)
	if err != nil {
		return err
	}
	x.JobUpdate = u
	f := s.frame(r, "jobs")
	f.Refresh = !u.Job.Ended() && problem == nil
	x.Problem = view.NewProblem(f.L, problem)
	page := view.Job(f, x, time.Now())
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

// jobRun reads what of a job the reader wants to see: q is searched for in the
// logs, b3=1 shows the first attempt of the third stick, open=3 unfolds it.
func (s *Web) jobRun(r *http.Request) (*view.JobRun, error) {
	x := &view.JobRun{Search: strings.TrimSpace(r.FormValue("q")), Attempts: map[int]int{}}
	if len(x.Search) > maxSearch {
		return nil, fault.New(fault.KindInvalid, "form_unreadable")
	}
	var err error
	if x.URL, err = s.console.PublicURL(r.Context(), s.url); err != nil { // for the commands
		return nil, err
	}
	x.Open, _ = strconv.Atoi(r.FormValue("open")) // what is no number unfolds nothing
	for name, values := range r.URL.Query() {
		position, named := strings.CutPrefix(name, "b")
		at, err := strconv.Atoi(position)
		if !named || err != nil {
			continue
		}
		if n, err := strconv.Atoi(values[0]); err == nil {
			x.Attempts[at] = n
		}
	}
	return x, nil
}

func (s *Web) jobCancel(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	if _, err := s.console.CancelJob(r.Context(), actorOf(r), id); err != nil {
		return err
	}
	return see(w, r, "/jobs/"+id)
}

func (s *Web) jobCancelBuild(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	if _, err := s.console.CancelBuild(r.Context(), actorOf(r), id, chi.URLParam(r, "build")); err != nil {
		return err
	}
	return see(w, r, "/jobs/"+id)
}

// jobRetry tries builds again: those that the form names, or all that failed or
// were cancelled. What is refused is said on the job's page.
func (s *Web) jobRetry(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	_, err := s.console.RetryBuilds(r.Context(), actorOf(r), api.RetryBuildsInput{JobID: id, Builds: r.PostForm["build"]})
	if err != nil {
		return s.showJob(w, r, err)
	}
	return see(w, r, "/jobs/"+id)
}
