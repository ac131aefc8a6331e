package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"
)

// stickReturn takes a stick back.
func (s *Web) stickReturn(w http.ResponseWriter, r *http.Request) error {
	x, err := s.console.ReturnStick(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	return see(w, r, "/sticks/"+x.ID)
}
