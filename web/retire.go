package web

import (
	"net/http"

	"github.com/stickpress/stickpress/api"
)

// historyLength is how many of a thing's last changes its page shows.
const historyLength = 20

// history are a thing's last changes.
func (s *Web) history(r *http.Request, kind, id string) ([]api.HistoryEntry, error) {
	l, err := s.console.ListHistory(r.Context(), actorOf(r), kind, id, api.Page{Limit: historyLength})
	return l.Items, err
}

// retiring reads the form that takes a thing out of use, for which its name
// must be typed, or the one that brings it back.
func retiring(r *http.Request, use api.UseCase, id, name string) (api.RetireInput, error) {
	if err := needs(r, use); err != nil { // before anything is said about the name
		return api.RetireInput{}, err
	}
	in := api.RetireInput{ID: id, Back: r.PostFormValue("back") != "", Reason: r.PostFormValue("reason")}
	var err error
	if in.Revision, err = revisionOf(r); err != nil {
		return in, err
	}
	if !in.Back && r.PostFormValue("name") != name {
		return in, wrongName(name)
	}
	return in, nil
}

// retired is the key of the sentence that says that it is done.
func retired(in api.RetireInput, what string) string {
	if in.Back {
		return what + ".back_done"
	}
	return what + ".retired_done"
}
