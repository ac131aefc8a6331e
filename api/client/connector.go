package client

import (
	"context"
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
	"github.com/stickpress/stickpress/api/webhook/connector"
)

// ListConnectors lists connectors by name (admin).
func (c *Client) ListConnectors(ctx context.Context, f api.ShelfFilter, p api.Page) (api.List[api.Connector], error) {
	return read[api.List[api.Connector]](ctx, c, at("connectors"), narrowed(api.ShelfFields, f, p))
}

// GetConnector returns a connector by ID or name (admin).
func (c *Client) GetConnector(ctx context.Context, ref string) (api.Connector, error) {
	return read[api.Connector](ctx, c, at("connectors", ref), nil)
}

// SaveConnector makes a connector, whose secret is shown once, or with an ID
// changes one (admin).
func (c *Client) SaveConnector(ctx context.Context, in api.SaveConnectorInput) (api.NewConnector, error) {
	if in.ID == "" {
		return send[api.NewConnector](ctx, c, call{method: http.MethodPost, path: at("connectors"), body: wire.CreateConnector{
			Name: in.Name, Title: in.Title, System: in.System, Method: in.Method, Header: in.Header, User: in.User, Secret: in.Secret,
		}})
	}
	return send[api.NewConnector](ctx, c, call{
		method: http.MethodPut, path: at("connectors", in.ID), revision: in.Revision,
		body: wire.SaveConnector{Name: in.Name, Title: in.Title, Method: in.Method, Header: in.Header, User: in.User},
	})
}

// RenewConnectorSecret gives a connector another secret (admin).
func (c *Client) RenewConnectorSecret(ctx context.Context, id, brought string, revision int64) (api.NewConnector, error) {
	return send[api.NewConnector](ctx, c, call{
		method: http.MethodPost, path: at("connectors", id, "secrets"), revision: revision, body: wire.ConnectorSecret{Secret: brought},
	})
}

// RetireConnector takes nothing from a connector any more, or takes from it
// again (admin).
func (c *Client) RetireConnector(ctx context.Context, in api.RetireInput) (api.Connector, error) {
	what := "retirements"
	if in.Back {
		what = "restorations"
	}
	return send[api.Connector](ctx, c, call{
		method: http.MethodPost, path: at("connectors", in.ID, what), revision: in.Revision, body: wire.Why{Reason: in.Reason},
	})
}

// ListConnectorPayloads lists the last deliveries of a connector (admin).
func (c *Client) ListConnectorPayloads(ctx context.Context, id string) ([]api.Payload, error) {
	l, err := read[wire.Items[api.Payload]](ctx, c, at("connectors", id, "payloads"), nil)
	return l.Items, err
}

// SaveConnectorMapping changes what of a connector's deliveries is what (admin).
func (c *Client) SaveConnectorMapping(ctx context.Context, id string, m connector.Mapping, revision int64) (api.Connector, error) {
	return send[api.Connector](ctx, c, call{
		method: http.MethodPut, path: at("connectors", id, "mapping"), revision: revision, body: wire.ConnectorMapping{Mapping: m},
	})
}

// TestConnectorMapping says what a mapping would make of a document (admin).
func (c *Client) TestConnectorMapping(ctx context.Context, id string, m connector.Mapping, document string) (api.MappingTest, error) {
	return send[api.MappingTest](ctx, c, call{
		method: http.MethodPost, path: at("connectors", id, "mapping-tests"), body: wire.TestMapping{Mapping: m, Document: document}, look: true,
	})
}

// SaveWriteBack changes what a connector's tickets are told (admin).
func (c *Client) SaveWriteBack(ctx context.Context, in api.SaveWriteBackInput) (api.Connector, error) {
	return send[api.Connector](ctx, c, call{
		method: http.MethodPut, path: at("connectors", in.ID, "write-back"), revision: in.Revision,
		body: wire.ConnectorWriteBack{Config: in.Config, Secret: in.Secret, ClientSecret: in.ClientSecret},
	})
}

// ListWriteBacks lists what a connector's tickets were told (admin).
func (c *Client) ListWriteBacks(ctx context.Context, id string, p api.Page) (api.List[api.WriteBack], error) {
	return read[api.List[api.WriteBack]](ctx, c, at("connectors", id, "write-backs"), query(p))
}

// ResendWriteBack tells a ticket once more (admin).
func (c *Client) ResendWriteBack(ctx context.Context, id, writeBack string) (api.WriteBack, error) {
	return send[api.WriteBack](ctx, c, call{method: http.MethodPost, path: at("connectors", id, "write-backs", writeBack, "redeliveries")})
}

// ListStickRequests lists what tickets want, newest first (helpdesk).
func (c *Client) ListStickRequests(ctx context.Context, f api.StickRequestFilter, p api.Page) (api.List[api.StickRequest], error) {
	return read[api.List[api.StickRequest]](ctx, c, at("stick-requests"), narrowed(api.StickRequestFields, f, p))
}

// GetStickRequest returns what a ticket wants (helpdesk).
func (c *Client) GetStickRequest(ctx context.Context, id string) (api.StickRequest, error) {
	return read[api.StickRequest](ctx, c, at("stick-requests", id), nil)
}

// RequestWriteBacks lists what a request's ticket was told (helpdesk).
func (c *Client) RequestWriteBacks(ctx context.Context, id string) ([]api.WriteBack, error) {
	l, err := read[wire.Items[api.WriteBack]](ctx, c, at("stick-requests", id, "write-backs"), nil)
	return l.Items, err
}

// DeclineStickRequest says no to a request (helpdesk).
func (c *Client) DeclineStickRequest(ctx context.Context, in api.MoveRequestInput) (api.StickRequest, error) {
	return c.moveRequest(ctx, in, "refusals")
}

// ReopenStickRequest opens a request again (helpdesk).
func (c *Client) ReopenStickRequest(ctx context.Context, in api.MoveRequestInput) (api.StickRequest, error) {
	return c.moveRequest(ctx, in, "reopenings")
}

func (c *Client) moveRequest(ctx context.Context, in api.MoveRequestInput, what string) (api.StickRequest, error) {
	return send[api.StickRequest](ctx, c, call{
		method: http.MethodPost, path: at("stick-requests", in.ID, what), revision: in.Revision, body: wire.Why{Reason: in.Reason},
	})
}
