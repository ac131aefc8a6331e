package web

import (
	"net/http"
	"time"

	"github.com/stickpress/stickpress/api"
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
	patience := http.NewResponseController(w)
	begun := false
	begin := func() error {
		if begun {
			return nil
		}
		begun = true
		h := w.Header()
		h.Set("Content-Type", out.MediaType())
		h.Set("Content-Disposition", `attachment; filename="stickpress-audit-`+time.Now().UTC().Format("20060102-150405")+"."+kind+`"`)
		h.Set("Cache-Control", "no-store")
		return out.Begin()
	}
	err = s.console.ExportAudit(r.Context(), actorOf(r), filter, func(e api.AuditEntry) error {
		_ = patience.SetWriteDeadline(time.Now().Add(writeTime)) // a server that knows none is one of a test
		if err := begin(); err != nil {
			return err
		}
		return out.Entry(e)
	})
	if err == nil {
		if err = begin(); err == nil {
			err = out.End()
		}
	}
	if err != nil && begun {
		s.log.WarnContext(r.Context(), "audit export cut off", "error", err)
		panic(http.ErrAbortHandler)
	}
	return err
}
