package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/download"
)

func (s *REST) auditRoutes() {
	list(s, get("/audit", "list_audit", "audit", "Changes and who made them, newest first"), api.AuditFields, s.console.ListAudit)
	s.exportAudit()
}

// exportAudit streams a file, so that it may be of any length.
func (s *REST) exportAudit() {
	type input struct {
		Narrowed[api.AuditFilter]
		Format string `query:"format" enum:"csv,json" default:"json" doc:"A table with a row of headings, or one array."`
	}
	op := get("/audit/export", "export_audit", "audit", "All changes that the filter leaves as one file, newest first")
	op.Description = "The export itself is a line of the log. A file that was cut off by an error in the middle does not end as a whole one does."
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The file",
		Content: map[string]*huma.MediaType{
			"application/json": {Schema: schemaOf[[]api.AuditEntry](s)}, "text/csv": {Schema: &huma.Schema{Type: huma.TypeString}},
		},
	}}
	narrow(&op, api.AuditFields)
	registerOn(s, loose{s.huma}, op, func(ctx context.Context, a api.Actor, in *input) (*huma.StreamResponse, error) {
		if err := a.May(api.UseExportAudit); err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			r, w := humachi.Unwrap(c)
			s.writeAudit(ctx, w, r, a, in.filter, in.Format)
		}}, nil
	})
}

// writeAudit answers with a file of the audit log, or with a problem as long as
// nothing of it was written.
func (s *REST) writeAudit(ctx context.Context, w http.ResponseWriter, r *http.Request, a api.Actor, f api.AuditFilter, format string) {
	out, err := api.NewAuditFile(format, w)
	if err == nil {
		file := download.File{MediaType: out.MediaType(), Name: "stickpress-audit." + format, Begin: out.Begin, End: out.End}
		err = file.Stream(w, func(line func(func() error) error) error {
			return s.console.ExportAudit(ctx, a, f, func(e api.AuditEntry) error { return line(func() error { return out.Entry(e) }) })
		}, func(err error) {
			s.log.WarnContext(ctx, "audit export cut off", "error", err, "request_id", requestOf(ctx).id)
		})
	}
	if err != nil {
		RenderFault(w, r, s.refusal(ctx, err))
	}
}
