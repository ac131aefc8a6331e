package web

import (
	"net/http"
	"strconv"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/view"
)

// exclusions shows what captures leave out.
func (s *Web) exclusions(w http.ResponseWriter, r *http.Request) error {
	x, err := s.console.GetExclusions(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	return s.show(w, r, view.Exclusions(s.frame(r, "jobs"), x, view.Problem{}))
}

func (s *Web) exclusionsSave(w http.ResponseWriter, r *http.Request) error {
	in := api.SaveExclusionsInput{List: r.PostFormValue("list")}
	in.Revision, _ = strconv.ParseInt(r.PostFormValue("revision"), 10, 64)
	if r.PostFormValue("default") != "" {
		in.List = ""
	}
	if _, err := s.console.SaveExclusions(r.Context(), actorOf(r), in); err != nil {
		f := s.frame(r, "jobs")
		return s.again(w, r, err, view.Exclusions(f, api.Exclusions{List: in.List, Revision: in.Revision}, view.NewProblem(f.L, err)))
	}
	return see(w, r, "/exclusions")
}
