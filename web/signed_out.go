package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/stickpress/stickpress/web/view"
)

// signedOut answers a form that was sent after its session had ended: what was
// typed is on the page, to be sent again after signing in. Secrets are not, and
// files cannot be.
func (s *Web) signedOut(w http.ResponseWriter, r *http.Request) error {
	var kept []view.KeptField
	for name, values := range r.PostForm {
		if strings.Contains(name, "password") || name == "current" || name == "code" {
			continue
		}
		for _, v := range values {
			kept = append(kept, view.KeptField{Name: name, Value: v})
		}
	}
	slices.SortStableFunc(kept, func(a, b view.KeptField) int { return strings.Compare(a.Name, b.Name) })
	file := carriesImage(r) || r.MultipartForm != nil && len(r.MultipartForm.File) > 0
	s.render(w, r, http.StatusUnauthorized, view.SignedOut(s.frame(r, ""), r.URL.Path, kept, file))
	return nil
}
