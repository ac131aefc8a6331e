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
	sites, err := s.allSites(r)
	if err != nil {
		return err
	}
	return s.show(w, r, view.Tokens(s.frame(r, "tokens"), narrowing, list, sites))
}

func (s *Web) token(w http.ResponseWriter, r *http.Request) error {
	return s.tokenWith(w, r, nil)
}

func (s *Web) tokenWith(w http.ResponseWriter, r *http.Request, problem error) error {
	t, err := s.console.GetToken(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	p := view.TokenPage{Token: t, Problem: view.NewProblem(localeOf(r), problem)}
	if p.Sites, err = s.allSites(r); err != nil {
		return err
	}
	if p.History, err = s.history(r, "token", t.ID); err != nil {
		return err
	}
	page := view.Token(s.frame(r, "tokens"), p)
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

// tokenRevoke ends a token after its name was typed.
func (s *Web) tokenRevoke(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseRevokeToken); err != nil {
		return err
	}
	t, err := s.console.GetToken(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	if r.PostFormValue("name") != t.Name {
		return s.tokenWith(w, r, wrongName(t.Name))
	}
	if err := s.console.RevokeToken(r.Context(), actorOf(r), t.ID); err != nil {
		return s.tokenWith(w, r, err)
	}
	s.flash(r, localeOf(r).T("token.revoked_done"))
	return see(w, r, "/tokens/"+t.ID)
}
