package web

import (
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

// ui shows admins every component of the pages in every state: what to build a
// page from, and where to look when one of them is changed.
func (s *Web) ui(w http.ResponseWriter, r *http.Request) error {
	if !actorOf(r).Role.Includes(api.RoleAdmin) {
		return fault.New(fault.KindForbidden, api.CodeForbidden, "action", "ui", "role", api.RoleAdmin)
	}
	return s.show(w, r, view.UI(s.frame(r, "")))
}
