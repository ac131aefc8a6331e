package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
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
	history, err := s.history(r, "image_version", v.ID)
	if err != nil {
		return err
	}
	sticks, err := s.console.CountSticks(r.Context(), actorOf(r), api.StickFilter{VersionID: v.ID})
	if err != nil {
		return err
	}
	page := view.Version(s.frame(r, "images"), v, sticks, history, view.NewProblem(localeOf(r), problem))
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

// versionWithdraw takes a version out of use after its name was typed.
func (s *Web) versionWithdraw(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseWithdrawVersion); err != nil {
		return err
	}
	revision, err := revisionOf(r)
	if err != nil {
		return err
	}
	v, err := s.console.GetVersion(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	if name := view.VersionName(v); r.PostFormValue("name") != name {
		return s.versionWith(w, r, wrongName(name))
	}
	v, err = s.console.WithdrawVersion(r.Context(), actorOf(r), api.WithdrawVersionInput{
		ID: chi.URLParam(r, "id"), Reason: r.PostFormValue("reason"), Revision: revision,
	})
	if err != nil {
		return s.versionWith(w, r, err)
	}
	s.flash(r, localeOf(r).T("version.withdrawn_done", "version", v.Version))
	return see(w, r, "/versions/"+v.ID)
}

// versionBlockMap takes a block map, which may be left out where there is one,
// and whether it is trusted.
func (s *Web) versionBlockMap(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseSetBlockMap); err != nil {
		return err
	}
	in := api.SetBlockMapInput{Version: chi.URLParam(r, "id"), Trusted: r.PostFormValue("trusted") != ""}
	var err error
	if in.Revision, err = revisionOf(r); err != nil {
		return s.versionWith(w, r, err)
	}
	file, _, err := r.FormFile("block_map")
	switch {
	case err == nil:
		defer file.Close()
		if in.Body, err = io.ReadAll(file); err != nil {
			return fmt.Errorf("read a block map: %w", err)
		}
	case !errors.Is(err, http.ErrMissingFile):
		return fault.Wrap(err, fault.KindInvalid, "form_unreadable")
	}
	v, err := s.console.SetBlockMap(r.Context(), actorOf(r), in)
	if err != nil {
		return s.versionWith(w, r, err)
	}
	s.flash(r, localeOf(r).T("block_map.saved"))
	return see(w, r, "/versions/"+v.ID)
}
