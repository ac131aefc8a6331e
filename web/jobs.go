package web

import (
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) jobs(w http.ResponseWriter, r *http.Request) error {
	narrowing, jobs, err := narrowed(s, r, "jobs", api.JobFields, func(f api.JobFilter, p api.Page) (api.List[api.Job], error) {
		return s.console.ListJobs(r.Context(), actorOf(r), f, p)
	})
	if err != nil {
		return err
	}
	return s.show(w, r, view.Jobs(s.frame(r, "jobs"), narrowing, jobs))
}
