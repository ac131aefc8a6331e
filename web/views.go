package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/view"
)

// views shows the views that one may change, of one list or of all.
func (s *Web) views(w http.ResponseWriter, r *http.Request) error {
	return s.viewsWith(w, r, r.FormValue("list"), view.ViewForm{}, nil)
}

func (s *Web) viewsWith(w http.ResponseWriter, r *http.Request, list string, form view.ViewForm, problem error) error {
	all, err := s.console.ListViews(r.Context(), actorOf(r), list)
	if err != nil {
		return err
	}
	form.Problem = view.NewProblem(localeOf(r), problem)
	page := view.Views(s.frame(r, ""), all, form)
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

// viewSave keeps the view that a list was seen in, or changes one.
func (s *Web) viewSave(w http.ResponseWriter, r *http.Request) error {
	form := view.ViewForm{ID: chi.URLParam(r, "id"), List: r.PostFormValue("list"), Name: r.PostFormValue("name"), Query: r.PostFormValue("query")}
	form.Shared = r.PostFormValue("shared") != ""
	in := api.SaveViewInput{ID: form.ID, List: form.List, Name: form.Name, Query: form.Query, Shared: form.Shared}
	if in.ID != "" {
		var err error
		if in.Revision, err = revisionOf(r); err != nil {
			return err
		}
	}
	v, err := s.console.SaveView(r.Context(), actorOf(r), in)
	if err != nil {
		return s.viewsWith(w, r, form.List, form, err)
	}
	s.flash(r, localeOf(r).T("view.kept", "name", v.Name))
	return see(w, r, view.ViewPath(v))
}

// viewAsk asks before a view is forgotten.
func (s *Web) viewAsk(w http.ResponseWriter, r *http.Request) error {
	return s.viewAskWith(w, r, nil)
}

func (s *Web) viewAskWith(w http.ResponseWriter, r *http.Request, problem error) error {
	v, err := s.ownView(r)
	if err != nil {
		return err
	}
	page := view.ViewDelete(s.frame(r, ""), v, view.NewProblem(localeOf(r), problem))
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

// ownView is the view of the address, if it is the actor's to change.
func (s *Web) ownView(r *http.Request) (api.View, error) {
	if err := needs(r, api.UseSaveView); err != nil {
		return api.View{}, err
	}
	v, err := s.console.GetView(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	if err == nil && v.Shared {
		err = needs(r, api.UseShareView)
	}
	return v, err
}

func (s *Web) viewDelete(w http.ResponseWriter, r *http.Request) error {
	v, err := s.ownView(r)
	if err != nil {
		return err
	}
	revision, err := revisionOf(r)
	if err == nil {
		err = s.console.DeleteView(r.Context(), actorOf(r), v.ID, revision)
	}
	if err != nil {
		return s.viewAskWith(w, r, err)
	}
	s.flash(r, localeOf(r).T("view.deleted", "name", v.Name))
	return see(w, r, "/views?list="+v.List)
}
