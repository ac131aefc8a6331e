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
	home, err := s.home(r, o)
	if err != nil {
		return err
	}
	return s.show(w, r, view.Overview(s.frame(r, "overview"), home))
}

// home adds what the page of a new console asks besides.
func (s *Web) home(r *http.Request, o api.Overview) (view.Home, error) {
	h := view.Home{Overview: o}
	if !h.New() {
		return h, nil
	}
	images, err := s.console.ListImages(r.Context(), actorOf(r), api.ImageFilter{}, api.Page{Limit: 1})
	h.Images = len(images.Items) > 0
	return h, err
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
		home, err := s.home(r, o)
		if err != nil {
			return err
		}
		if err := out.replace(ctx, "tiles", view.OverviewTiles(f, home)); err != nil {
			return err
		}
		if err := out.replace(ctx, "running", view.OverviewRunning(f, home)); err != nil {
			return err
		}
		return out.replace(ctx, "failures", view.OverviewFailures(f, home))
	})
	return nil
}
