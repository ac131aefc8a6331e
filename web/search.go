package web

import (
	"net/http"

	"github.com/stickpress/stickpress/web/view"
)

// search finds sections, actions, jobs, sticks, hosts and images. The command
// palette asks it by script and gets the list alone.
func (s *Web) search(w http.ResponseWriter, r *http.Request) error {
	text := r.FormValue("q")
	found, err := s.console.Search(r.Context(), actorOf(r), text)
	if err != nil {
		return err
	}
	f := s.frame(r, "")
	if f.Requests, err = s.console.CountOpenStickRequests(r.Context(), actorOf(r)); err != nil {
		return err
	}
	if byScript(r) {
		return s.show(w, r, view.FoundList(f, text, found))
	}
	return s.show(w, r, view.Search(f, text, found))
}

// shortcuts lists the keys of the keyboard that do something.
func (s *Web) shortcuts(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r, view.Shortcuts(s.frame(r, "")))
}
