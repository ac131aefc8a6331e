package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/batch"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/web/view"
)

// readJob reads what the forms of a new job have, without judging it.
func readJob(r *http.Request) (view.NewJob, error) {
	if err := r.ParseForm(); err != nil {
		return view.NewJob{}, fault.Wrap(err, fault.KindInvalid, "form_unreadable")
	}
	text := func(name string) string { return strings.TrimSpace(r.Form.Get(name)) }
	p := view.NewJob{
		Kind: protocol.JobKind(r.Form.Get("kind")).OrPress(), Fields: map[string]string{},
		Version: r.Form.Get("version"), Host: r.Form.Get("host"), Sequence: r.Form.Get("sequence"),
		Reference: text("reference"), Holder: text("holder"), ComputerName: text("computer_name"),
		ByTable: r.Form.Get("by") == "table", Table: r.Form.Get("table"),
		When: view.When{Later: r.Form.Get("when") == "later", At: text("at"), Zone: text("zone")},
		Key:  cmp.Or(r.Form.Get("key"), requestID()), Overrides: r.PostForm["override"],
	}
	if p.Version == "other" {
		p.Version = r.Form.Get("other_version")
	}
	p.Version, p.Channel, _ = strings.Cut(p.Version, "@")
	fields, ok := view.JobFields[p.Kind]
	if !ok {
		return p, api.ErrKind(p.Kind)
	}
	for _, name := range fields {
		p.Fields[name] = text(name)
	}
	for _, raw := range r.Form["device"] {
		var id protocol.Identity
		if err := json.Unmarshal([]byte(raw), &id); err != nil {
			return p, fault.Wrap(err, fault.KindInvalid, "form_unreadable")
		}
		p.Chosen = append(p.Chosen, id)
	}
	var err error
	if p.ByTable {
		p.Rows, err = readRows(r)
	}
	return p, err
}

// readRows reads the rows of a table that was read before, as they were typed
// over; one without any text is taken out.
func readRows(r *http.Request) ([]view.Row, error) {
	holders, computers, references, devices := r.Form["row_holder"], r.Form["row_computer"], r.Form["row_reference"], r.Form["row_device"]
	if len(holders) != len(computers) || len(holders) != len(references) || len(holders) > batch.MaxRows {
		return nil, fault.New(fault.KindInvalid, "form_unreadable")
	}
	var rows []view.Row
	for i := range holders {
		row := view.Row{Row: batch.Row{
			Line: i + 1, Holder: clean(holders[i]), Computer: clean(computers[i]), Reference: clean(references[i]),
		}}
		if i < len(devices) {
			row.Device = devices[i]
		}
		if row.Holder != "" || row.Computer != "" || row.Reference != "" {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// clean is a cell with single spaces.
func clean(cell string) string { return strings.Join(strings.Fields(cell), " ") }

// readTable takes the table that was pasted, or the file in its place, into the
// rows. Without either the rows stay.
func readTable(r *http.Request, p *view.NewJob) error {
	raw := []byte(p.Table)
	file, head, err := r.FormFile("file")
	switch {
	case err == nil:
		defer file.Close()
		if head.Size > 0 {
			if raw, err = io.ReadAll(io.LimitReader(file, batch.MaxBytes+1)); err != nil {
				return fault.Wrap(err, fault.KindInvalid, "form_unreadable")
			}
		}
	case !errors.Is(err, http.ErrMissingFile) && !errors.Is(err, http.ErrNotMultipart):
		return fault.Wrap(err, fault.KindInvalid, "form_unreadable")
	}
	if strings.TrimSpace(string(raw)) == "" && len(p.Rows) > 0 {
		return nil
	}
	t, err := batch.Parse(raw)
	if err != nil {
		return fault.From(err).At("table")
	}
	p.Rows, p.Ignored, p.Table = nil, t.Ignored, ""
	for _, row := range t.Rows {
		p.Rows = append(p.Rows, view.Row{Row: row})
	}
	return nil
}
