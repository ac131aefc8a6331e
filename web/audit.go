package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

func (s *Web) audit(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseListAudit); err != nil {
		return err
	}
	page := view.AuditPage{Filter: r.URL.Query(), Actions: api.AuditActions()}
	filter, err := auditFilter(r)
	if err == nil {
		page.List, err = s.console.ListAudit(r.Context(), actorOf(r), filter, pageOf(r))
	}
	if err != nil {
		page.Problem = view.NewProblem(localeOf(r), err)
		return s.again(w, r, err, view.Audit(s.frame(r, "audit"), page))
	}
	return s.show(w, r, view.Audit(s.frame(r, "audit"), page))
}

// auditFilter reads the filter of the address. Days are those of UTC; until is
// the last day that counts.
func auditFilter(r *http.Request) (api.AuditFilter, error) {
	q := r.URL.Query()
	f := api.AuditFilter{
		Actor: strings.TrimSpace(q.Get("actor")), Action: q.Get("action"), ObjectKind: strings.TrimSpace(q.Get("kind")), ObjectID: strings.TrimSpace(q.Get("object")),
	}
	for name, into := range map[string]*string{"from": &f.From, "until": &f.Until} {
		text := q.Get(name)
		if text == "" {
			continue
		}
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return f, fault.Wrap(err, fault.KindInvalid, "day_invalid", "day", text).At(name)
		}
		if name == "until" {
			day = day.AddDate(0, 0, 1)
		}
		*into = day.Format(time.RFC3339)
	}
	return f, nil
}

// auditExport streams what the filter leaves as a file. An error in the middle
// cuts the answer off, so that nobody takes it for whole.
func (s *Web) auditExport(w http.ResponseWriter, r *http.Request) error {
	if err := needs(r, api.UseExportAudit); err != nil {
		return err
	}
	if fromElsewhere(r) { // an export is a line of the log
		return fault.New(fault.KindForbidden, "cross_site")
	}
	filter, err := auditFilter(r)
	if err != nil {
		return err
	}
	kind := r.URL.Query().Get("format")
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
