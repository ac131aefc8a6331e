package web

import (
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) jobs(w http.ResponseWriter, r *http.Request) error {
	active := r.FormValue("active") == "true"
	jobs, err := s.console.ListJobs(r.Context(), actorOf(r), api.JobFilter{Active: active}, pageOf(r))
	if err != nil {
		return err
	}
	return s.show(w, r, view.Jobs(s.frame(r, "jobs"), active, jobs))
}

// pageOf reads which part of a list is asked for.
func pageOf(r *http.Request) api.Page { return api.Page{After: r.FormValue("after")} }
