package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) settings(w http.ResponseWriter, r *http.Request) error {
	return s.settingsWith(w, r, "", "", nil)
}

// settingsWith shows every setting, one of them as it was typed when it was
// refused.
func (s *Web) settingsWith(w http.ResponseWriter, r *http.Request, name, typed string, problem error) error {
	ctx, actor := r.Context(), actorOf(r)
	all, err := s.console.ListSettings(ctx, actor)
	if err != nil {
		return err
	}
	p := view.SettingsPage{Settings: all, Name: name, Typed: typed, URL: s.url, Problem: view.NewProblem(localeOf(r), problem)}
	if p.Site, err = s.console.GetSite(ctx, actor, ""); err != nil {
		return err
	}
	page := view.Settings(s.frame(r, "settings"), p)
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

// setting shows one setting with its last changes.
func (s *Web) setting(w http.ResponseWriter, r *http.Request) error {
	name := chi.URLParam(r, "name")
	history, err := s.history(r, "setting", name)
	if err != nil {
		return err
	}
	return s.show(w, r, view.SettingHistory(s.frame(r, "settings"), name, history))
}

// settingRevision is revisionOf of a setting, which has none while nobody has
// set it.
func settingRevision(r *http.Request) (int64, error) {
	n, err := revisionOf(r)
	if n == 0 {
		n = api.Absent
	}
	return n, err
}

func (s *Web) settingSave(w http.ResponseWriter, r *http.Request) error {
	revision, err := settingRevision(r)
	if err != nil {
		return err
	}
	in := api.SaveSettingInput{Name: chi.URLParam(r, "name"), Value: r.PostFormValue("value"), Revision: revision}
	if r.PostFormValue("default") != "" {
		in.Value = ""
	}
	if _, err := s.console.SaveSetting(r.Context(), actorOf(r), in); err != nil {
		return s.settingsWith(w, r, in.Name, in.Value, err)
	}
	s.flash(r, localeOf(r).T("setting.saved"))
	return see(w, r, "/settings")
}
