package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/webhook/connector"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) connectors(w http.ResponseWriter, r *http.Request) error {
	narrowing, list, err := narrowed(s, r, "connectors", api.ShelfFields, func(f api.ShelfFilter, p api.Page) (api.List[api.Connector], error) {
		return s.console.ListConnectors(r.Context(), actorOf(r), f, p)
	})
	if err != nil {
		return err
	}
	return s.show(w, r, view.Connectors(s.frame(r, "connectors"), narrowing, list))
}

func (s *Web) connectorNew(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseSaveConnector); err != nil {
		return err
	}
	return s.show(w, r, view.ConnectorNew(s.frame(r, "connectors"), api.SaveConnectorInput{System: connector.ServiceNow}, view.Problem{}))
}

func readConnector(r *http.Request) api.SaveConnectorInput {
	return api.SaveConnectorInput{
		Name: r.PostFormValue("name"), Title: r.PostFormValue("title"), System: connector.System(r.PostFormValue("system")),
		Method: connector.Method(r.PostFormValue("method")), Header: r.PostFormValue("header"), User: r.PostFormValue("user"), Secret: r.PostFormValue("secret"),
	}
}

// connectorCreate makes a connector and shows its secret, once.
func (s *Web) connectorCreate(w http.ResponseWriter, r *http.Request) error {
	in := readConnector(r)
	k, err := s.console.SaveConnector(r.Context(), actorOf(r), in)
	if err != nil {
		return s.again(w, r, err, view.ConnectorNew(s.frame(r, "connectors"), in, view.NewProblem(localeOf(r), err)))
	}
	return s.connectorWith(w, r, k.ID, func(p *view.ConnectorPage) { p.Secret = k.Secret }, nil)
}

func (s *Web) connector(w http.ResponseWriter, r *http.Request) error {
	return s.connectorWith(w, r, chi.URLParam(r, "id"), nil, nil)
}

// connectorWith shows a connector, changed by what a form that was refused had.
func (s *Web) connectorWith(w http.ResponseWriter, r *http.Request, id string, change func(*view.ConnectorPage), problem error) error {
	ctx, actor := r.Context(), actorOf(r)
	k, err := s.console.GetConnector(ctx, actor, id)
	if err != nil {
		return err
	}
	p := view.ConnectorPage{Connector: k, Typed: api.SaveConnectorInput{Name: k.Name, Title: k.Title, Method: k.Method, Header: k.Header, User: k.User}}
	base, err := s.console.PublicURL(ctx, s.url)
	if err != nil {
		return err
	}
	p.URL = base + k.HookPath()
	if p.Payloads, err = s.console.ListConnectorPayloads(ctx, actor, k.ID); err != nil {
		return err
	}
	if p.WriteBacks, err = s.console.ListWriteBacks(ctx, actor, k.ID, pageOf(r)); err != nil {
		return err
	}
	if p.History, err = s.history(r, "connector", k.ID); err != nil {
		return err
	}
	if change != nil {
		change(&p)
	}
	page := view.Connector(s.frame(r, "connectors"), p)
	if problem != nil {
		return s.again(w, r, problem, page)
	}
	return s.show(w, r, page)
}

func (s *Web) connectorSave(w http.ResponseWriter, r *http.Request) error {
	in := readConnector(r)
	in.ID = chi.URLParam(r, "id")
	var err error
	if in.Revision, err = revisionOf(r); err != nil {
		return err
	}
	k, err := s.console.SaveConnector(r.Context(), actorOf(r), in)
	if err != nil {
		return s.connectorWith(w, r, in.ID, func(p *view.ConnectorPage) { p.Typed, p.Problem = in, view.NewProblem(localeOf(r), err) }, err)
	}
	s.flash(r, localeOf(r).T("connector.saved", "title", k.Title))
	return see(w, r, "/connectors/"+k.ID)
}

// connectorSecret gives a connector another secret and shows it, once.
func (s *Web) connectorSecret(w http.ResponseWriter, r *http.Request) error {
	revision, err := revisionOf(r)
	if err != nil {
		return err
	}
	id := chi.URLParam(r, "id")
	k, err := s.console.RenewConnectorSecret(r.Context(), actorOf(r), id, r.PostFormValue("secret"), revision)
	return s.connectorWith(w, r, id, func(p *view.ConnectorPage) {
		p.Secret, p.SecretProblem = k.Secret, view.NewProblem(localeOf(r), err)
	}, err)
}

func (s *Web) connectorRetire(w http.ResponseWriter, r *http.Request) error {
	k, err := s.console.GetConnector(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	in, err := retiring(r, api.UseRetireConnector, k.ID, k.Name)
	if err == nil {
		_, err = s.console.RetireConnector(r.Context(), actorOf(r), in)
	}
	if err != nil {
		return s.connectorWith(w, r, k.ID, func(p *view.ConnectorPage) { p.Danger = view.NewProblem(localeOf(r), err) }, err)
	}
	s.flash(r, localeOf(r).T(retired(in, "connector"), "name", k.Title))
	return see(w, r, "/connectors/"+k.ID)
}

// connectorResend tells a ticket once more.
func (s *Web) connectorResend(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	told, err := s.console.ResendWriteBack(r.Context(), actorOf(r), id, chi.URLParam(r, "write_back"))
	if err != nil {
		return err
	}
	s.flash(r, localeOf(r).T("write_back.resent", "ticket", told.Ticket))
	return see(w, r, "/connectors/"+id)
}
