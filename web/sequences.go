package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/diff"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) sequences(w http.ResponseWriter, r *http.Request) error {
	narrowing, list, err := narrowed(s, r, "task-sequences", api.ShelfFields, func(f api.ShelfFilter, p api.Page) (api.List[api.TaskSequence], error) {
		return s.console.ListTaskSequences(r.Context(), actorOf(r), f, p)
	})
	if err != nil {
		return err
	}
	return s.show(w, r, view.Sequences(s.frame(r, "sequences"), narrowing, list))
}

func (s *Web) sequenceNew(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseSaveTaskSequence); err != nil {
		return err
	}
	p, err := s.sequencePage(r)
	if err != nil {
		return err
	}
	p.Spec = api.TaskSequenceSpec{
		Layout: protocol.LayoutMBRDual, Edition: 1,
		BootSignature: protocol.BootSignature2011, PortableOperatingSystem: true,
	}
	return s.show(w, r, view.Sequence(s.frame(r, "sequences"), p))
}

func (s *Web) sequence(w http.ResponseWriter, r *http.Request) error {
	p, err := s.sequencePage(r)
	if err != nil {
		return err
	}
	return s.show(w, r, view.Sequence(s.frame(r, "sequences"), p))
}

func (s *Web) sequencePage(r *http.Request) (view.SequencePage, error) {
	var p view.SequencePage
	templates, err := s.console.ListTemplates(r.Context(), actorOf(r), api.ShelfFilter{}, api.Page{Limit: api.MaxPage})
	if err != nil {
		return p, err
	}
	p.Templates = templates.Items
	if id := chi.URLParam(r, "id"); id != "" {
		if p.Sequence, err = s.console.GetTaskSequence(r.Context(), actorOf(r), id); err != nil {
			return p, err
		}
		p.Name, p.Description = p.Sequence.Name, p.Sequence.Description
		p.Spec, p.Template = p.Sequence.Current.Spec, p.Sequence.Current.TemplateID
		if p.Versions, err = s.console.ListTaskSequenceVersions(r.Context(), actorOf(r), id, pageOf(r)); err != nil {
			return p, err
		}
		p.History, err = s.history(r, "task_sequence", p.Sequence.ID)
	}
	return p, err
}

func (s *Web) sequenceSave(w http.ResponseWriter, r *http.Request) error {
	p, err := s.sequencePage(r)
	if err != nil {
		return err
	}
	edition, _ := strconv.Atoi(r.PostFormValue("edition")) // 0 is refused with the rest
	p.Name, p.Description, p.Template = r.PostFormValue("name"), r.PostFormValue("description"), r.PostFormValue("template")
	p.Spec = api.TaskSequenceSpec{
		Layout: r.PostFormValue("layout"), Edition: edition, BootSignature: r.PostFormValue("boot_signature"),
		PortableOperatingSystem: r.PostFormValue("portable") == "on",
		MinWriteRate:            1e6 * minimumOf(r, "min_write_rate"), MinRandomIOPS: minimumOf(r, "min_random_iops"),
	}
	in := api.SaveTaskSequenceInput{ID: p.Sequence.ID, Name: p.Name, Description: p.Description, Spec: p.Spec, Template: p.Template}
	if in.ID != "" {
		if in.Revision, err = revisionOf(r); err != nil {
			return err
		}
	}
	saved, err := s.console.SaveTaskSequence(r.Context(), actorOf(r), in)
	if err != nil {
		p.Problem = view.NewProblem(localeOf(r), err)
		p.Stale = fault.From(err).Kind == fault.KindStale
		return s.again(w, r, err, view.Sequence(s.frame(r, "sequences"), p))
	}
	s.flash(r, localeOf(r).T("sequence.saved", "name", saved.Name, "number", saved.Current.Number))
	return see(w, r, "/task-sequences/"+saved.ID)
}

// sequenceCompare shows two versions side by side.
func (s *Web) sequenceCompare(w http.ResponseWriter, r *http.Request) error {
	p, err := s.sequencePage(r)
	if err != nil {
		return err
	}
	versions, err := s.allSequenceVersions(r, p.Sequence.ID)
	if err != nil {
		return err
	}
	f := s.frame(r, "sequences")
	c := view.Comparison{Path: "/task-sequences/" + p.Sequence.ID, Name: p.Sequence.Name, Revision: p.Sequence.Revision}
	texts := map[string]string{}
	for _, v := range versions {
		c.Versions = append(c.Versions, view.ComparedVersion{ID: v.ID, Number: v.Number, At: v.CreatedAt, By: v.CreatedBy})
		texts[v.ID] = view.SequenceText(f, v)
	}
	c.Choose(r.FormValue("from"), r.FormValue("to"))
	c.Rows, c.Restores = diff.Lines(texts[c.From.ID], texts[c.To.ID]), actorOf(r).Can(api.UseSaveTaskSequence)
	return s.show(w, r, view.Compare(f, c))
}

func (s *Web) allSequenceVersions(r *http.Request, id string) ([]api.TaskSequenceVersion, error) {
	return everyPage(func(page api.Page) (api.List[api.TaskSequenceVersion], error) {
		return s.console.ListTaskSequenceVersions(r.Context(), actorOf(r), id, page)
	})
}

// sequenceRestore saves an older version's choices as a new version.
func (s *Web) sequenceRestore(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseSaveTaskSequence); err != nil {
		return err
	}
	revision, err := revisionOf(r)
	if err != nil {
		return err
	}
	p, err := s.sequencePage(r)
	if err != nil {
		return err
	}
	versions, err := s.allSequenceVersions(r, p.Sequence.ID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(versions, func(v api.TaskSequenceVersion) bool { return v.ID == r.PostFormValue("version") })
	if i < 0 {
		return fault.New(fault.KindInvalid, "form_unreadable")
	}
	old := versions[i]
	saved, err := s.console.SaveTaskSequence(r.Context(), actorOf(r), api.SaveTaskSequenceInput{
		ID: p.Sequence.ID, Name: p.Name, Description: p.Description, Spec: old.Spec, Template: old.TemplateVersionID, Revision: revision,
	})
	if err != nil {
		p.Problem = view.NewProblem(localeOf(r), err)
		return s.again(w, r, err, view.Sequence(s.frame(r, "sequences"), p))
	}
	s.flash(r, localeOf(r).T("sequence.saved", "name", saved.Name, "number", saved.Current.Number))
	return see(w, r, "/task-sequences/"+saved.ID)
}

// sequenceRetire takes a task sequence out of use after its name was typed, or
// brings it back.
func (s *Web) sequenceRetire(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseRetireSequence); err != nil {
		return err
	}
	p, err := s.sequencePage(r)
	if err != nil {
		return err
	}
	in, err := retiring(r, api.UseRetireSequence, p.Sequence.ID, p.Sequence.Name)
	if err == nil {
		_, err = s.console.RetireTaskSequence(r.Context(), actorOf(r), in)
	}
	if err != nil {
		p.Danger = view.NewProblem(localeOf(r), err)
		return s.again(w, r, err, view.Sequence(s.frame(r, "sequences"), p))
	}
	s.flash(r, localeOf(r).T(retired(in, "sequence"), "name", p.Sequence.Name))
	return see(w, r, "/task-sequences/"+p.Sequence.ID)
}

// minimumOf is a number of the form: nothing demands nothing, and what is no
// number is refused with the rest.
func minimumOf(r *http.Request, field string) int64 {
	text := strings.TrimSpace(r.PostFormValue(field))
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return -1
	}
	return n
}
