package web

import (
	"bytes"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/web/view"
)

// jobLog is the whole history of a job as text, one line for each event, with
// exact times in UTC.
func (s *Web) jobLog(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	u, err := s.console.JobRun(r.Context(), actorOf(r), id)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	view.WriteLog(&text, s.frame(r, "jobs"), u)
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+u.Job.ID+`.log"`)
	h.Set("Cache-Control", "no-store")
	_, _ = text.WriteTo(w) // the reader is gone if this fails
	return nil
}
