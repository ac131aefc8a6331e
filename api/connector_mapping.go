package api

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/connector"
	"github.com/stickpress/stickpress/store"
)

// Payload is a delivery that a connector was sent, as it is kept.
type Payload struct {
	ID        string            `json:"id"`
	Headers   map[string]string `json:"headers"`  // secrets masked
	Document  string            `json:"document"` // JSON, whatever it came as
	Cut       bool              `json:"cut"`      // the document was too long to be kept whole
	Outcome   string            `json:"outcome"`  // what came of it, see HookResult; or "refused"
	Fault     *WhyNot           `json:"fault,omitempty"`
	Ticket    string            `json:"ticket,omitempty"`
	RequestID string            `json:"request_id"`
	Address   string            `json:"address"`
	At        time.Time         `json:"at"`
}

// WhyNot is why something was not done.
type WhyNot struct {
	Code   string            `json:"code"`
	Params map[string]string `json:"params,omitempty"`
}

// ListConnectorPayloads lists the last deliveries of a connector, newest first
// (admin): at most 20, for a month. Those that proved nothing are not kept.
// Faults: connector_not_found.
func (c *Console) ListConnectorPayloads(ctx context.Context, a Actor, id string) ([]Payload, error) {
	if err := allow(a, UseListConnectors); err != nil {
		return nil, err
	}
	row, err := findConnector(ctx, c.store.Reader, id)
	if err != nil {
		return nil, err
	}
	rows, err := c.store.ConnectorPayloads(ctx, row.ID)
	out := make([]Payload, 0, len(rows))
	for _, p := range rows {
		v := Payload{
			ID: p.ID.String(), Headers: p.Headers, Document: p.Document, Cut: p.Cut, Outcome: p.Outcome,
			Ticket: p.Ticket, RequestID: p.RequestID, Address: p.Address, At: p.CreatedAt,
		}
		if p.Fault != nil {
			v.Fault = &WhyNot{Code: p.Fault.Code, Params: p.Fault.Params}
		}
		out = append(out, v)
	}
	return out, err
}

// SaveConnectorMapping changes what of a connector's deliveries is what (admin).
// What it names by itself must be there.
// Faults: connector_not_found, mapping_invalid, image_not_found,
// channel_not_found, task_sequence_not_found, layout_unknown, site_not_found,
// host_not_found, computer_name_pattern, computer_name_invalid, stale.
func (c *Console) SaveConnectorMapping(ctx context.Context, a Actor, id string, m connector.Mapping, revision int64) (Connector, error) {
	if err := allow(a, UseSaveConnector); err != nil {
		return Connector{}, err
	}
	m = tidyMapping(m)
	if err := fault.All(m.Check(), checkUsual(ctx, c.store.Reader, a, m)); err != nil {
		return Connector{}, inMapping(err)
	}
	var out Connector
	err := c.change(ctx, a, UseSaveConnector, func(tx *store.Tx, by store.Actor) error {
		before, err := findConnector(ctx, tx.Reader, id)
		if err != nil {
			return err
		}
		raw, err := json.Marshal(m)
		if err != nil {
			return err
		}
		row, err := tx.SetConnectorMapping(ctx, before.ID, seen(revision, before.Revision), raw)
		if err != nil {
			return err
		}
		if out, err = connectorOf(&row); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseSaveConnector), ObjectKind: "connector", ObjectID: out.ID, Before: before.Mapping, After: m,
		})
	})
	return out, err
}

// tidyMapping leaves out what says nothing.
func tidyMapping(m connector.Mapping) connector.Mapping {
	out := connector.Mapping{}
	for field, s := range m {
		if s.Path == "" {
			s.Table = nil
		}
		if s.Path != "" || s.Otherwise != "" {
			out[field] = s
		}
	}
	return out
}

// inMapping blames a field of a mapping where requests have it.
func inMapping(err error) error {
	return fault.Renamed(err, func(field string) string { return "mapping." + field })
}

// checkUsual refuses values of the mapping's own that name nothing.
func checkUsual(ctx context.Context, r store.Reader, a Actor, m connector.Mapping) error {
	var wrong []error
	check := func(field string, look func(value string) error) {
		value := m[field].Otherwise
		if value == "" {
			return
		}
		if err := look(value); err != nil {
			wrong = append(wrong, fault.From(err).At(field))
		}
	}
	var image store.Image
	check(connector.FieldImage, func(ref string) (err error) {
		image, err = findImage(ctx, r, ref)
		return err
	})
	check(connector.FieldChannel, func(name string) error {
		if image.ID.IsZero() || m[connector.FieldImage].Path != "" {
			return nil
		}
		_, err := r.ChannelByName(ctx, image.ID, name)
		return err
	})
	check(connector.FieldSequence, func(ref string) error {
		_, err := findSequence(ctx, r, ref)
		return err
	})
	check(connector.FieldLayout, func(layout string) error {
		if !slices.Contains(store.Layouts, layout) {
			return errLayout(layout)
		}
		return nil
	})
	check(connector.FieldSite, func(ref string) error {
		_, err := findSite(ctx, r, a, ref)
		return err
	})
	check(connector.FieldHost, func(ref string) error {
		_, err := findHost(ctx, r, a, ref)
		return err
	})
	check(connector.FieldComputer, func(pattern string) error {
		_, err := ComputerName(pattern, 1, "4711", "ada")
		return err
	})
	return fault.All(wrong...)
}

// MappingTest is what a mapping makes of a document.
type MappingTest struct {
	Values  []MappedValue      `json:"values"`
	Outcome string             `json:"outcome"` // what would come of it: "requested", "withdrawn", "ignored", "refused"
	Request *StickRequest      `json:"request,omitempty"`
	Wish    connector.Request  `json:"-"`
	Fault   *fault.Error       `json:"-"` // of refused
	Code    string             `json:"code,omitempty"`
	Missing []RequestComplaint `json:"missing,omitempty"`
}

// MappedValue is what came of one field.
type MappedValue struct {
	Field string `json:"field"`
	Found string `json:"found"`          // what the path found
	Value string `json:"value"`          // what counts
	From  string `json:"from"`           // "path", "table", "otherwise", or empty
	Cut   bool   `json:"cut,omitempty"`  // it was longer than the field is
	Code  string `json:"code,omitempty"` // why what it names cannot be used
}

// TestConnectorMapping says what a mapping would make of a document, without
// making it (admin). Faults: connector_not_found, mapping_invalid,
// hook_body_unreadable, hook_body_too_deep, hook_body_too_large.
func (c *Console) TestConnectorMapping(ctx context.Context, a Actor, id string, m connector.Mapping, document string) (MappingTest, error) {
	if err := allow(a, UseSaveConnector); err != nil {
		return MappingTest{}, err
	}
	row, err := findConnector(ctx, c.store.Reader, id)
	if err != nil {
		return MappingTest{}, err
	}
	m = tidyMapping(m)
	if err := m.Check(); err != nil {
		return MappingTest{}, inMapping(err)
	}
	body, err := connector.Decode("", []byte(document))
	if err != nil {
		return MappingTest{}, fault.From(err).At("document")
	}
	values, wish := m.Apply(body)
	out := MappingTest{Wish: wish, Outcome: HookRequested}
	switch {
	case !wish.Wanted:
		out.Outcome = HookIgnored
	case wish.Ticket == "":
		out.Outcome, out.Code = hookRefused, string(CodeHookTicket)
		out.Fault = fault.New(fault.KindInvalid, CodeHookTicket)
	case wish.Cancelled:
		out.Outcome = HookWithdrawn
	}
	q, err := c.wanted(ctx, c.store.Reader, a, &row, m, wish)
	if err != nil {
		return MappingTest{}, err
	}
	v, err := c.requestOf(ctx, c.names(), &q)
	if err != nil {
		return MappingTest{}, err
	}
	out.Request, out.Missing = &v, v.Complaints
	for _, x := range values {
		value := MappedValue{Field: x.Field, Found: x.Found, Value: x.Value, From: x.From, Cut: x.Cut}
		for _, complaint := range v.Complaints {
			if complaint.Field == x.Field {
				value.Code = complaint.Code
			}
		}
		out.Values = append(out.Values, value)
	}
	return out, nil
}
