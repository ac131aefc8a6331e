package web

import (
	"encoding/json"
	"net/http"

	"github.com/go-chi/chi/v5"
)

// stickRecord is what a stick is compared with, as a file for
// "stickpress-agent verify --record".
func (s *Web) stickRecord(w http.ResponseWriter, r *http.Request) error {
	f, err := s.console.StickRecord(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	raw, err := json.Marshal(f)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="`+f.Stick.StickID+`-record.json"`)
	_, err = w.Write(append(raw, '\n'))
	return err
}
