package web

import (
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) sites(w http.ResponseWriter, r *http.Request) error {
	return s.sitesWith(w, r, "", nil)
}

func (s *Web) sitesWith(w http.ResponseWriter, r *http.Request, name string, problem error) error {
	narrowing, list, err := narrowed(s, r, "sites", api.ShelfFields, func(f api.ShelfFilter, p api.Page) (api.List[api.Site], error) {
		return s.console.ListSites(r.Context(), actorOf(r), f, p)
	})
	if err != nil {
		return err
	}
	page := view.Sites(s.frame(r, "sites"), narrowing, list, name, view.NewProblem(localeOf(r), problem))
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

// allSites are the actor's sites, as many as a form can show.
func (s *Web) allSites(r *http.Request) ([]api.Site, error) {
	l, err := s.console.ListSites(r.Context(), actorOf(r), api.ShelfFilter{}, api.Page{Limit: api.MaxPage})
	return l.Items, err
}

func (s *Web) siteCreate(w http.ResponseWriter, r *http.Request) error {
	name := r.PostFormValue("name")
	x, err := s.console.SaveSite(r.Context(), actorOf(r), api.SaveSiteInput{Name: name})
	if err != nil {
		return s.sitesWith(w, r, name, err)
	}
	s.flash(r, localeOf(r).T("site.made", "site", x.Name))
	return see(w, r, "/sites/"+x.ID)
}

func (s *Web) site(w http.ResponseWriter, r *http.Request) error {
	return s.siteWith(w, r, "", nil)
}

// siteWith shows a site, with the name that was typed when it was refused.
func (s *Web) siteWith(w http.ResponseWriter, r *http.Request, typed string, problem error) error {
	ctx, actor := r.Context(), actorOf(r)
	x, err := s.console.GetSite(ctx, actor, chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	p := view.SitePage{Site: x, Name: x.Name}
	if typed != "" {
		p.Name, p.Problem = typed, view.NewProblem(localeOf(r), problem)
	} else {
		p.Danger = view.NewProblem(localeOf(r), problem)
	}
	hosts, err := s.console.ListHosts(ctx, actor, api.HostFilter{SiteID: x.ID}, pageOf(r))
	if err != nil {
		return err
	}
	p.Hosts = hosts
	all, err := s.allSites(r)
	if err != nil {
		return err
	}
	p.Others = slices.DeleteFunc(all, func(o api.Site) bool { return o.ID == x.ID })
	if actor.Can(api.UseListUsers) {
		if p.Scope, err = s.console.GetSiteScope(ctx, actor, x.ID); err != nil {
			return err
		}
	}
	if p.History, err = s.history(r, "site", x.ID); err != nil {
		return err
	}
	page := view.Site(s.frame(r, "sites"), p)
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

// siteSave renames a site or makes it the default one.
func (s *Web) siteSave(w http.ResponseWriter, r *http.Request) error {
	revision, err := revisionOf(r)
	if err != nil {
		return err
	}
	name := r.PostFormValue("name")
	x, err := s.console.SaveSite(r.Context(), actorOf(r), api.SaveSiteInput{
		ID: chi.URLParam(r, "id"), Name: name, Default: r.PostFormValue("default") != "", Revision: revision,
	})
	if err != nil {
		return s.siteWith(w, r, name, err)
	}
	s.flash(r, localeOf(r).T("site.saved", "site", x.Name))
	return see(w, r, "/sites/"+x.ID)
}

// siteMove moves hosts of the site to another one.
func (s *Web) siteMove(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseUpdateHost); err != nil {
		return err
	}
	to, err := s.console.GetSite(r.Context(), actorOf(r), r.PostFormValue("to"))
	if err != nil {
		return err
	}
	moved := 0
	for _, id := range r.PostForm["host"] {
		h, err := s.console.GetHost(r.Context(), actorOf(r), id)
		if err == nil && h.SiteID != chi.URLParam(r, "id") && h.SiteID != to.ID {
			err = fault.New(fault.KindStale, "stale", "kind", "host", "id", h.ID)
		}
		if err == nil {
			_, err = s.console.UpdateHost(r.Context(), actorOf(r), api.UpdateHostInput{ID: h.ID, Name: h.Name, SiteID: to.ID, Revision: h.Revision})
		}
		if err != nil {
			return s.siteWith(w, r, "", err)
		}
		moved++
	}
	s.flash(r, localeOf(r).N("site.moved", moved, "site", to.Name))
	return see(w, r, "/sites/"+chi.URLParam(r, "id"))
}

// siteRetire closes a site after its name was typed, or opens it again.
func (s *Web) siteRetire(w http.ResponseWriter, r *http.Request) error {
	x, err := s.console.GetSite(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	in, err := retiring(r, api.UseRetireSite, x.ID, x.Name)
	if err != nil {
		return s.siteWith(w, r, "", err)
	}
	if _, err := s.console.RetireSite(r.Context(), actorOf(r), in); err != nil {
		return s.siteWith(w, r, "", err)
	}
	s.flash(r, localeOf(r).T(retired(in, "site"), "name", x.Name))
	return see(w, r, "/sites/"+x.ID)
}
