package web

import (
	"cmp"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/view"
)

// inspection shows how far the look into an uploaded file is, and what came of
// it. What was published has a page of its own; a page that brings itself up to
// date is told where that is.
func (s *Web) inspection(w http.ResponseWriter, r *http.Request) error {
	in, err := s.console.GetInspection(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	back := setUpAt(r.FormValue("back"))
	if in.State == api.InspectionPublished && r.Header.Get("HX-Request") == "" {
		return see(w, r, cmp.Or(back, "/versions/"+in.VersionID))
	}
	f := s.frame(r, "images")
	f.Refresh = in.State == api.InspectionRunning
	return s.show(w, r, view.Inspection(f, in, back))
}

// setUpAt is where in the set-up a file is uploaded, if that is where somebody
// came from.
func setUpAt(back string) string {
	if back == view.FirstRunImage {
		return back
	}
	return ""
}
