// Package rest is the console's door for programs: /api/v1.
//
// One file holds one kind of thing (job.go, image.go, …): its operations, each
// of which decodes a request, calls one use case of package api and answers
// with its view. huma checks requests against the OpenAPI document that the
// same Go types make, and serves it; the tests hold every answer to it.
//
// A request carries a token. Whatever is refused is answered with a
// wire.Problem, from a missing token to an unknown path: problem.go is the one
// place where faults become statuses and sentences.
//
// What an operation is, its first line says (operation.go): get, create, put,
// patch, remove, action or work. A changeable thing has an ETag made of its
// revision; a PUT, PATCH or DELETE has a Match (match.go): without If-Match it is
// refused (428), and with one that somebody's change has overtaken (412). Lists
// page by key (page.go): next_cursor and the Link header lead on. Work is
// answered before it is done (answer.go): 202, where it is to be seen, and when
// it is worth while to look. Every POST may be repeated with a key
// (idempotency.go), for which an operation does nothing but say which parts of its
// answer are secrets.
package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// Prefix is where Mount puts the API, UploadPath where its uploads are made.
const (
	Prefix     = wire.Prefix
	UploadPath = Prefix + "/uploads/"
)

// Deps is what the door needs.
type Deps struct {
	Console *api.Console
	// Uploads is an upload.Handler with BasePath UploadPath, Actor ActorOf and
	// Render RenderFault.
	Uploads http.Handler
	Logger  *slog.Logger
	// URL is what the server makes of its own address, without a slash at its
	// end; the console's setting public-url goes before it.
	URL string
}

// REST serves the API.
type REST struct {
	console    *api.Console
	log        *slog.Logger
	url        string
	mux        *chi.Mux
	huma       huma.API
	open       huma.API // the same document, without a token
	json, yaml []byte   // the OpenAPI document
	unnamed    []string // operations of which nobody knows whom they are for
}

// New returns the door.
func New(d Deps) (*REST, error) {
	if d.Console == nil || d.Uploads == nil || d.Logger == nil {
		return nil, errors.New("the REST API needs a console, an upload handler and a logger")
	}
	s := &REST{console: d.Console, log: d.Logger, url: d.URL, mux: chi.NewRouter()}
	s.mux.Use(s.begin, s.survive)
	s.mux.NotFound(notFound)
	s.mux.MethodNotAllowed(s.methodNotAllowed)
	s.mux.Post("/hooks/{connector}", s.hook)
	s.mux.Get("/openapi.json", s.document("application/json", &s.json))
	s.mux.Get("/openapi.yaml", s.document("application/yaml", &s.yaml))
	s.mux.Group(func(r chi.Router) {
		r.Use(s.authenticate, s.once)
		s.huma = humachi.New(r, config())
		s.open = open{s.huma, humachi.NewAdapter(s.mux)}
		s.routes()
		s.uploads(r, d.Uploads)
	})
	return s, s.freeze()
}

// Mount adds the API to a router, below Prefix.
func (s *REST) Mount(r chi.Router) { r.Mount(Prefix, s.mux) }

// routes registers every operation, in the order of the document.
func (s *REST) routes() {
	s.overviewRoutes()
	s.searchRoutes()
	s.jobRoutes()
	s.jobEventRoutes()
	s.eventRoutes()
	s.webhookRoutes()
	s.estimateRoutes()
	s.batchRoutes()
	s.buildRoutes()
	s.exclusionRoutes()
	s.imageRoutes()
	s.channelRoutes()
	s.versionRoutes()
	s.blockMapRoutes()
	s.uploadRoutes()
	s.hostRoutes()
	s.updateHost()
	s.hostPortRoutes()
	s.siteRoutes()
	s.stickRoutes()
	s.stickLifeRoutes()
	s.labelRoutes()
	s.templateRoutes()
	s.taskSequenceRoutes()
	s.retireRoutes()
	s.historyRoutes()
	s.tokenRoutes()
	s.pairingRoutes()
	s.userRoutes()
	s.userChangeRoutes()
	s.viewRoutes()
	s.settingRoutes()
	s.firstRunRoutes()
	s.auditRoutes()
	s.connectorRoutes()
	s.stickRequestRoutes()
	s.hookRoutes()
}

// freeze writes the document down, once all operations are in it.
func (s *REST) freeze() error {
	if len(s.unnamed) > 0 {
		return fmt.Errorf("operations without a use case: %v", s.unnamed)
	}
	doc := s.huma.OpenAPI()
	// huma's own error types: every refusal is a Problem instead.
	for _, name := range []string{"ErrorModel", "ErrorDetail"} {
		delete(doc.Components.Schemas.Map(), name)
	}
	var err error
	if s.json, err = json.MarshalIndent(doc, "", "  "); err == nil {
		s.yaml, err = doc.YAML()
	}
	if err != nil {
		return fmt.Errorf("write the OpenAPI document: %w", err)
	}
	return nil
}

// document serves the OpenAPI document, to anybody: it holds no data.
func (s *REST) document(mediaType string, text *[]byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		_, _ = w.Write(*text) // the reader is gone if this fails
	}
}

func notFound(w http.ResponseWriter, r *http.Request) {
	RenderFault(w, r, fault.New(fault.KindNotFound, codePathNotFound, "path", r.URL.Path))
}
