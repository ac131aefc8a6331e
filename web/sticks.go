package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) sticks(w http.ResponseWriter, r *http.Request) error {
	narrowing, list, err := narrowed(s, r, "sticks", api.StickFields, func(f api.StickFilter, p api.Page) (api.List[api.Stick], error) {
		return s.console.ListSticks(r.Context(), actorOf(r), f, p)
	})
	if err != nil {
		return err
	}
	return s.show(w, r, view.Sticks(s.frame(r, "sticks"), narrowing, list))
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
	certificates, err := s.console.StickCertificates(r.Context(), actorOf(r), x.ID)
	if err != nil {
		return err
	}
	at, err := s.stickAt(r, &x)
	if err != nil {
		return err
	}
	return s.show(w, r, view.Stick(s.frame(r, "sticks"), x, at, certificates, events))
}

// stickAt finds a stick on the host that saw it last.
func (s *Web) stickAt(r *http.Request, x *api.Stick) (view.StickAt, error) {
	if x.HostID == "" {
		return view.StickAt{}, nil
	}
	h, err := s.console.GetHost(r.Context(), actorOf(r), x.HostID)
	if err != nil {
		return view.StickAt{}, err
	}
	for _, d := range h.Devices {
		if d.StickID == x.ID && h.State == "enrolled" {
			return view.StickAt{HostID: h.ID, Device: d}, nil
		}
	}
	return view.StickAt{}, nil
}
