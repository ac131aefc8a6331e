package web

import (
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) image(w http.ResponseWriter, r *http.Request) error {
	return s.imageWith(w, r, nil)
}

func (s *Web) imageWith(w http.ResponseWriter, r *http.Request, problem error) error {
	ctx, actor := r.Context(), actorOf(r)
	image, err := s.console.GetImage(ctx, actor, chi.URLParam(r, "name"))
	if err != nil {
		return err
	}
	versions, err := s.console.ListVersions(ctx, actor, api.VersionFilter{Image: image.ID}, pageOf(r))
	if err != nil {
		return err
	}
	p := view.ImagePage{Image: image, Versions: versions, Problem: view.NewProblem(localeOf(r), problem)}
	if p.History, err = s.history(r, "image", image.ID); err != nil {
		return err
	}
	if actor.Can(api.UseSetChannel) {
		targets, err := s.console.ListVersions(ctx, actor, api.VersionFilter{Image: image.ID}, api.Page{Limit: api.MaxPage})
		if err != nil {
			return err
		}
		p.Targets = slices.DeleteFunc(targets.Items, func(v api.Version) bool { return v.State == "withdrawn" })
	}
	page := view.Image(s.frame(r, "images"), p)
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

func (s *Web) imageChannel(w http.ResponseWriter, r *http.Request) error {
	name := chi.URLParam(r, "name")
	revision, err := seenBy(r, api.UseSetChannel)
	var channel api.Channel
	if err == nil {
		channel, err = s.console.SetChannel(r.Context(), actorOf(r), api.SetChannelInput{
			Image: name, Channel: r.PostFormValue("channel"), Version: r.PostFormValue("version"), Revision: revision,
		})
	}
	if err != nil {
		return s.imageWith(w, r, err)
	}
	s.flash(r, localeOf(r).T("channel.set", "channel", channel.Name, "version", channel.Version))
	return see(w, r, "/images/"+name)
}
