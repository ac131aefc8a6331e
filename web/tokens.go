package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/view"
)

// tokens lists one's own tokens, and everybody's for an admin.
func (s *Web) tokens(w http.ResponseWriter, r *http.Request) error {
	narrowing, list, err := narrowed(s, r, "tokens", api.TokenFields, func(f api.TokenFilter, p api.Page) (api.List[api.Token], error) {
		return s.console.ListTokens(r.Context(), actorOf(r), f, p)
	})
	if err != nil {
		return err
	}
	sites, err := s.console.ListSites(r.Context(), actorOf(r), api.ShelfFilter{}, api.Page{Limit: api.MaxPage})
	if err != nil {
		return err
	}
	return s.show(w, r, view.Tokens(s.frame(r, "tokens"), narrowing, list, sites.Items))
}

func (s *Web) tokensRevoke(w http.ResponseWriter, r *http.Request) error {
	if err := s.console.RevokeToken(r.Context(), actorOf(r), chi.URLParam(r, "id")); err != nil {
		return err
	}
	s.flash(r, localeOf(r).T("token.revoked_done"))
	return see(w, r, "/tokens")
}
