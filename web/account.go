package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) account(w http.ResponseWriter, r *http.Request) error {
	return s.accountWith(w, r, nil, nil)
}

func (s *Web) accountWith(w http.ResponseWriter, r *http.Request, made *api.NewToken, problem error) error {
	user, err := s.console.GetUser(r.Context(), actorOf(r), actorOf(r).UserID)
	if err != nil {
		return err
	}
	tokens, err := s.console.ListTokens(r.Context(), actorOf(r), api.TokenFilter{}, pageOf(r))
	if err != nil {
		return err
	}
	page := view.Account(s.frame(r, "account"), user, tokens, made, view.NewProblem(localeOf(r), problem))
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

func (s *Web) tokenCreate(w http.ResponseWriter, r *http.Request) error {
	days, _ := strconv.Atoi(r.PostFormValue("days")) // what is no number does not expire
	made, err := s.console.CreateToken(r.Context(), actorOf(r), api.CreateTokenInput{
		Name: r.PostFormValue("name"), Role: api.Role(r.PostFormValue("role")), TTL: time.Duration(days) * 24 * time.Hour,
	})
	if err != nil {
		return s.accountWith(w, r, nil, err)
	}
	return s.accountWith(w, r, &made, nil)
}

func (s *Web) tokenRevoke(w http.ResponseWriter, r *http.Request) error {
	if err := s.console.RevokeToken(r.Context(), actorOf(r), chi.URLParam(r, "id")); err != nil {
		return err
	}
	s.flash(r, localeOf(r).T("token.revoked_done"))
	return see(w, r, "/account")
}
