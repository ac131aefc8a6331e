package web

import (
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) overview(w http.ResponseWriter, r *http.Request) error {
	o, err := s.console.GetOverview(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	return s.show(w, r, view.Overview(s.frame(r, "overview"), o))
}

func (s *Web) overviewLive(w http.ResponseWriter, r *http.Request) error {
	updates, err := s.console.WatchOverview(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	f := s.frame(r, "overview")
	out := newStream(w)
	return follow(r.Context(), out, updates, func(o api.Overview) error {
		return out.replace(r.Context(), "overview", view.OverviewBody(f, o))
	})
}
