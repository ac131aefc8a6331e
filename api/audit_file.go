package api

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stickpress/stickpress/api/fault"
)

// CodeFormatUnknown refuses a format that no file of the audit log has.
const CodeFormatUnknown fault.Code = "format_unknown" // format

// AuditFile writes lines of the audit log as a file of one format: Begin, an
// Entry for each line, End.
type AuditFile interface {
	MediaType() string
	Begin() error
	Entry(AuditEntry) error
	End() error
}

// NewAuditFile begins a file: "csv", with a row of headings (RFC 4180), or
// "json", one array with a line for each entry. Faults: format_unknown.
func NewAuditFile(format string, w io.Writer) (AuditFile, error) {
	switch format {
	case "csv":
		return &auditCSV{csv.NewWriter(w)}, nil
	case "json":
		return &auditJSON{w: json.NewEncoder(w), raw: w}, nil
	}
	return nil, fault.New(fault.KindInvalid, CodeFormatUnknown, "format", format).At("format")
}

type auditCSV struct{ w *csv.Writer }

// MediaType implements AuditFile.
func (x *auditCSV) MediaType() string { return "text/csv; charset=utf-8" }

// Begin implements AuditFile.
func (x *auditCSV) Begin() error {
	return x.w.Write([]string{"id", "at", "actor_kind", "actor_id", "actor_name", "action", "object_kind", "object_id", "before", "after", "request_id", "address"})
}

// Entry implements AuditFile.
func (x *auditCSV) Entry(e AuditEntry) error {
	return x.w.Write(Inert(e.ID, e.At.UTC().Format(time.RFC3339Nano), string(e.ActorKind), e.ActorID, e.ActorName, e.Action,
		e.ObjectKind, e.ObjectID, string(e.Before), string(e.After), e.RequestID, e.Address))
}

// End implements AuditFile.
func (x *auditCSV) End() error {
	x.w.Flush()
	return x.w.Error()
}

// Inert keeps a spreadsheet from taking a cell for a formula: names and texts
// come from outside (OWASP, CSV injection). Some take the full-width signs of
// Chinese keyboards for the plain ones.
func Inert(cells ...string) []string {
	for i, c := range cells {
		if first, _ := utf8.DecodeRuneInString(c); c != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) {
			cells[i] = "'" + c
		}
	}
	return cells
}

type auditJSON struct {
	w    *json.Encoder
	raw  io.Writer
	some bool
}

// MediaType implements AuditFile.
func (x *auditJSON) MediaType() string { return "application/json" }

// Begin implements AuditFile.
func (x *auditJSON) Begin() error {
	_, err := x.raw.Write([]byte("[\n"))
	return err
}

// Entry implements AuditFile.
func (x *auditJSON) Entry(e AuditEntry) error {
	if x.some {
		if _, err := x.raw.Write([]byte(",")); err != nil {
			return err
		}
	}
	x.some = true
	return x.w.Encode(e)
}

// End implements AuditFile.
func (x *auditJSON) End() error {
	_, err := x.raw.Write([]byte("]\n"))
	return err
}
