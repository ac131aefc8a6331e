package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) hosts(w http.ResponseWriter, r *http.Request) error {
	return s.hostsWith(w, r, nil, "", nil)
}

// hostsWith shows the list with the line that enrols a host, or with what is
// wrong with the form for it.
func (s *Web) hostsWith(w http.ResponseWriter, r *http.Request, e *api.Enrolment, line string, problem error) error {
	ctx, actor := r.Context(), actorOf(r)
	narrowing, list, err := narrowed(s, r, "hosts", api.HostFields, func(f api.HostFilter, p api.Page) (api.List[api.Host], error) {
		return s.console.ListHosts(ctx, actor, f, p)
	})
	if err != nil {
		return err
	}
	sites, err := s.allSites(r)
	if err != nil {
		return err
	}
	page := view.Hosts(s.frame(r, "hosts"), narrowing, list, sites, e, line, view.NewProblem(localeOf(r), problem))
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

// hostEnrol makes an enrolment token and shows, once, the line to run on the
// new host.
func (s *Web) hostEnrol(w http.ResponseWriter, r *http.Request) error {
	e, err := s.console.CreateEnrolment(r.Context(), actorOf(r), api.CreateEnrolmentInput{SiteID: r.PostFormValue("site")})
	if err != nil {
		return s.hostsWith(w, r, nil, "", err)
	}
	url, err := s.console.PublicURL(r.Context(), s.url)
	if err != nil {
		return err
	}
	line := "stickpress-agent enroll " + url + " --token " + e.Token
	if pin := s.pin(); pin != "" {
		line += " --ca-fingerprint " + pin
	}
	return s.hostsWith(w, r, &e, line, nil)
}

func (s *Web) host(w http.ResponseWriter, r *http.Request) error {
	return s.hostWith(w, r, nil)
}

func (s *Web) hostWith(w http.ResponseWriter, r *http.Request, problem error) error {
	ctx, actor := r.Context(), actorOf(r)
	h, err := s.console.GetHost(ctx, actor, chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	jobs, err := s.console.ListJobs(ctx, actor, api.JobFilter{HostID: h.ID}, api.Page{Limit: 10})
	if err != nil {
		return err
	}
	ports, err := s.console.GetHostPorts(ctx, actor, h.ID)
	if err != nil {
		return err
	}
	h.Devices = api.InOrder(h.Devices, ports.Items)
	more, err := s.hostMore(r, &h)
	if err != nil {
		return err
	}
	page := view.Host(s.frame(r, "hosts"), h, ports.Items, jobs.Items, more, view.NewProblem(localeOf(r), problem))
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

// hostMore finds what the page says of a host beside its sticks.
func (s *Web) hostMore(r *http.Request, h *api.Host) (view.HostMore, error) {
	more := view.HostMore{Name: h.Name, SiteID: h.SiteID}
	var err error
	if more.Sites, err = s.allSites(r); err != nil {
		return more, err
	}
	if r.Method == http.MethodPost && r.PostForm.Has("site") { // as it was typed
		more.Name, more.SiteID = r.PostFormValue("host-name"), r.PostFormValue("site")
	}
	more.History, err = s.history(r, "host", h.ID)
	return more, err
}

// hostSave renames a host or moves it to another site.
func (s *Web) hostSave(w http.ResponseWriter, r *http.Request) error {
	revision, err := revisionOf(r)
	if err != nil {
		return err
	}
	h, err := s.console.UpdateHost(r.Context(), actorOf(r), api.UpdateHostInput{
		ID: chi.URLParam(r, "id"), Name: r.PostFormValue("host-name"), SiteID: r.PostFormValue("site"), Revision: revision,
	})
	if err != nil {
		return s.hostWith(w, r, err)
	}
	s.flash(r, localeOf(r).T("host.saved", "host", h.Name))
	return see(w, r, "/hosts/"+h.ID)
}

func (s *Web) hostRevoke(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseRevokeHost); err != nil {
		return err
	}
	return s.changeHost(w, r, s.console.RevokeHost, "host.revoked_done")
}

func (s *Web) hostLost(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseDeclareHostLost); err != nil {
		return err
	}
	return s.changeHost(w, r, s.console.DeclareHostLost, "host.lost_done")
}

// changeHost ends a host's work after its name was typed.
func (s *Web) changeHost(w http.ResponseWriter, r *http.Request, change changeHost, done string) error {
	h, err := s.console.GetHost(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	if r.PostFormValue("name") != h.Name {
		return s.hostWith(w, r, wrongName(h.Name))
	}
	revision, err := revisionOf(r)
	if err != nil {
		return err
	}
	if _, err := change(r.Context(), actorOf(r), api.ChangeHostInput{ID: h.ID, Reason: r.PostFormValue("reason"), Revision: revision}); err != nil {
		return s.hostWith(w, r, err)
	}
	s.flash(r, localeOf(r).T(done, "host", h.Name))
	return see(w, r, "/hosts/"+h.ID)
}
