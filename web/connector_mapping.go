package web

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/webhook/connector"
	"github.com/stickpress/stickpress/web/view"
)

// connectorMapping shows the mapping beside what it makes of the last delivery.
func (s *Web) connectorMapping(w http.ResponseWriter, r *http.Request) error {
	p, err := s.mappingPage(r)
	if err != nil {
		return err
	}
	p.Mapping = p.Connector.Mapping
	if p.Document != "" {
		if err := s.tryMapping(r, &p); err != nil {
			p.Problem = view.NewProblem(localeOf(r), err)
		}
	}
	return s.show(w, r, view.ConnectorMapping(s.frame(r, "connectors"), p))
}

// mappingPage reads a connector and the delivery to try its mapping on: the one
// that was chosen, or the last one.
func (s *Web) mappingPage(r *http.Request) (view.MappingPage, error) {
	ctx, actor := r.Context(), actorOf(r)
	if err := needs(r, api.UseSaveConnector); err != nil {
		return view.MappingPage{}, err
	}
	k, err := s.console.GetConnector(ctx, actor, chi.URLParam(r, "id"))
	if err != nil {
		return view.MappingPage{}, err
	}
	p := view.MappingPage{Connector: k, Chosen: r.FormValue("payload"), Names: map[string][]string{}}
	if p.Payloads, err = s.console.ListConnectorPayloads(ctx, actor, k.ID); err != nil {
		return p, err
	}
	for _, x := range p.Payloads {
		if p.Chosen == "" || x.ID == p.Chosen {
			p.Chosen, p.Document = x.ID, x.Document
			break
		}
	}
	for _, object := range []string{"image", "site", "host"} {
		if p.Names[object], err = s.console.Names(ctx, actor, object); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (s *Web) tryMapping(r *http.Request, p *view.MappingPage) error {
	test, err := s.console.TestConnectorMapping(r.Context(), actorOf(r), p.Connector.ID, p.Mapping, p.Document)
	if err == nil {
		p.Test = &test
	}
	return err
}

// connectorMappingSave tries a mapping, or keeps it.
func (s *Web) connectorMappingSave(w http.ResponseWriter, r *http.Request) error {
	p, err := s.mappingPage(r)
	if err != nil {
		return err
	}
	revision, err := revisionOf(r)
	if err != nil {
		return err
	}
	p.Mapping = connector.Mapping{}
	for _, field := range connector.Fields {
		p.Mapping[field] = connector.Source{
			Path: strings.TrimSpace(r.PostFormValue("path_" + field)), Otherwise: strings.TrimSpace(r.PostFormValue("otherwise_" + field)),
			Table: view.ReadPairs(r.PostFormValue("table_" + field)),
		}
	}
	if typed := strings.TrimSpace(r.PostFormValue("document")); typed != "" {
		p.Typed, p.Document = typed, typed
	}
	if r.PostFormValue("do") == "test" {
		if err := s.tryMapping(r, &p); err != nil {
			p.Problem = view.NewProblem(localeOf(r), err)
			return s.again(w, r, err, view.ConnectorMapping(s.frame(r, "connectors"), p))
		}
		return s.show(w, r, view.ConnectorMapping(s.frame(r, "connectors"), p))
	}
	if _, err := s.console.SaveConnectorMapping(r.Context(), actorOf(r), p.Connector.ID, p.Mapping, revision); err != nil {
		p.Problem = view.NewProblem(localeOf(r), err)
		return s.again(w, r, err, view.ConnectorMapping(s.frame(r, "connectors"), p))
	}
	s.flash(r, localeOf(r).T("mapping.saved"))
	return see(w, r, "/connectors/"+p.Connector.ID+"/mapping")
}
