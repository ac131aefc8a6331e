package web

import (
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/view"
)

// exclusions shows what captures leave out.
func (s *Web) exclusions(w http.ResponseWriter, r *http.Request) error {
	x, err := s.console.GetExclusions(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	return s.show(w, r, view.Exclusions(s.frame(r, "jobs"), x, x.List, view.Problem{}))
}

func (s *Web) exclusionsSave(w http.ResponseWriter, r *http.Request) error {
	in := api.SaveExclusionsInput{List: r.PostFormValue("list")}
	if r.PostFormValue("default") != "" {
		in.List = ""
	}
	if err := needs(r, api.UseSaveExclusions); err != nil {
		return err
	}
	var err error
	if in.Revision, err = settingRevision(r); err == nil {
		_, err = s.console.SaveExclusions(r.Context(), actorOf(r), in)
	}
	if err != nil {
		now, readErr := s.console.GetExclusions(r.Context(), actorOf(r))
		if readErr != nil {
			return readErr
		}
		f := s.frame(r, "jobs")
		return s.again(w, r, err, view.Exclusions(f, now, r.PostFormValue("list"), view.NewProblem(f.L, err)))
	}
	return see(w, r, "/exclusions")
}
