package web

import (
	"cmp"
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
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
	f := s.frame(r, "overview")
	seen := marks{}
	for _, p := range view.OverviewParts(f, home) {
		html, err := rendered(r.Context(), p.Name, p.Component)
		if err != nil {
			return err
		}
		seen[p.Name] = sumOf(html)
	}
	return s.show(w, r, view.Overview(f, home, seen.String()))
}

// home adds whether the set-up is open to the reader, and what the page of a new
// console asks besides.
func (s *Web) home(r *http.Request, o api.Overview) (view.Home, error) {
	h := view.Home{Overview: o}
	if actorOf(r).Can(api.UseSaveFirstRun) {
		err := s.console.FirstRunOpenStill(r.Context(), actorOf(r))
		if err != nil && fault.From(err).Code != api.CodeFirstRunFinished {
			return h, err
		}
		h.SetUp = err == nil
	}
	if !h.New() {
		return h, nil
	}
	images, err := s.console.ListImages(r.Context(), actorOf(r), api.ImageFilter{}, api.Page{Limit: 1})
	h.Images = len(images.Items) > 0
	return h, err
}

// overviewLive streams the parts of the overview, each when it looks different
// from what the browser has.
func (s *Web) overviewLive(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	updates, err := s.console.WatchOverview(ctx, actorOf(r))
	if err != nil {
		return err
	}
	f := s.frame(r, "overview")
	out := newStream(w)
	out.sent, out.marked = readMarks(cmp.Or(r.Header.Get("Last-Event-ID"), r.FormValue("after"))), true
	follow(ctx, s.log, out, updates, func(o api.Overview) error {
		home, err := s.home(r, o)
		if err != nil {
			return err
		}
		for _, p := range view.OverviewParts(f, home) {
			if err := out.replace(ctx, p.Name, p.Component); err != nil {
				return err
			}
		}
		return nil
	})
	return nil
}
