package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) settings(w http.ResponseWriter, r *http.Request) error {
	ctx, actor, l := r.Context(), actorOf(r), localeOf(r)
	narrowing, list, err := narrowed(s, r, "settings", api.SettingFields, func(f api.SettingFilter, _ api.Page) (api.List[api.Setting], error) {
		f.Words = func(name string) string { return view.SettingName(l, name) + "\n" + l.T("setting.about_"+name) }
		all, err := s.console.ListSettings(ctx, actor, f)
		return api.List[api.Setting]{Items: all}, err
	})
	if err != nil {
		return err
	}
	site, err := s.console.GetSite(ctx, actor, "")
	if err != nil {
		return err
	}
	return s.show(w, r, view.Settings(s.frame(r, "settings"), narrowing, list.Items, site))
}

func (s *Web) setting(w http.ResponseWriter, r *http.Request) error {
	return s.settingWith(w, r, "", nil)
}

// settingWith shows one setting with its last changes, and what was typed for it
// when that was refused.
func (s *Web) settingWith(w http.ResponseWriter, r *http.Request, typed string, problem error) error {
	x, err := s.console.GetSetting(r.Context(), actorOf(r), chi.URLParam(r, "name"))
	if err != nil {
		return err
	}
	p := view.SettingPage{Setting: x, Typed: x.Value, URL: s.url, Problem: view.NewProblem(localeOf(r), problem)}
	if problem != nil {
		p.Typed = typed
	}
	if p.History, err = s.history(r, "setting", x.Name); err != nil {
		return err
	}
	page := view.SettingOne(s.frame(r, "settings"), p)
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

// settingRevision is revisionOf of a setting, which has 0 while nobody has set
// it.
func settingRevision(r *http.Request) (int64, error) {
	if r.PostFormValue("revision") == "0" {
		return api.Absent, nil
	}
	return revisionOf(r)
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
		return s.settingWith(w, r, in.Value, err)
	}
	s.flash(r, localeOf(r).T("setting.saved"))
	return see(w, r, "/settings/"+in.Name)
}
