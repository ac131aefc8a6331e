package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

// jobLabels are labels, or a sheet to hand over, for the sticks of a job that
// may be handed out.
func (s *Web) jobLabels(w http.ResponseWriter, r *http.Request) error {
	job, err := s.console.GetJob(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	at, err := s.console.PublicURL(r.Context(), s.url)
	if err != nil {
		return err
	}
	var labels []view.Label
	for _, b := range job.Builds {
		if b.State != "verified" || job.Kind != protocol.JobPress && job.Kind != protocol.JobRaw {
			continue
		}
		labels = append(labels, label(job, b, at))
	}
	return s.showLabels(w, r, "jobs", "/jobs/"+job.ID, labels)
}

// stickLabel is the label of one stick, for what it carries now.
func (s *Web) stickLabel(w http.ResponseWriter, r *http.Request) error {
	stick, err := s.console.GetStick(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	var labels []view.Label
	if stick.State == "verified" && stick.JobID != "" {
		job, err := s.console.GetJob(r.Context(), actorOf(r), stick.JobID)
		if err != nil {
			return err
		}
		at, err := s.console.PublicURL(r.Context(), s.url)
		if err != nil {
			return err
		}
		for _, b := range job.Builds {
			if b.ID != stick.BuildID {
				continue
			}
			labels = append(labels, label(job, b, at))
		}
	}
	return s.showLabels(w, r, "sticks", "/sticks/"+stick.ID, labels)
}

func (s *Web) showLabels(w http.ResponseWriter, r *http.Request, section, back string, labels []view.Label) error {
	paper := view.Paper(r.FormValue("paper"))
	if paper == "" {
		paper = view.Papers[0]
	}
	if !paper.Known() {
		return fault.New(fault.KindInvalid, "form_unreadable")
	}
	return s.show(w, r, view.Labels(s.frame(r, section), paper, back, labels))
}

// label is what is printed about one stick of a console at an address.
func label(j api.Job, b api.Build, at string) view.Label {
	return view.Label{Job: j, Build: b, URL: at + "/sticks/" + b.StickID}
}
