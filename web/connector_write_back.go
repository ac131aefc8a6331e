package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/webhook/connector"
	"github.com/stickpress/stickpress/web/view"
)

// connectorWriteBack shows what a connector's tickets are told, or what is
// usual for its system.
func (s *Web) connectorWriteBack(w http.ResponseWriter, r *http.Request) error {
	p, err := s.writeBackPage(r)
	if err != nil {
		return err
	}
	if p.Connector.WriteBack != nil {
		p.Config = *p.Connector.WriteBack
	} else {
		p.Config = api.WriteBackConfig{
			Template: p.Connector.System.DefaultReply(), Auth: api.DefaultAuth(p.Connector.System),
			Events: []string{connector.EventQueued, connector.EventVerified, connector.EventFailed, connector.EventDeclined},
		}
	}
	if p.Previews, err = s.console.TestWriteBack(r.Context(), actorOf(r), p.Config.Template); err != nil {
		p.Problem = view.NewProblem(localeOf(r), err)
	}
	return s.show(w, r, view.ConnectorWriteBack(s.frame(r, "connectors"), p))
}

func (s *Web) writeBackPage(r *http.Request) (view.WriteBackPage, error) {
	if err := needs(r, api.UseSaveConnector); err != nil {
		return view.WriteBackPage{}, err
	}
	k, err := s.console.GetConnector(r.Context(), actorOf(r), chi.URLParam(r, "id"))
	return view.WriteBackPage{Connector: k}, err
}

// connectorWriteBackSave shows what would be sent, keeps it, or ends it.
func (s *Web) connectorWriteBackSave(w http.ResponseWriter, r *http.Request) error {
	p, err := s.writeBackPage(r)
	if err != nil {
		return err
	}
	in := api.SaveWriteBackInput{ID: p.Connector.ID, Secret: r.PostFormValue("secret"), ClientSecret: r.PostFormValue("client_secret")}
	if in.Revision, err = revisionOf(r); err != nil {
		return err
	}
	value := r.PostFormValue
	p.Config = api.WriteBackConfig{
		Template: connector.Reply{Method: value("method"), URL: value("url"), ContentType: value("content_type"), Body: value("body")},
		Events:   r.PostForm["event"],
		Auth: api.WriteBackAuth{
			Kind: api.AuthKind(value("auth")), User: value("user"), Header: value("header"),
			TokenURL: value("token_url"), ClientID: value("client_id"), ClientAuth: api.ClientAuth(value("client_auth")), Scope: value("scope"),
		},
	}
	var failed error
	p.Previews, failed = s.console.TestWriteBack(r.Context(), actorOf(r), p.Config.Template)
	done := "write_back.saved"
	switch value("do") {
	case "test":
		if failed == nil {
			return s.show(w, r, view.ConnectorWriteBack(s.frame(r, "connectors"), p))
		}
	case "off":
		done = "write_back.ended"
		_, failed = s.console.SaveWriteBack(r.Context(), actorOf(r), in)
	default:
		in.Config = &p.Config
		_, failed = s.console.SaveWriteBack(r.Context(), actorOf(r), in)
	}
	if failed != nil {
		p.Problem = view.NewProblem(localeOf(r), failed)
		return s.again(w, r, failed, view.ConnectorWriteBack(s.frame(r, "connectors"), p))
	}
	s.flash(r, localeOf(r).T(done))
	return see(w, r, "/connectors/"+p.Connector.ID+"/write-back")
}
