package web

import (
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

// pair is where a person answers a program that asks for a token: by its code,
// which the program's own link fills in.
func (s *Web) pair(w http.ResponseWriter, r *http.Request) error {
	return s.pairWith(w, r, view.PairForm{Code: r.FormValue("code"), Days: "90"}, nil)
}

// pairWith shows what asks, if it still does, with an answer that was refused; or
// the form for a code.
func (s *Web) pairWith(w http.ResponseWriter, r *http.Request, form view.PairForm, problem error) error {
	var p *api.Pairing
	if form.Code != "" {
		found, err := s.console.GetPairing(r.Context(), actorOf(r), form.Code)
		if err == nil {
			p = &found
		} else {
			form, problem = view.PairForm{Code: form.Code, Days: form.Days}, err
		}
	}
	page := view.Pair(s.frame(r, "account"), p, form, actorOf(r).Role, view.NewProblem(localeOf(r), problem))
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

func (s *Web) pairAnswer(w http.ResponseWriter, r *http.Request) error {
	form := view.PairForm{Code: r.PostFormValue("code"), Role: api.Role(r.PostFormValue("role")), Days: r.PostFormValue("days"), Scopes: tokenScopes(r)}
	in := api.AnswerPairingInput{Code: form.Code, Deny: r.PostFormValue("answer") == "deny", Role: form.Role, Scopes: form.Scopes}
	var wrong error
	if !in.Deny {
		in.TTL, wrong = daysOf(form.Days)
	}
	p, err := s.console.AnswerPairing(r.Context(), actorOf(r).Refused(wrong), in)
	if err := fault.All(err, wrong); err != nil {
		return s.pairWith(w, r, form, err)
	}
	if in.Deny {
		s.flash(r, localeOf(r).T("pair.denied", "client", p.Client))
		return see(w, r, "/account#tokens")
	}
	return s.show(w, r, view.Paired(s.frame(r, "account"), p))
}
