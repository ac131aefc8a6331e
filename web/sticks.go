package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) sticks(w http.ResponseWriter, r *http.Request) error {
	filter := api.StickFilter{State: r.FormValue("state"), Serial: r.FormValue("serial"), VersionID: r.FormValue("version")}
	list, err := s.console.ListSticks(r.Context(), actorOf(r), filter, pageOf(r))
	if err != nil {
		return err
	}
	return s.show(w, r, view.Sticks(s.frame(r, "sticks"), filter, list))
}

func (s *Web) stick(w http.ResponseWriter, r *http.Request) error {
	x, err := s.console.GetStick(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	events, err := s.console.StickEvents(r.Context(), actorOf(r), x.ID, 0)
	if err != nil {
		return err
	}
	return s.show(w, r, view.Stick(s.frame(r, "sticks"), x, events))
}
