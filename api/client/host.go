package client

import (
	"context"
	"net/http"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// ListHosts lists hosts by name, with their devices.
func (c *Client) ListHosts(ctx context.Context, f api.HostFilter, p api.Page) (api.List[api.Host], error) {
	return read[api.List[api.Host]](ctx, c, at("hosts"), narrowed(api.HostFields, f, p))
}

// GetHost returns a host by ID or name.
func (c *Client) GetHost(ctx context.Context, ref string) (api.Host, error) {
	return read[api.Host](ctx, c, at("hosts", ref), nil)
}

// CreateEnrolment makes an enrolment token for one agent.
func (c *Client) CreateEnrolment(ctx context.Context, in api.CreateEnrolmentInput) (api.Enrolment, error) {
	return send[api.Enrolment](ctx, c, call{
		method: http.MethodPost, path: at("enrolments"),
		body: wire.CreateEnrolment{SiteID: in.SiteID, TTLSeconds: wire.Seconds(in.TTL)},
	})
}

// RevokeHost ends a host's right to connect, at once.
func (c *Client) RevokeHost(ctx context.Context, in api.ChangeHostInput) (api.Host, error) {
	return c.changeHost(ctx, in, "revocations")
}

// DeclareHostLost says that a host will not come back: its unfinished builds
// fail.
func (c *Client) DeclareHostLost(ctx context.Context, in api.ChangeHostInput) (api.Host, error) {
	return c.changeHost(ctx, in, "losses")
}

func (c *Client) changeHost(ctx context.Context, in api.ChangeHostInput, noun string) (api.Host, error) {
	return send[api.Host](ctx, c, call{
		method: http.MethodPost, path: at("hosts", in.ID, noun), body: wire.Reason{Reason: in.Reason}, revision: in.Revision,
	})
}

// ListSticks lists sticks, newest first.
func (c *Client) ListSticks(ctx context.Context, f api.StickFilter, p api.Page) (api.List[api.Stick], error) {
	return read[api.List[api.Stick]](ctx, c, at("sticks"), narrowed(api.StickFields, f, p))
}

// GetStick returns a stick by ID.
func (c *Client) GetStick(ctx context.Context, id string) (api.Stick, error) {
	return read[api.Stick](ctx, c, at("sticks", id), nil)
}

// StickRecord returns what a stick is compared with.
func (c *Client) StickRecord(ctx context.Context, id string) (protocol.RecordFile, error) {
	return read[protocol.RecordFile](ctx, c, at("sticks", id, "record"), nil)
}

// ReturnStick says that a stick is back from whoever had it.
func (c *Client) ReturnStick(ctx context.Context, id string) (api.Stick, error) {
	return send[api.Stick](ctx, c, call{method: http.MethodPost, path: at("sticks", id, "returns")})
}

// StickCertificates lists the certificates of a stick's wipes, newest first.
func (c *Client) StickCertificates(ctx context.Context, id string) ([]api.Certificate, error) {
	l, err := read[wire.Items[api.Certificate]](ctx, c, at("sticks", id, "certificates"), nil)
	return l.Items, err
}

// GetCertificate returns a certificate by ID.
func (c *Client) GetCertificate(ctx context.Context, id string) (api.Certificate, error) {
	return read[api.Certificate](ctx, c, at("certificates", id), nil)
}

// Identity returns the console's public key, which certificates are checked by.
func (c *Client) Identity(ctx context.Context) (api.ServerIdentity, error) {
	return read[api.ServerIdentity](ctx, c, at("identity"), nil)
}

// StickEvents returns a stick's history after a seq, oldest first, at most
// api.MaxPage of it.
func (c *Client) StickEvents(ctx context.Context, id string, after int64) ([]api.StickEvent, error) {
	l, err := read[api.List[api.StickEvent]](ctx, c, at("sticks", id, "history"), since(after))
	return l.Items, err
}
