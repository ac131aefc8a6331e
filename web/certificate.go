package web

import (
	"encoding/json"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) certificate(w http.ResponseWriter, r *http.Request) error {
	c, err := s.console.GetCertificate(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	return s.show(w, r, view.Certificate(s.frame(r, "sticks"), c))
}

// certificateFile is the certificate as a file that can be checked without the
// console.
func (s *Web) certificateFile(w http.ResponseWriter, r *http.Request) error {
	c, err := s.console.GetCertificate(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(c.Signed, "", "  ")
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="`+c.ID+`.json"`)
	_, err = w.Write(append(raw, '\n'))
	return err
}
