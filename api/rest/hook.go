package rest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/connector"
)

// hook takes what a ticket system sends. It is outside of what wants a token,
// since each system proves itself in its own way, and outside of huma, since
// that would read the body in ours.
func (s *REST) hook(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyPatience)) // tests have none
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, connector.MaxBody))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		RenderFault(w, r, fault.New(fault.KindTooLarge, connector.CodeBodyTooLarge, "max_bytes", connector.MaxBody))
		return
	case err != nil:
		RenderFault(w, r, fault.Wrap(err, fault.KindInvalid, codeMalformed))
		return
	}
	result, err := s.console.ReceiveHook(r.Context(), requestOf(r.Context()).actor, api.HookDelivery{
		Connector: chi.URLParam(r, "connector"), Header: r.Header, Body: body,
	})
	if err != nil {
		f := s.refusal(r.Context(), err)
		if f.Kind == fault.KindUnauthenticated {
			w.Header().Set("WWW-Authenticate", `Basic realm="stickpress", charset="UTF-8"`)
		}
		RenderFault(w, r, f)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if result.Request != nil {
		w.Header().Set("Location", Prefix+"/stick-requests/"+result.Request.ID)
	}
	if result.Outcome == api.HookRequested {
		w.WriteHeader(http.StatusAccepted)
	}
	_ = json.NewEncoder(w).Encode(result) // the reader is gone if this fails
}

// hookRoutes describes it.
func (s *REST) hookRoutes() {
	answer := func(description string) *huma.Response {
		return &huma.Response{
			Description: description,
			Headers:     map[string]*huma.Param{"Location": {Schema: &huma.Schema{Type: huma.TypeString}, Description: "The request, if the ticket has one."}},
			Content:     map[string]*huma.MediaType{"application/json": {Schema: schemaOf[api.HookResult](s)}},
		}
	}
	whatever := &huma.MediaType{Schema: &huma.Schema{}}
	op := &huma.Operation{
		Method: http.MethodPost, Path: "/hooks/{connector}", OperationID: "receive_hook", Tags: []string{"connectors"},
		Summary: "What a ticket system sends",
		Description: "JSON of any shape, or a form, of at most 1 MiB, verified as the connector says; its mapping makes a request of it. " +
			"A ticket has one request: sent again it answers with that. Whatever is not proved is refused alike (401), be there such a connector or not.",
		Parameters: []*huma.Param{{Name: "connector", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}, Description: "Name of a connector."}},
		RequestBody: &huma.RequestBody{Content: map[string]*huma.MediaType{
			"application/json": whatever, "application/x-www-form-urlencoded": whatever,
		}},
		Responses: map[string]*huma.Response{
			"202": answer("There is a new open request; a person chooses the sticks."), "200": answer("What came of it otherwise: see outcome."),
		},
	}
	op.Security = needsNoToken // each system proves itself in its own way
	s.complete(op)
	s.huma.OpenAPI().AddOperation(op)
}
