package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) version(w http.ResponseWriter, r *http.Request) error {
	return s.versionWith(w, r, nil)
}

func (s *Web) versionWith(w http.ResponseWriter, r *http.Request, problem error) error {
	v, err := s.console.GetVersion(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	page := view.Version(s.frame(r, "images"), v, view.NewProblem(localeOf(r), problem))
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

func (s *Web) versionWithdraw(w http.ResponseWriter, r *http.Request) error {
	revision, err := revisionOf(r)
	if err != nil {
		return err
	}
	v, err := s.console.WithdrawVersion(r.Context(), actorOf(r), api.WithdrawVersionInput{
		ID: chi.URLParam(r, "id"), Reason: r.PostFormValue("reason"), Revision: revision,
	})
	if err != nil {
		return s.versionWith(w, r, err)
	}
	s.flash(r, localeOf(r).T("version.withdrawn_done", "version", v.Version))
	return see(w, r, "/versions/"+v.ID)
}
