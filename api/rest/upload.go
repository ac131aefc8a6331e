package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"github.com/stickpress/stickpress/api"
)

// uploads mounts the resumable uploads, which huma does not serve. The GET of
// an upload is ours.
func (s *REST) uploads(r chi.Router, h http.Handler) {
	r.Method(http.MethodOptions, "/uploads/", h)
	r.Method(http.MethodPost, "/uploads/", h)
	for _, m := range []string{http.MethodHead, http.MethodPatch, http.MethodDelete} {
		r.Method(m, "/uploads/{upload}", h)
	}
}

func (s *REST) uploadRoutes() {
	type one struct {
		Upload string `path:"upload" doc:"ID of an upload, or its tus ID."`
	}
	register(s, get("/uploads/{upload}", "get_upload", "uploads", "How far an upload is, and what is in the file"),
		func(ctx context.Context, a api.Actor, in *one) (*plain[api.Upload], error) {
			return plainOf(s.console.GetUpload(ctx, a, in.Upload))
		})

	// What tus prescribes, for the document.
	version := header("Tus-Resumable", "1.0.0", true)
	offset := header("Upload-Offset", "Bytes that the server has.", true)
	id := &huma.Param{Name: "upload", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}, Description: "tus ID of an upload: the end of its Location."}
	body := &huma.RequestBody{Content: map[string]*huma.MediaType{
		"application/offset+octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
	}}
	s.describe(&huma.Operation{
		Method: http.MethodOptions, Path: "/uploads/", OperationID: "upload_options", Summary: "What the upload protocol can do here",
		Responses: answers("200", "Tus-Version", "Tus-Extension"),
	})
	s.describe(&huma.Operation{
		Method: http.MethodPost, Path: "/uploads/", OperationID: "begin_upload", Summary: "Begin a resumable upload",
		Description: "tus 1.0.0 (https://tus.io) with the extensions creation, creation-with-upload and termination. " +
			"The answer to the last bytes tells whether the file is an image. One in which much is packed (a WIM, an ESD, a compressed disk image) is inspected after it: " +
			"GET /uploads/{upload} says 'inspecting' and how far, and then 'ready' or the reason of the refusal. " +
			"POST /versions takes an upload by its ID or tus ID; one that is being inspected is published when that is done.",
		Parameters: []*huma.Param{
			version, header("Upload-Length", "Size of the file in bytes.", true),
			header("Upload-Metadata", "'filename' and its base64.", false),
		},
		RequestBody: body, Responses: answers("201", "Location", "Upload-Offset"),
	})
	s.describe(&huma.Operation{
		Method: http.MethodHead, Path: "/uploads/{upload}", OperationID: "upload_offset", Summary: "Where to go on with an upload",
		Parameters: []*huma.Param{id, version}, Responses: answers("200", "Upload-Offset", "Upload-Length"),
	})
	s.describe(&huma.Operation{
		Method: http.MethodPatch, Path: "/uploads/{upload}", OperationID: "continue_upload", Summary: "Bring the next bytes",
		Parameters: []*huma.Param{id, version, offset}, RequestBody: body, Responses: answers("204", "Upload-Offset"),
	})
	s.describe(&huma.Operation{
		Method: http.MethodDelete, Path: "/uploads/{upload}", OperationID: "end_upload", Summary: "Give an upload up",
		Parameters: []*huma.Param{id, version}, Responses: answers("204"),
	})
}

// describe adds an operation to the document that huma does not serve.
func (s *REST) describe(op *huma.Operation) {
	op.Tags = []string{"uploads"}
	s.complete(op)
	s.huma.OpenAPI().AddOperation(op)
}

func header(name, doc string, required bool) *huma.Param {
	return &huma.Param{Name: name, In: "header", Required: required, Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
}

// answers describes an answer without a body, with its headers.
func answers(status string, headers ...string) map[string]*huma.Response {
	r := &huma.Response{Description: "Done", Headers: map[string]*huma.Param{}}
	for _, name := range append(headers, "Tus-Resumable") {
		r.Headers[name] = &huma.Param{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return map[string]*huma.Response{status: r}
}
