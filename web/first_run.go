package web

import (
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

// firstRun leads to the step that comes next; when none does, it says so, and
// when all is over, who ended it.
func (s *Web) firstRun(w http.ResponseWriter, r *http.Request) error {
	now, err := s.console.GetFirstRun(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	if next := now.Next(); next != "" && now.FinishedAt == nil {
		return see(w, r, "/first-run/"+string(next))
	}
	return s.show(w, r, view.FirstRunEnd(s.frame(r, "overview"), now, view.Problem{}))
}

// firstRunStep shows one step.
func (s *Web) firstRunStep(w http.ResponseWriter, r *http.Request) error {
	p, err := s.firstRunPage(r, api.FirstRunStep(chi.URLParam(r, "step")))
	if err != nil {
		return err
	}
	if p.Run.FinishedAt != nil {
		return see(w, r, "/first-run")
	}
	return s.showFirstRun(w, r, p, nil)
}

func (s *Web) showFirstRun(w http.ResponseWriter, r *http.Request, p view.FirstRunPage, problem error) error {
	f := s.frame(r, "overview")
	p.Problem = view.NewProblem(localeOf(r), problem)
	f.Refresh = p.Step == api.FirstRunHost && r.Method == http.MethodGet && p.Run.States[p.Step] == api.FirstRunOpen
	if problem != nil {
		return s.again(w, r, problem, view.FirstRun(f, p))
	}
	return s.show(w, r, view.FirstRun(f, p))
}

// firstRunPage finds what a step's page shows.
func (s *Web) firstRunPage(r *http.Request, step api.FirstRunStep) (view.FirstRunPage, error) {
	ctx, actor := r.Context(), actorOf(r)
	p := view.FirstRunPage{Step: step, URL: s.url, Secure: s.sessions.Cookie.Secure}
	if !slices.Contains(api.FirstRunSteps, step) {
		return p, fault.New(fault.KindNotFound, "page_not_found")
	}
	var err error
	if p.Run, err = s.console.GetFirstRun(ctx, actor); err != nil {
		return p, err
	}
	switch step {
	case api.FirstRunAddress, api.FirstRunStorage:
		if p.Settings, err = s.console.ListSettings(ctx, actor, api.SettingFilter{}); err != nil {
			return p, err
		}
		p.TLS, p.TLSNames = s.console.TLSFiles(), s.tlsNames(r)
		p.Overview, err = s.console.GetOverview(ctx, actor)
	case api.FirstRunHost:
		p.Hosts, err = s.firstHosts(r)
	case api.FirstRunImage:
		p.Publish = view.Publish{Channel: api.DefaultChannel, Back: view.FirstRunImage}
		p.Versions, err = s.firstVersions(r)
	case api.FirstRunPress:
		if p.Versions, err = s.firstVersions(r); err != nil {
			return p, err
		}
		p.Hosts, err = s.firstHosts(r)
	case api.FirstRunAccount, api.FirstRunTemplate: // show what is known already
	}
	return p, err
}

// firstHosts are the hosts that a new console may have.
func (s *Web) firstHosts(r *http.Request) ([]api.Host, error) {
	hosts, err := s.console.ListHosts(r.Context(), actorOf(r), api.HostFilter{}, api.Page{Limit: api.MaxPage})
	return hosts.Items, err
}

// firstVersions are the versions that it may press.
func (s *Web) firstVersions(r *http.Request) ([]api.Version, error) {
	versions, err := s.console.ListVersions(r.Context(), actorOf(r), api.VersionFilter{State: "published"}, api.Page{Limit: api.MaxPage})
	return versions.Items, err
}

// firstRunMark skips a step, says that it was seen to, or opens it again.
func (s *Web) firstRunMark(w http.ResponseWriter, r *http.Request) error {
	step := api.FirstRunStep(chi.URLParam(r, "step"))
	if err := s.console.MarkFirstRunStep(r.Context(), actorOf(r), step, r.PostFormValue("mark")); err != nil {
		return err
	}
	if r.PostFormValue("mark") == api.FirstRunOpen {
		return see(w, r, "/first-run/"+string(step))
	}
	return see(w, r, "/first-run")
}

// firstRunAddress saves how the console is reached.
func (s *Web) firstRunAddress(w http.ResponseWriter, r *http.Request) error {
	if err := s.console.FirstRunOpenStill(r.Context(), actorOf(r)); err != nil {
		return err
	}
	revision, err := settingRevision(r)
	if err != nil {
		return err
	}
	in := api.SaveSettingInput{Name: api.SettingPublicURL, Value: r.PostFormValue("value"), Revision: revision}
	if _, err := s.console.SaveSetting(r.Context(), actorOf(r), in); err != nil {
		p, pageErr := s.firstRunPage(r, api.FirstRunAddress)
		if pageErr != nil {
			return pageErr
		}
		p.Typed = in.Value
		return s.showFirstRun(w, r, p, err)
	}
	if err := s.console.MarkFirstRunStep(r.Context(), actorOf(r), api.FirstRunAddress, api.FirstRunDone); err != nil {
		return err
	}
	return see(w, r, "/first-run")
}

// firstRunHost shows, once, the lines that make a machine a host.
func (s *Web) firstRunHost(w http.ResponseWriter, r *http.Request) error {
	if err := s.console.FirstRunOpenStill(r.Context(), actorOf(r)); err != nil {
		return err
	}
	p, err := s.firstRunPage(r, api.FirstRunHost)
	if err != nil {
		return err
	}
	e, err := s.console.CreateEnrolment(r.Context(), actorOf(r), api.CreateEnrolmentInput{})
	if err != nil {
		return s.showFirstRun(w, r, p, err)
	}
	url, err := s.console.PublicURL(r.Context(), s.url)
	if err != nil {
		return err
	}
	p.Enrolment, p.URL, p.Pin = &e, url, s.pin()
	return s.showFirstRun(w, r, p, nil)
}

// firstRunHostLive streams which hosts have come, and what that does to the step.
func (s *Web) firstRunHostLive(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseGetFirstRun); err != nil {
		return err
	}
	ctx := r.Context()
	updates, err := s.console.WatchOverview(ctx, actorOf(r))
	if err != nil {
		return err
	}
	f, out := s.frame(r, "overview"), newStream(w)
	follow(ctx, s.log, out, updates, func(api.Overview) error {
		p, err := s.firstRunPage(r, api.FirstRunHost)
		if err != nil {
			return err
		}
		for _, part := range view.FirstRunHostParts(f, p) {
			if err := out.replace(ctx, part.Name, part.Component); err != nil {
				return err
			}
		}
		return nil
	})
	return nil
}

// firstRunTemplate makes the answer file of the choices.
func (s *Web) firstRunTemplate(w http.ResponseWriter, r *http.Request) error {
	in := api.FirstTemplateInput{
		Language: r.PostFormValue("language"), TimeZone: r.PostFormValue("zone"), Account: r.PostFormValue("account"),
		Fixed: r.PostFormValue("naming") == "windows",
	}
	p, err := s.firstRunPage(r, api.FirstRunTemplate)
	if err != nil {
		return err
	}
	p.Choices = in
	made, err := s.console.SaveFirstTemplate(r.Context(), actorOf(r), in)
	if err != nil {
		return s.showFirstRun(w, r, p, err)
	}
	p.Made = &made
	p.Run.States[api.FirstRunTemplate] = api.FirstRunDone
	return s.showFirstRun(w, r, p, nil)
}

// firstRunPress queues one build onto a virtual stick.
func (s *Web) firstRunPress(w http.ResponseWriter, r *http.Request) error {
	job, err := s.console.PressFirstStick(r.Context(), actorOf(r), api.FirstStickInput{
		Version: r.PostFormValue("version"), Host: r.PostFormValue("host"), Port: r.PostFormValue("port"),
	})
	if err != nil {
		p, pageErr := s.firstRunPage(r, api.FirstRunPress)
		if pageErr != nil {
			return pageErr
		}
		return s.showFirstRun(w, r, p, err)
	}
	s.flash(r, localeOf(r).T("first_run.pressed"))
	return see(w, r, "/jobs/"+job.ID)
}

// firstRunFinish locks the set-up.
func (s *Web) firstRunFinish(w http.ResponseWriter, r *http.Request) error {
	if err := s.console.FinishFirstRun(r.Context(), actorOf(r)); err != nil {
		return err
	}
	s.flash(r, localeOf(r).T("first_run.finished"))
	return see(w, r, "/")
}
