package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) account(w http.ResponseWriter, r *http.Request) error {
	return s.accountWith(w, r, &view.AccountPage{}, nil)
}

// accountWith shows a person's own page, with what has just been made or what
// went wrong in one of its forms.
func (s *Web) accountWith(w http.ResponseWriter, r *http.Request, p *view.AccountPage, problem error) error {
	ctx, actor := r.Context(), actorOf(r)
	p.Problem = view.NewProblem(localeOf(r), problem)
	var err error
	if p.User, err = s.console.GetUser(ctx, actor, actor.UserID); err != nil {
		return err
	}
	if p.Sites, err = s.allSites(r); err != nil {
		return err
	}
	if p.Factor, err = s.console.GetSecondFactor(ctx, actor); err != nil {
		return err
	}
	if p.Sessions, err = s.console.ListSessions(ctx, actor, actor.UserID); err != nil {
		return err
	}
	if p.Tokens, err = s.console.ListTokens(ctx, actor, api.TokenFilter{Owner: actor.Name}, pageOf(r)); err != nil {
		return err
	}
	page := view.Account(s.frame(r, "account"), *p)
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

func (s *Web) passwordChange(w http.ResponseWriter, r *http.Request) error {
	err := s.console.ChangePassword(r.Context(), actorOf(r), r.PostFormValue("current"), r.PostFormValue("password"))
	if err != nil {
		return s.accountWith(w, r, &view.AccountPage{Part: "password"}, err)
	}
	s.flash(r, localeOf(r).T("account.password_changed"))
	return see(w, r, "/account")
}

func (s *Web) secondFactorBegin(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.console.BeginTOTP(r.Context(), actorOf(r)); err != nil {
		return s.accountWith(w, r, &view.AccountPage{Part: "second-factor"}, err)
	}
	return see(w, r, "/account/second-factor")
}

func (s *Web) secondFactor(w http.ResponseWriter, r *http.Request) error {
	return s.secondFactorWith(w, r, nil)
}

func (s *Web) secondFactorWith(w http.ResponseWriter, r *http.Request, problem error) error {
	secret, err := s.console.PendingTOTP(r.Context(), actorOf(r))
	if err != nil {
		return see(w, r, "/account") // it is on already, or was never begun
	}
	u, err := s.console.GetUser(r.Context(), actorOf(r), actorOf(r).UserID)
	if err != nil {
		return err
	}
	page := view.SecondFactor(s.frame(r, "account"), secret, u.HasPassword, view.NewProblem(localeOf(r), problem))
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

func (s *Web) secondFactorConfirm(w http.ResponseWriter, r *http.Request) error {
	codes, err := s.console.ConfirmTOTP(r.Context(), actorOf(r), r.PostFormValue("current"), r.PostFormValue("code"))
	if err != nil {
		return s.secondFactorWith(w, r, err)
	}
	return s.show(w, r, view.RecoveryCodes(s.frame(r, "account"), codes))
}

func (s *Web) secondFactorOff(w http.ResponseWriter, r *http.Request) error {
	if err := s.console.DisableTOTP(r.Context(), actorOf(r), r.PostFormValue("current")); err != nil {
		return s.accountWith(w, r, &view.AccountPage{Part: "second-factor"}, err)
	}
	s.flash(r, localeOf(r).T("totp.turned_off"))
	return see(w, r, "/account")
}

func (s *Web) recoveryCodesRenew(w http.ResponseWriter, r *http.Request) error {
	codes, err := s.console.RenewRecoveryCodes(r.Context(), actorOf(r), r.PostFormValue("current"))
	if err != nil {
		return s.accountWith(w, r, &view.AccountPage{Part: "second-factor"}, err)
	}
	return s.show(w, r, view.RecoveryCodes(s.frame(r, "account"), codes))
}

func (s *Web) sessionEnd(w http.ResponseWriter, r *http.Request) error {
	if err := s.console.EndSession(r.Context(), actorOf(r), actorOf(r).UserID, chi.URLParam(r, "id")); err != nil {
		return err
	}
	s.flash(r, localeOf(r).T("session.ended"))
	return see(w, r, "/account")
}

func (s *Web) sessionsEnd(w http.ResponseWriter, r *http.Request) error {
	if err := s.console.EndSessions(r.Context(), actorOf(r), actorOf(r).UserID); err != nil {
		return err
	}
	s.flash(r, localeOf(r).T("session.ended_others"))
	return see(w, r, "/account")
}

func (s *Web) tokenCreate(w http.ResponseWriter, r *http.Request) error {
	form := view.TokenForm{
		Name: r.PostFormValue("name"), Role: api.Role(r.PostFormValue("role")), Days: r.PostFormValue("days"), Sites: r.PostForm["site"],
		Scopes: tokenScopes(r),
	}
	ttl, wrong := daysOf(form.Days)
	made, err := s.console.CreateToken(r.Context(), actorOf(r).Refused(wrong), api.CreateTokenInput{
		Name: form.Name, Role: form.Role, Sites: form.Sites, Scopes: form.Scopes, TTL: ttl,
	})
	if err := fault.All(err, wrong); err != nil {
		return s.accountWith(w, r, &view.AccountPage{Part: "token", Form: form}, err)
	}
	return s.accountWith(w, r, &view.AccountPage{Made: &made}, nil)
}

// tokenScopes are the scopes that were ticked in a form.
func tokenScopes(r *http.Request) (out []api.TokenScope) {
	for _, scope := range r.PostForm["scope"] {
		out = append(out, api.TokenScope(scope))
	}
	return out
}

// maxDays is what a duration can hold, roughly.
const maxDays = 100_000

// daysOf reads a lifetime in days; nothing typed is for ever.
func daysOf(text string) (time.Duration, error) {
	if text = strings.TrimSpace(text); text == "" {
		return 0, nil
	}
	days, err := strconv.Atoi(text)
	if err != nil || days < 1 || days > maxDays {
		return 0, fault.Wrap(err, fault.KindInvalid, api.CodeLifetime).At("days")
	}
	return time.Duration(days) * 24 * time.Hour, nil
}
