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
	open, err := s.console.OpenStickTasks(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	return s.show(w, r, view.Sticks(s.frame(r, "sticks"), narrowing, list, open))
}

func (s *Web) stick(w http.ResponseWriter, r *http.Request) error {
	return s.stickWith(w, r, view.StickForm{}, nil)
}

// stickWith shows a stick, with what is wrong with one of its forms.
func (s *Web) stickWith(w http.ResponseWriter, r *http.Request, form view.StickForm, problem error) error {
	ctx, actor := r.Context(), actorOf(r)
	x, err := s.console.GetStick(ctx, actor, chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	more := view.StickMore{Form: form, Problem: view.NewProblem(localeOf(r), problem)}
	if more.Events, err = s.stickEvents(r, x.ID); err != nil {
		return err
	}
	if more.Certificates, err = s.console.StickCertificates(ctx, actor, x.ID); err != nil {
		return err
	}
	if more.Tasks, err = s.console.StickTasks(ctx, actor, x.ID); err != nil {
		return err
	}
	if more.At, err = s.stickAt(r, &x); err != nil {
		return err
	}
	page := view.Stick(s.frame(r, "sticks"), x, more)
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

// mostStickEvents is how much of a stick's life its page shows.
const mostStickEvents = 1000

// stickEvents is the life of a stick, from its beginning.
func (s *Web) stickEvents(r *http.Request, id string) (all []api.StickEvent, err error) {
	for len(all) < mostStickEvents {
		after := int64(len(all)) // the numbers have no gap
		more, err := s.console.StickEvents(r.Context(), actorOf(r), id, after)
		if err != nil || len(more) == 0 {
			return all, err
		}
		all = append(all, more...)
		if len(more) < api.MaxPage {
			break
		}
	}
	return all, nil
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
