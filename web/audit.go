package web

import (
	"net/http"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/download"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) audit(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseListAudit); err != nil {
		return err
	}
	narrowing, list, err := narrowed(s, r, "audit", api.AuditFields, func(f api.AuditFilter, p api.Page) (api.List[api.AuditEntry], error) {
		return s.console.ListAudit(r.Context(), actorOf(r), f, p)
	})
	if err != nil {
		return err
	}
	for i := range narrowing.Fields {
		x := &narrowing.Fields[i]
		for _, e := range list.Items {
			switch {
			case x.Name == "actor" && x.Value == e.ActorID:
				x.Says = e.ActorName
			case x.Name == "object_id" && x.Value == e.ObjectID:
				x.Says = e.Names[e.ObjectID]
			}
		}
	}
	return s.show(w, r, view.Audit(s.frame(r, "audit"), narrowing, list))
}

// auditExport streams what the filter leaves as a file. What an address has that
// the filter does not know is refused: a file does not say what was left out of
// it. An error in the middle cuts the answer off, so that nobody takes it for
// whole.
func (s *Web) auditExport(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseExportAudit); err != nil {
		return err
	}
	if fromElsewhere(r) { // an export is a line of the log
		return fault.New(fault.KindForbidden, "cross_site")
	}
	query := r.URL.Query()
	kind := query.Get("format")
	query.Del("format")
	filter, unknown := api.ReadFilter(api.AuditFields, query)
	if len(unknown) > 0 {
		return fault.New(fault.KindInvalid, "filter_field_unknown", "name", unknown[0]).At(unknown[0])
	}
	out, err := api.NewAuditFile(kind, w)
	if err != nil {
		return err
	}
	file := download.File{MediaType: out.MediaType(), Name: fileName("audit", kind), Begin: out.Begin, End: out.End}
	return file.Stream(w, func(line func(func() error) error) error {
		return s.console.ExportAudit(r.Context(), actorOf(r), filter, func(e api.AuditEntry) error { return line(func() error { return out.Entry(e) }) })
	}, s.cutOff(r))
}

// fileName is what browsers keep an export as.
func fileName(what, kind string) string {
	return "stickpress-" + what + "-" + time.Now().UTC().Format("20060102-150405") + "." + kind
}

// cutOff logs why an export was cut off.
func (s *Web) cutOff(r *http.Request) func(error) {
	return func(err error) {
		s.log.WarnContext(r.Context(), "export cut off", "path", r.URL.Path, "request_id", actorOf(r).RequestID, "error", err)
	}
}
