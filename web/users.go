package web

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) users(w http.ResponseWriter, r *http.Request) error {
	narrowing, list, err := narrowed(s, r, "users", api.UserFields, func(f api.UserFilter, p api.Page) (api.List[api.User], error) {
		return s.console.ListUsers(r.Context(), actorOf(r), f, p)
	})
	if err != nil {
		return err
	}
	sites, err := s.allSites(r)
	if err != nil {
		return err
	}
	return s.show(w, r, view.Users(s.frame(r, "users"), narrowing, sites, list))
}

func (s *Web) userNew(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseCreateUser); err != nil {
		return err
	}
	p := view.UserPage{Form: view.UserForm{Role: api.RoleHelpdesk, Everywhere: !actorOf(r).Limited()}}
	var err error
	if p.Sites, err = s.allSites(r); err != nil {
		return err
	}
	return s.show(w, r, view.UserNew(s.frame(r, "users"), p))
}

// userForm reads what was typed.
func userForm(r *http.Request) view.UserForm {
	return view.UserForm{
		Login: r.PostFormValue("login"), Name: r.PostFormValue("name"), Role: api.Role(r.PostFormValue("role")),
		Everywhere: r.PostFormValue("everywhere") == "yes", Sites: r.PostForm["site"],
	}
}

func (s *Web) userCreate(w http.ResponseWriter, r *http.Request) error {
	f := userForm(r)
	if err := needs(r, api.UseCreateUser); err != nil {
		return err
	}
	wrong := chosen(f.Everywhere, f.Sites, noSites())
	u, err := s.console.CreateUser(r.Context(), actorOf(r).Refused(wrong), api.CreateUserInput{Login: f.Login, Name: f.Name, Role: f.Role, Sites: f.Sites})
	if err := fault.All(wrong, err); err != nil {
		p := view.UserPage{Form: f, Problem: view.NewProblem(localeOf(r), err)}
		var failed error
		if p.Sites, failed = s.allSites(r); failed != nil {
			return failed
		}
		return s.again(w, r, err, view.UserNew(s.frame(r, "users"), p))
	}
	return s.userLink(w, r, u.ID)
}

func (s *Web) user(w http.ResponseWriter, r *http.Request) error {
	return s.userWith(w, r, chi.URLParam(r, "id"), "", view.UserPage{}, nil)
}

// userWith shows a person, with what has just been made or went wrong.
func (s *Web) userWith(w http.ResponseWriter, r *http.Request, id, part string, p view.UserPage, problem error) error {
	ctx, actor := r.Context(), actorOf(r)
	if err := needs(r, api.UseListUsers); err != nil {
		return err
	}
	var err error
	if p.User, err = s.console.GetUser(ctx, actor, id); err != nil {
		return err
	}
	if p.Sessions, err = s.console.ListSessions(ctx, actor, id); err != nil {
		return err
	}
	if p.Sites, err = s.allSites(r); err != nil {
		return err
	}
	if p.History, err = s.history(r, "user", id); err != nil {
		return err
	}
	if part != "form" {
		p.Form = view.UserForm{Name: p.User.Name, Role: p.User.Role, Sites: p.User.Sites, Everywhere: len(p.User.Sites) == 0}
	}
	p.Part, p.Problem = part, view.NewProblem(localeOf(r), problem)
	page := view.User(s.frame(r, "users"), p)
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

func (s *Web) userSave(w http.ResponseWriter, r *http.Request) error {
	id, f := chi.URLParam(r, "id"), userForm(r)
	if err := needs(r, api.UseUpdateUser); err != nil {
		return err
	}
	revision, err := revisionOf(r)
	if err != nil {
		return err
	}
	wrong := chosen(f.Everywhere, f.Sites, noSites())
	_, err = s.console.UpdateUser(r.Context(), actorOf(r).Refused(wrong), api.UpdateUserInput{
		ID: id, Name: f.Name, Role: f.Role, Sites: f.Sites, Revision: revision,
	})
	if err := fault.All(wrong, err); err != nil {
		return s.userWith(w, r, id, "form", view.UserPage{Form: f}, err)
	}
	s.flash(r, localeOf(r).T("user.saved"))
	return see(w, r, "/users/"+id)
}

// userAct makes the handler of a form that does one thing to a person; part is
// where the page says what went wrong.
func (s *Web) userAct(part, done string, act func(r *http.Request, id string) error) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		id := chi.URLParam(r, "id")
		if err := act(r, id); err != nil {
			return s.userWith(w, r, id, part, view.UserPage{}, err)
		}
		s.flash(r, localeOf(r).T(done))
		return see(w, r, "/users/"+id)
	}
}

// loginTyped refuses what shuts a person out unless their login was typed.
func (s *Web) loginTyped(r *http.Request, u api.UseCase, id string) error {
	if err := needs(r, u); err != nil {
		return err
	}
	x, err := s.console.GetUser(r.Context(), actorOf(r), id)
	if err == nil && r.PostFormValue("name") != x.Login {
		err = wrongName(x.Login)
	}
	return err
}

func (s *Web) userDisable(r *http.Request, id string) error {
	if err := s.loginTyped(r, api.UseDisableUser, id); err != nil {
		return err
	}
	_, err := s.console.SetUserDisabled(r.Context(), actorOf(r), id, true)
	return err
}

func (s *Web) userEnable(r *http.Request, id string) error {
	_, err := s.console.SetUserDisabled(r.Context(), actorOf(r), id, false)
	return err
}

func (s *Web) userUnlock(r *http.Request, id string) error {
	_, err := s.console.UnlockUser(r.Context(), actorOf(r), id)
	return err
}

func (s *Web) userResetTOTP(r *http.Request, id string) error {
	if err := s.loginTyped(r, api.UseResetTOTP, id); err != nil {
		return err
	}
	_, err := s.console.ResetTOTP(r.Context(), actorOf(r), id)
	return err
}

func (s *Web) userEndSession(r *http.Request, id string) error {
	return s.console.EndSession(r.Context(), actorOf(r), id, chi.URLParam(r, "session"))
}

func (s *Web) userEndSessions(r *http.Request, id string) error {
	return s.console.EndSessions(r.Context(), actorOf(r), id)
}

func (s *Web) userPasswordLink(w http.ResponseWriter, r *http.Request) error {
	return s.userLink(w, r, chi.URLParam(r, "id"))
}

// userLink makes a link by which a person chooses a password and shows it,
// once.
func (s *Web) userLink(w http.ResponseWriter, r *http.Request, id string) error {
	link, err := s.console.CreatePasswordLink(r.Context(), actorOf(r), id)
	if err != nil {
		return s.userWith(w, r, id, "act", view.UserPage{}, err)
	}
	u, err := s.console.GetUser(r.Context(), actorOf(r), id)
	if err != nil {
		return err
	}
	at, err := s.console.PublicURL(r.Context(), s.url)
	if err != nil {
		return err
	}
	return s.userWith(w, r, id, "", view.UserPage{
		Link: at + PasswordPath(link.Secret, u.Login), LinkEnds: link.ExpiresAt.Truncate(time.Minute),
	}, nil)
}
