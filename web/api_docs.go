package web

import (
	"net/http"

	"github.com/stickpress/stickpress/web/view"
)

// apiDocs is the API's document as pages. The document is public, and so are
// they. Scalar, which draws them, adds style sheets as it goes: this page alone
// allows that.
func (s *Web) apiDocs(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Security-Policy", policy("'unsafe-inline'"))
	return s.show(w, r, view.APIDocs(s.frame(r, "")))
}
