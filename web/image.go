package web

import (
	"net/http"

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
	history, err := s.history(r, "image", image.ID)
	if err != nil {
		return err
	}
	page := view.Image(s.frame(r, "images"), image, versions, history, view.NewProblem(localeOf(r), problem))
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

func (s *Web) imageChannel(w http.ResponseWriter, r *http.Request) error {
	name := chi.URLParam(r, "name")
	channel, err := s.console.SetChannel(r.Context(), actorOf(r), api.SetChannelInput{
		Image: name, Channel: r.PostFormValue("channel"), Version: r.PostFormValue("version"),
	})
	if err != nil {
		return s.imageWith(w, r, err)
	}
	s.flash(r, localeOf(r).T("channel.set", "channel", channel.Name, "version", channel.Version))
	return see(w, r, "/images/"+name)
}
