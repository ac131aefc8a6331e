package web

import (
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/view"
)

// versions lists the versions of all images.
func (s *Web) versions(w http.ResponseWriter, r *http.Request) error {
	narrowing, list, err := narrowed(s, r, "versions", api.VersionFields, func(f api.VersionFilter, p api.Page) (api.List[api.Version], error) {
		return s.console.ListVersions(r.Context(), actorOf(r), f, p)
	})
	if err != nil {
		return err
	}
	return s.show(w, r, view.Versions(s.frame(r, "images"), narrowing, list))
}
