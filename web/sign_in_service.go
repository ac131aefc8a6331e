package web

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/oidc"
	"github.com/stickpress/stickpress/web/view"
)

// ServicePath is where the provider sends browsers back to; it must be among
// the redirect URIs that are registered there.
const ServicePath = "/sign-in/service/callback"

// serviceFlow is a sign-in at the provider that this browser has begun.
type serviceFlow struct {
	Flow  oidc.Flow
	Next  string
	Until time.Time
}

// servicePatience is how long somebody may take to sign in at the provider.
const servicePatience = 15 * time.Minute

// serviceBegin sends the browser to the provider. It is a link, since no form may
// lead to another site; another site's leads to ours, where it can be chosen.
func (s *Web) serviceBegin(w http.ResponseWriter, r *http.Request) error {
	if fromElsewhere(r) {
		return see(w, r, "/sign-in")
	}
	flow, err := s.console.BeginService(r.Context(), actorOf(r))
	if err != nil {
		return s.serviceFailed(w, r, err)
	}
	raw, err := json.Marshal(serviceFlow{Flow: flow, Next: localPath(r.FormValue("next")), Until: time.Now().Add(servicePatience)})
	if err != nil {
		return err
	}
	s.sessions.Put(r.Context(), keyService, raw)
	http.Redirect(w, r, flow.URL, http.StatusSeeOther)
	return nil
}

// serviceCallback takes the browser back from the provider. What it was sent
// away with is good for one answer.
func (s *Web) serviceCallback(w http.ResponseWriter, r *http.Request) error {
	var f serviceFlow
	raw := s.sessions.PopBytes(r.Context(), keyService)
	if len(raw) == 0 || json.Unmarshal(raw, &f) != nil || time.Now().After(f.Until) {
		return s.serviceFailed(w, r, fault.New(fault.KindUnauthenticated, oidc.CodeStale))
	}
	in, err := s.console.SignInService(r.Context(), actorOf(r), f.Flow, r.URL.Query())
	if err != nil {
		return s.serviceFailed(w, r, err)
	}
	return s.begin(w, r, in, f.Next)
}

// serviceFailed shows the sign-in page with what went wrong at the provider.
func (s *Web) serviceFailed(w http.ResponseWriter, r *http.Request, err error) error {
	return s.again(w, r, err, view.SignIn(s.frame(r, ""), view.SignInPage{Service: s.console.ServiceName(), Problem: view.NewProblem(localeOf(r), err)}))
}
