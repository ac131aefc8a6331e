package web

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

// publicRoutes are the pages for people who are not signed in.
func (s *Web) publicRoutes(r chi.Router) {
	r.Get("/sign-in", s.page(s.signInForm))
	r.Post("/sign-in", s.page(s.signIn))
	r.Get("/sign-in/code", s.page(s.signInCodeForm))
	r.Post("/sign-in/code", s.page(s.signInCode))
	r.Get("/sign-in/password", s.page(s.choosePasswordForm))
	r.Post("/sign-in/password", s.page(s.choosePassword))
	r.Get("/sign-in/service", s.page(s.serviceBegin))
	r.Get(ServicePath, s.page(s.serviceCallback))
	r.Post("/sign-out", s.page(s.signOut))
	r.Get("/sign-in/link", s.page(s.signInLinkForm))
	r.Post("/sign-in/link", s.page(s.signInLink))
	r.Get("/setup", s.page(s.setupForm))
	r.Post("/setup", s.page(s.setup))
	r.Post("/preferences", s.page(s.preferences))
	r.Get("/api/docs", s.page(s.apiDocs))
}

func (s *Web) signInForm(w http.ResponseWriter, r *http.Request) error {
	needed, err := s.console.SetupNeeded(r.Context())
	if err != nil {
		return err
	}
	if needed {
		return see(w, r, "/setup")
	}
	return s.show(w, r, view.SignIn(s.frame(r, ""), view.SignInPage{Next: r.FormValue("next"), Service: s.console.ServiceName()}))
}

func (s *Web) signIn(w http.ResponseWriter, r *http.Request) error {
	login, next := r.PostFormValue("login"), r.PostFormValue("next")
	in, err := s.console.SignIn(r.Context(), actorOf(r), api.SignInInput{Login: login, Password: r.PostFormValue("password")})
	if err != nil {
		return s.again(w, r, err, view.SignIn(s.frame(r, ""), view.SignInPage{
			Login: login, Next: next, Service: s.console.ServiceName(), Problem: view.NewProblem(localeOf(r), err),
		}))
	}
	return s.begin(w, r, in, next)
}

func (s *Web) signInCodeForm(w http.ResponseWriter, r *http.Request) error {
	if _, ok := s.pendingOf(r); !ok {
		return see(w, r, "/sign-in")
	}
	return s.show(w, r, view.SignInCode(s.frame(r, ""), view.Problem{}))
}

func (s *Web) signInCode(w http.ResponseWriter, r *http.Request) error {
	p, ok := s.pendingOf(r)
	if !ok {
		return see(w, r, "/sign-in")
	}
	in, err := s.console.SignInCode(r.Context(), actorOf(r), p.User, p.Method, r.PostFormValue("code"))
	if err != nil {
		return s.again(w, r, err, view.SignInCode(s.frame(r, ""), view.NewProblem(localeOf(r), err)))
	}
	return s.begin(w, r, in, p.Next)
}

// PasswordPath is where a link of CreatePasswordLink leads. The login is for the
// password manager alone.
func PasswordPath(secret, login string) string {
	return "/sign-in/password?token=" + url.QueryEscape(secret) + "&login=" + url.QueryEscape(login)
}

func (s *Web) choosePasswordForm(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r, view.ChoosePassword(s.frame(r, ""), r.FormValue("login"), r.FormValue("token"), view.Problem{}))
}

func (s *Web) choosePassword(w http.ResponseWriter, r *http.Request) error {
	secret := r.PostFormValue("token")
	in, err := s.console.ChoosePassword(r.Context(), actorOf(r), secret, r.PostFormValue("password"))
	if err != nil {
		return s.again(w, r, err, view.ChoosePassword(s.frame(r, ""), r.PostFormValue("username"), secret, view.NewProblem(localeOf(r), err)))
	}
	return s.begin(w, r, in, "/")
}

// signOut ends the session. Who came by the provider may sign out there as
// well: that takes a link, since no form may lead to another site.
func (s *Web) signOut(w http.ResponseWriter, r *http.Request) error {
	method, err := s.console.SignOut(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	if err := s.sessions.Destroy(r.Context()); err != nil {
		return err
	}
	w.Header().Set("Clear-Site-Data", `"cache"`) // what Back would show (goneBackTo)
	if method == api.MethodOIDC {
		at, err := s.console.PublicURL(r.Context(), s.url)
		if err != nil {
			return err
		}
		if there := s.console.ServiceSignOut(r.Context(), at+"/sign-in"); there != "" {
			f := s.frame(r, "")
			f.SignedIn = false
			return s.show(w, r, view.ServiceSignedOut(f, s.console.ServiceName(), there))
		}
	}
	return see(w, r, "/sign-in")
}

func (s *Web) signInLinkForm(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r, view.SignInLink(s.frame(r, ""), r.FormValue("token"), view.Problem{}))
}

func (s *Web) signInLink(w http.ResponseWriter, r *http.Request) error {
	secret := r.PostFormValue("token")
	in, err := s.console.RedeemSignInLink(r.Context(), actorOf(r), secret)
	if err != nil {
		return s.again(w, r, err, view.SignInLink(s.frame(r, ""), secret, view.NewProblem(localeOf(r), err)))
	}
	return s.begin(w, r, in, "/")
}

func (s *Web) setupForm(w http.ResponseWriter, r *http.Request) error {
	needed, err := s.console.SetupNeeded(r.Context())
	if err != nil {
		return err
	}
	if !needed {
		return see(w, r, "/sign-in")
	}
	token := r.FormValue("token")
	if token == "" {
		return s.show(w, r, view.SetupWaiting(s.frame(r, "")))
	}
	return s.show(w, r, view.Setup(s.frame(r, ""), token, "", "", view.Problem{}))
}

func (s *Web) setup(w http.ResponseWriter, r *http.Request) error {
	in := api.SetupInput{
		Token: r.PostFormValue("token"), Login: r.PostFormValue("login"),
		Name: r.PostFormValue("name"), Password: r.PostFormValue("password"),
	}
	done, err := s.console.Setup(r.Context(), actorOf(r), in)
	if err != nil {
		return s.again(w, r, err, view.Setup(s.frame(r, ""), in.Token, in.Login, in.Name, view.NewProblem(localeOf(r), err)))
	}
	s.flash(r, localeOf(r).T("setup.done"))
	return s.begin(w, r, done, "/first-run")
}

// maxChoice bounds what is kept of a preference: no language or theme is longer.
const maxChoice = 16

// preferences keeps the choice of language, theme or shortcuts in a cookie.
func (s *Web) preferences(w http.ResponseWriter, r *http.Request) error {
	for _, name := range []string{cookieTheme, cookieLocale, cookieKeys} {
		if value := r.PostForm.Get(name); r.PostForm.Has(name) && len(value) <= maxChoice {
			http.SetCookie(w, &http.Cookie{
				Name: name, Value: value, Path: "/", MaxAge: 365 * 24 * 3600,
				HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.sessions.Cookie.Secure,
			})
		}
	}
	return see(w, r, localPath(r.PostForm.Get("back")))
}

// again shows a form once more with what was typed and what is wrong with it.
// An error that is nobody's fault goes to the fault page instead.
func (s *Web) again(w http.ResponseWriter, r *http.Request, err error, c templ.Component) error {
	f := fault.From(err)
	if f.Kind == fault.KindInternal {
		return err
	}
	s.render(w, r, f.Kind.Status(), c)
	return nil
}

// localPath keeps redirects on this console: anything else becomes "/".
// Browsers read a backslash as a slash and skip control characters, so
// neither may occur.
func localPath(path string) string {
	u, err := url.Parse(path)
	odd := strings.ContainsFunc(path, func(c rune) bool { return c == '\\' || unicode.IsControl(c) })
	if err != nil || odd || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return "/"
	}
	return path
}
