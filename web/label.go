package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

// jobLabels are labels, or a sheet to hand over, for the sticks of a job that
// may be handed out.
func (s *Web) jobLabels(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	labels, err := s.console.JobLabels(r.Context(), actorOf(r), id, s.url)
	if err != nil {
		return err
	}
	return s.showLabels(w, r, "jobs", "/jobs/"+id, labels)
}

// stickLabel is the label of one stick, for what it carries now.
func (s *Web) stickLabel(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	labels, err := s.console.StickLabels(r.Context(), actorOf(r), id, s.url)
	if err != nil {
		return err
	}
	return s.showLabels(w, r, "sticks", "/sticks/"+id, labels)
}

func (s *Web) showLabels(w http.ResponseWriter, r *http.Request, section, back string, labels []api.Label) error {
	paper := view.Paper(r.FormValue("paper"))
	if paper == "" {
		paper = view.Papers[0]
	}
	if !paper.Known() {
		return fault.New(fault.KindInvalid, "form_unreadable")
	}
	return s.show(w, r, view.Labels(s.frame(r, section), paper, back, labels))
}
