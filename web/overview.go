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

// overviewLive streams the three parts of the overview, each when it changes.
func (s *Web) overviewLive(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	updates, err := s.console.WatchOverview(ctx, actorOf(r))
	if err != nil {
		return err
	}
	f := s.frame(r, "overview")
	out := newStream(w)
	follow(ctx, s.log, out, updates, func(o api.Overview) error {
		if err := out.replace(ctx, "tiles", view.OverviewTiles(f, o)); err != nil {
			return err
		}
		if err := out.replace(ctx, "running", view.OverviewRunning(f, o)); err != nil {
			return err
		}
		return out.replace(ctx, "failures", view.OverviewFailures(f, o))
	})
	return nil
}
