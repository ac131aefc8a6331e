package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"net/textproto"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/connector"
	"github.com/stickpress/stickpress/store"
)

// Connector is a ticket system whose tickets ask for sticks. Its secrets are
// never shown again.
type Connector struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"` // in the address of its hook
	Title      string            `json:"title"`
	System     connector.System  `json:"system" enum:"servicenow,jira,zammad,glpi,freshservice,generic"`
	Method     connector.Method  `json:"method" enum:"basic,header,hub_sha256,hub_sha1,glpi"` // how a delivery proves where it comes from
	Header     string            `json:"header,omitempty"`                                    // of "header"
	User       string            `json:"user,omitempty"`                                      // of "basic"; empty takes any
	SecretAt   time.Time         `json:"secret_at"`                                           // when the secret was set last
	Mapping    connector.Mapping `json:"mapping"`
	WriteBack  *WriteBackConfig  `json:"write_back,omitempty"` // nil: nothing is written back
	CreatedAt  time.Time         `json:"created_at"`
	UpdatedAt  time.Time         `json:"updated_at"`
	ReceivedAt *time.Time        `json:"received_at,omitempty"` // when a delivery was believed last, to the minute
	RetiredAt  *time.Time        `json:"retired_at,omitempty"`  // takes nothing any more
	Refused    *HookRefusal      `json:"refused,omitempty"`     // the last delivery that was not believed; nil: none since the secret was set
	Revision   int64             `json:"revision"`
}

// HookRefusal is the last delivery that did not prove where it came from. Nothing
// of what was sent is kept.
type HookRefusal struct {
	At      time.Time `json:"at"`
	Address string    `json:"address"` // of its sender
	// Why: nothing in it proves anything, its proof is wrong, its signature is too
	// old or from the future, or the connector is out of use.
	Why   string `json:"why" enum:"missing,wrong,too_old,retired"`
	Count int64  `json:"count"` // of them since one was believed or the secret was set
}

// NewConnector is a connector with its secret, which is shown only once.
type NewConnector struct {
	Connector
	Secret string `json:"secret"`
}

// HookPath is where a connector's deliveries are sent, below the public URL.
func (c *Connector) HookPath() string { return "/api/v1/hooks/" + c.Name }

// ListConnectors lists connectors by name (admin). Faults: those of checkFilter.
func (c *Console) ListConnectors(ctx context.Context, a Actor, f ShelfFilter, p Page) (List[Connector], error) {
	if err := allow(a, UseListConnectors); err != nil {
		return List[Connector]{}, err
	}
	shelf, err := f.shelf(p)
	if err != nil {
		return List[Connector]{}, err
	}
	rows, err := c.store.Connectors(ctx, shelf)
	if err != nil {
		return List[Connector]{}, err
	}
	return listOf(p, rows, connectorOf, func(r store.Connector) string { return r.Name })
}

// GetConnector returns a connector by ID or name (admin). Faults:
// connector_not_found.
func (c *Console) GetConnector(ctx context.Context, a Actor, ref string) (Connector, error) {
	if err := allow(a, UseListConnectors); err != nil {
		return Connector{}, err
	}
	row, err := findConnector(ctx, c.store.Reader, ref)
	if err != nil {
		return Connector{}, err
	}
	return connectorOf(&row)
}

func findConnector(ctx context.Context, r store.Reader, ref string) (store.Connector, error) {
	if id, err := store.ParseID[store.ConnectorID](ref); err == nil {
		return r.Connector(ctx, id)
	}
	return r.ConnectorByName(ctx, ref)
}

// SaveConnectorInput is a new connector, or what changes of one.
type SaveConnectorInput struct {
	ID     string // empty for a new one
	Name   string // lower-case letters, digits and hyphens
	Title  string // the name if empty
	System connector.System
	Method connector.Method // the system's usual one if empty
	Header string           // connector.DefaultHeader if empty
	User   string
	Secret string // of a new one; empty makes one
	// Revision as seen; 0 does not check.
	Revision int64
}

// A secret that somebody brings is as long as this, in bytes.
const (
	minSecret = 12
	maxSecret = 500
)

// SaveConnector makes or changes a connector (admin). A new one begins with its
// system's usual mapping and writes nothing back; its secret is shown once.
// Faults: connector_not_found, name_invalid, name_taken, text_too_long,
// connector_system_unknown, connector_method_refused, connector_header_invalid,
// secret_invalid, stale.
func (c *Console) SaveConnector(ctx context.Context, a Actor, in SaveConnectorInput) (NewConnector, error) {
	if err := allow(a, UseSaveConnector); err != nil {
		return NewConnector{}, err
	}
	var out NewConnector
	err := c.change(ctx, a, UseSaveConnector, func(tx *store.Tx, by store.Actor) error {
		var before any
		var row store.Connector
		var err error
		if in.ID != "" {
			if row, err = findConnector(ctx, tx.Reader, in.ID); err != nil {
				return err
			}
			before, in.System = connectorChange(&row), connector.System(row.System)
		}
		n, err := checkConnector(ctx, tx.Reader, &in, row.ID)
		if in.ID == "" {
			var secret error
			out.Secret, secret = newSecret(in.Secret)
			err = fault.All(err, secret)
		}
		switch {
		case err != nil:
		case in.ID == "":
			if n.Mapping, err = json.Marshal(in.System.DefaultMapping()); err == nil {
				row, err = tx.CreateConnector(ctx, n, out.Secret)
			}
		default:
			row, err = tx.UpdateConnector(ctx, row.ID, seen(in.Revision, row.Revision), n)
		}
		if err != nil {
			return err
		}
		if out.Connector, err = connectorOf(&row); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseSaveConnector), ObjectKind: "connector", ObjectID: out.ID, Before: before, After: connectorChange(&row),
		})
	})
	return out, err
}

var connectorName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// checkConnector checks what was typed, all of it, but for the secret; id is the
// connector's that it changes.
func checkConnector(ctx context.Context, r store.Reader, in *SaveConnectorInput, id store.ConnectorID) (store.NewConnector, error) {
	n := store.NewConnector{
		Name: strings.ToLower(strings.TrimSpace(in.Name)), Title: strings.TrimSpace(in.Title), System: string(in.System),
		Method: string(in.Method), UserName: strings.TrimSpace(in.User),
	}
	n.Title = cmp.Or(n.Title, n.Name)
	var name, method, header error
	if !connectorName.MatchString(n.Name) {
		name = fault.New(fault.KindInvalid, store.CodeNameInvalid, "kind", "connector").At("name")
	} else {
		other, err := r.ConnectorByName(ctx, n.Name)
		name = unused("connector", err, other.ID == id)
	}
	methods := in.System.Methods()
	if n.Method == "" && in.ID == "" && len(methods) > 0 {
		n.Method = string(methods[0])
	}
	switch {
	case len(methods) == 0:
		method = fault.New(fault.KindInvalid, CodeSystemUnknown, "system", in.System, "systems", oneOf(connector.Systems)).At("system")
	case !in.System.Has(connector.Method(n.Method)):
		method = fault.New(fault.KindInvalid, CodeMethodRefused, "system", in.System, "method", n.Method, "methods", oneOf(methods)).At("method")
	}
	if n.Method == string(connector.MethodHeader) {
		n.Header = textproto.CanonicalMIMEHeaderKey(cmp.Or(strings.TrimSpace(in.Header), connector.DefaultHeader))
		if !httpguts.ValidHeaderFieldName(n.Header) || len(n.Header) > 100 {
			header = fault.New(fault.KindInvalid, CodeHeaderInvalid, "header", in.Header).At("header")
		}
	}
	return n, fault.All(method, name, tooLong("title", n.Title, maxText), header, tooLong("user", n.UserName, maxText))
}

// newSecret is the secret that somebody brings, or a new one of 130 bits.
func newSecret(brought string) (string, error) {
	if brought == "" {
		return rand.Text(), nil
	}
	if len(brought) < minSecret || len(brought) > maxSecret || !utf8.ValidString(brought) || strings.ContainsFunc(brought, func(r rune) bool { return r < ' ' }) {
		return "", fault.New(fault.KindInvalid, CodeSecretInvalid, "min", minSecret, "max", maxSecret).At("secret")
	}
	return brought, nil
}

// RenewConnectorSecret gives a connector another secret at once (admin): the one
// that is brought, as some systems make their own, or a new one. It is shown
// once. Faults: connector_not_found, secret_invalid, stale.
func (c *Console) RenewConnectorSecret(ctx context.Context, a Actor, id, brought string, revision int64) (NewConnector, error) {
	var out NewConnector
	err := c.change(ctx, a, UseSaveConnector, func(tx *store.Tx, by store.Actor) error {
		row, err := findConnector(ctx, tx.Reader, id)
		if err != nil {
			return err
		}
		if out.Secret, err = newSecret(brought); err != nil {
			return err
		}
		if row, err = tx.SetConnectorSecret(ctx, row.ID, seen(revision, row.Revision), out.Secret); err != nil {
			return err
		}
		if out.Connector, err = connectorOf(&row); err != nil {
			return err
		}
		return tx.Audit(ctx, store.NewAudit{
			By: by, Action: string(UseSaveConnector), ObjectKind: "connector", ObjectID: out.ID, After: map[string]any{"secret_at": row.SecretAt},
		})
	})
	return out, err
}

// RetireConnector stops taking what a connector is sent, or takes it again
// (admin). Its requests stay. Faults: connector_not_found, stale.
func (c *Console) RetireConnector(ctx context.Context, a Actor, in RetireInput) (Connector, error) {
	var out Connector
	err := c.change(ctx, a, UseRetireConnector, func(tx *store.Tx, by store.Actor) error {
		before, err := findConnector(ctx, tx.Reader, in.ID)
		if err != nil {
			return err
		}
		row, err := tx.RetireConnector(ctx, before.ID, seen(in.Revision, before.Revision), !in.Back)
		if err != nil {
			return err
		}
		if out, err = connectorOf(&row); err != nil {
			return err
		}
		in.ID = out.ID
		return tx.Audit(ctx, in.audit(by, UseRetireConnector, "connector", before.RetiredAt != nil))
	})
	return out, err
}

func connectorChange(r *store.Connector) map[string]any {
	return map[string]any{"name": r.Name, "title": r.Title, "system": r.System, "method": r.Method, "header": r.Header, "user": r.UserName}
}

func connectorOf(r *store.Connector) (Connector, error) {
	out := Connector{
		ID: r.ID.String(), Name: r.Name, Title: r.Title, System: connector.System(r.System), Method: connector.Method(r.Method),
		Header: r.Header, User: r.UserName, SecretAt: r.SecretAt,
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt, ReceivedAt: r.ReceivedAt, RetiredAt: r.RetiredAt, Revision: r.Revision,
	}
	if r.RefusedAt != nil {
		out.Refused = &HookRefusal{At: *r.RefusedAt, Address: r.RefusedFrom, Why: r.RefusedWhy, Count: r.RefusedCount}
	}
	if err := json.Unmarshal(r.Mapping, &out.Mapping); err != nil {
		return out, err
	}
	var err error
	out.WriteBack, err = writeBackOf(r)
	return out, err
}
