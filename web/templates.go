package web

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/diff"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) templates(w http.ResponseWriter, r *http.Request) error {
	narrowing, list, err := narrowed(s, r, "templates", api.ShelfFields, func(f api.ShelfFilter, p api.Page) (api.List[api.Template], error) {
		return s.console.ListTemplates(r.Context(), actorOf(r), f, p)
	})
	if err != nil {
		return err
	}
	return s.show(w, r, view.Templates(s.frame(r, "templates"), narrowing, list))
}

func (s *Web) templateNew(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseSaveTemplate); err != nil {
		return err
	}
	return s.show(w, r, view.Template(s.frame(r, "templates"), view.TemplatePage{Source: s.console.StarterTemplate()}))
}

func (s *Web) template(w http.ResponseWriter, r *http.Request) error {
	p, err := s.templatePage(r)
	if err != nil {
		return err
	}
	if actorOf(r).Can(api.UseTemplateSource) {
		ref := p.Template.ID
		if chosen := r.FormValue("version"); chosen != "" {
			ref = chosen
		}
		if p.Source, err = s.console.TemplateSource(r.Context(), actorOf(r), ref); err != nil {
			return err
		}
	}
	return s.show(w, r, view.Template(s.frame(r, "templates"), p))
}

func (s *Web) templatePage(r *http.Request) (view.TemplatePage, error) {
	id := chi.URLParam(r, "id")
	if id == "" {
		return view.TemplatePage{}, nil
	}
	t, err := s.console.GetTemplate(r.Context(), actorOf(r), id)
	if err != nil {
		return view.TemplatePage{}, err
	}
	p := view.TemplatePage{Template: t, Name: t.Name, Description: t.Description}
	if p.Versions, err = s.console.ListTemplateVersions(r.Context(), actorOf(r), id, pageOf(r)); err != nil {
		return p, err
	}
	p.History, err = s.history(r, "template", t.ID)
	return p, err
}

func (s *Web) templateSave(w http.ResponseWriter, r *http.Request) error {
	p, err := s.templatePage(r)
	if err != nil {
		return err
	}
	p.Name, p.Description, p.Source = r.PostFormValue("name"), r.PostFormValue("description"), r.PostFormValue("source")
	in := api.SaveTemplateInput{ID: p.Template.ID, Name: p.Name, Description: p.Description, Source: p.Source}
	if in.ID != "" {
		if in.Revision, err = revisionOf(r); err != nil {
			return err
		}
	}
	saved, err := s.console.SaveTemplate(r.Context(), actorOf(r), in)
	if err != nil {
		return s.templateAgain(w, r, p, err)
	}
	s.flash(r, localeOf(r).T("template.saved", "name", saved.Name, "number", saved.Current.Number))
	return see(w, r, "/templates/"+saved.ID)
}

// templateAgain shows the editor with what was typed. If somebody else has
// saved meanwhile, it shows what they changed beside it.
func (s *Web) templateAgain(w http.ResponseWriter, r *http.Request, p view.TemplatePage, problem error) error {
	p.Problem = view.NewProblem(localeOf(r), problem)
	if fault.From(problem).Kind == fault.KindStale {
		theirs, err := s.console.TemplateSource(r.Context(), actorOf(r), p.Template.ID)
		if err != nil {
			return err
		}
		p.Stale, p.Differs = true, diff.Lines(theirs, p.Source)
	}
	return s.again(w, r, problem, view.Template(s.frame(r, "templates"), p))
}

// templateCompare shows two versions side by side (admin).
func (s *Web) templateCompare(w http.ResponseWriter, r *http.Request) error {
	p, err := s.templatePage(r)
	if err != nil {
		return err
	}
	versions, err := s.allTemplateVersions(r, p.Template.ID)
	if err != nil {
		return err
	}
	c := view.Comparison{Path: "/templates/" + p.Template.ID, Name: p.Template.Name, Revision: p.Template.Revision}
	for _, v := range versions {
		c.Versions = append(c.Versions, view.ComparedVersion{ID: v.ID, Number: v.Number, At: v.CreatedAt, By: v.CreatedBy})
	}
	c.Choose(r.FormValue("from"), r.FormValue("to"))
	d, err := s.console.CompareTemplate(r.Context(), actorOf(r), api.CompareTemplateInput{Template: p.Template.ID, From: c.From.ID, To: c.To.ID})
	if err != nil {
		return err
	}
	c.Rows, c.Restores = d.Rows, actorOf(r).Can(api.UseSaveTemplate)
	return s.show(w, r, view.Compare(s.frame(r, "templates"), c))
}

func (s *Web) allTemplateVersions(r *http.Request, id string) ([]api.TemplateVersion, error) {
	return everyPage(func(page api.Page) (api.List[api.TemplateVersion], error) {
		return s.console.ListTemplateVersions(r.Context(), actorOf(r), id, page)
	})
}

// templateRestore saves an older version's source as a new version.
func (s *Web) templateRestore(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseSaveTemplate); err != nil {
		return err
	}
	revision, err := revisionOf(r)
	if err != nil {
		return err
	}
	p, err := s.templatePage(r)
	if err != nil {
		return err
	}
	if p.Source, err = s.console.TemplateSource(r.Context(), actorOf(r), r.PostFormValue("version")); err != nil {
		return err
	}
	saved, err := s.console.SaveTemplate(r.Context(), actorOf(r), api.SaveTemplateInput{
		ID: p.Template.ID, Name: p.Name, Description: p.Description, Source: p.Source, Revision: revision,
	})
	if err != nil {
		return s.templateAgain(w, r, p, err)
	}
	s.flash(r, localeOf(r).T("template.saved", "name", saved.Name, "number", saved.Current.Number))
	return see(w, r, "/templates/"+saved.ID)
}

// templateRetire takes a template out of use after its name was typed, or
// brings it back.
func (s *Web) templateRetire(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseRetireTemplate); err != nil {
		return err
	}
	p, err := s.templatePage(r)
	if err != nil {
		return err
	}
	in, err := retiring(r, api.UseRetireTemplate, p.Template.ID, p.Template.Name)
	if err == nil {
		_, err = s.console.RetireTemplate(r.Context(), actorOf(r), in)
	}
	if err != nil {
		if p.Source, _ = s.console.TemplateSource(r.Context(), actorOf(r), p.Template.ID); p.Source == "" {
			return err
		}
		p.Danger = view.NewProblem(localeOf(r), err)
		return s.again(w, r, err, view.Template(s.frame(r, "templates"), p))
	}
	s.flash(r, localeOf(r).T(retired(in, "template"), "name", p.Template.Name))
	return see(w, r, "/templates/"+p.Template.ID)
}

// problem is one remark for the editor.
type problem struct {
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Severity string `json:"severity"`
	Message  string `json:"message"`
}

// templateCheck tells the editor what saving would say.
func (s *Web) templateCheck(w http.ResponseWriter, r *http.Request) error {
	l := localeOf(r)
	problems := []problem{}
	warnings, err := s.console.CheckTemplate(r.Context(), actorOf(r), r.PostFormValue("source"))
	if err != nil {
		f := fault.From(err)
		if f.Kind != fault.KindInvalid && f.Kind != fault.KindTooLarge {
			return err
		}
		line, _ := strconv.Atoi(f.Params["line"])
		column, _ := strconv.Atoi(f.Params["column"])
		problems = append(problems, problem{max(line, 1), max(column, 1), "error", l.Fault(string(f.Code), f.Params)})
	}
	for _, x := range warnings {
		problems = append(problems, problem{max(x.Line, 1), 1, "warning", l.Lint(x.Code, x.Params)})
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(problems)
}
