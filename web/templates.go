package web

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
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
	versions, err := s.console.ListTemplateVersions(r.Context(), actorOf(r), id, pageOf(r))
	if err != nil {
		return view.TemplatePage{}, err
	}
	return view.TemplatePage{Template: t, Name: t.Name, Versions: versions}, nil
}

func (s *Web) templateSave(w http.ResponseWriter, r *http.Request) error {
	p, err := s.templatePage(r)
	if err != nil {
		return err
	}
	p.Name, p.Source = r.PostFormValue("name"), r.PostFormValue("source")
	in := api.SaveTemplateInput{ID: p.Template.ID, Name: p.Name, Source: p.Source}
	if in.ID != "" {
		if in.Revision, err = revisionOf(r); err != nil {
			return err
		}
	}
	saved, err := s.console.SaveTemplate(r.Context(), actorOf(r), in)
	if err != nil {
		p.Problem = view.NewProblem(localeOf(r), err)
		return s.again(w, r, err, view.Template(s.frame(r, "templates"), p))
	}
	s.flash(r, localeOf(r).T("template.saved", "name", saved.Name, "number", saved.Current.Number))
	return see(w, r, "/templates/"+saved.ID)
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
