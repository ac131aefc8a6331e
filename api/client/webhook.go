package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// ListEvents lists what happened after an event ("": from the beginning),
// oldest first. Whoever goes on with the ID of the last one misses none.
func (c *Client) ListEvents(ctx context.Context, f api.EventFilter, after string, limit int) ([]api.Event, error) {
	query := eventQuery(f)
	if after != "" {
		query.Set("cursor", after)
	}
	if limit > 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	l, err := read[api.List[api.Event]](ctx, c, at("history"), query)
	return l.Items, err
}

func eventQuery(f api.EventFilter) url.Values {
	query := url.Values{}
	if len(f.Types) > 0 {
		query.Set("types", strings.Join(f.Types, ","))
	}
	if f.Site != "" {
		query.Set("site", f.Site)
	}
	return query
}

// ListWebhooks lists who is told of events, newest first.
func (c *Client) ListWebhooks(ctx context.Context, f api.WebhookFilter, p api.Page) (api.List[api.Webhook], error) {
	return read[api.List[api.Webhook]](ctx, c, at("webhooks"), narrowed(api.WebhookFields, f, p))
}

// GetWebhook returns one of them.
func (c *Client) GetWebhook(ctx context.Context, id string) (api.Webhook, error) {
	return read[api.Webhook](ctx, c, at("webhooks", id), nil)
}

// CreateWebhook has somebody told of what happens from now on; its ID is made
// by the server.
func (c *Client) CreateWebhook(ctx context.Context, in api.SaveWebhookInput) (api.NewWebhook, error) {
	return send[api.NewWebhook](ctx, c, call{method: http.MethodPost, path: at("webhooks"), body: wire.CreateWebhook{
		URL: in.URL, Description: in.Description, Types: in.Types, Sites: in.Sites,
	}})
}

// UpdateWebhook changes a webhook to what the input says.
func (c *Client) UpdateWebhook(ctx context.Context, in api.SaveWebhookInput) (api.Webhook, error) {
	types, sites := append([]string{}, in.Types...), append([]string{}, in.Sites...)
	return send[api.Webhook](ctx, c, call{method: http.MethodPatch, path: at("webhooks", in.ID), revision: in.Revision, body: wire.ChangeWebhook{
		URL: &in.URL, Description: &in.Description, Types: &types, Sites: &sites,
	}})
}

// DeleteWebhook forgets a webhook.
func (c *Client) DeleteWebhook(ctx context.Context, id string, revision int64) error {
	return c.do(ctx, call{method: http.MethodDelete, path: at("webhooks", id), revision: revision}, nil)
}

// PauseWebhook stops a webhook. It may be repeated.
func (c *Client) PauseWebhook(ctx context.Context, id string) (api.Webhook, error) {
	return send[api.Webhook](ctx, c, call{method: http.MethodPost, path: at("webhooks", id, "pauses")})
}

// ResumeWebhook lets a webhook go on. It may be repeated.
func (c *Client) ResumeWebhook(ctx context.Context, id string) (api.Webhook, error) {
	return send[api.Webhook](ctx, c, call{method: http.MethodPost, path: at("webhooks", id, "resumptions")})
}

// RotateWebhookSecret replaces a webhook's secret.
func (c *Client) RotateWebhookSecret(ctx context.Context, in api.RotateSecretInput) (api.NewWebhook, error) {
	return send[api.NewWebhook](ctx, c, call{
		method: http.MethodPost, path: at("webhooks", in.ID, "secrets"), body: wire.RotateSecret{OverlapSeconds: wire.Seconds(in.Overlap)}, revision: in.Revision,
	})
}

// PingWebhook sends a test.
func (c *Client) PingWebhook(ctx context.Context, id string) (api.Delivery, error) {
	return send[api.Delivery](ctx, c, call{method: http.MethodPost, path: at("webhooks", id, "pings")})
}

// ListDeliveries lists what was sent to a webhook, newest first.
func (c *Client) ListDeliveries(ctx context.Context, webhook string, f api.DeliveryFilter, p api.Page) (api.List[api.Delivery], error) {
	return read[api.List[api.Delivery]](ctx, c, at("webhooks", webhook, "deliveries"), narrowed(api.DeliveryFields, f, p))
}

// GetDelivery returns a delivery with its attempts.
func (c *Client) GetDelivery(ctx context.Context, webhook, id string) (api.Delivery, error) {
	return read[api.Delivery](ctx, c, at("webhooks", webhook, "deliveries", id), nil)
}

// Redeliver sends a delivery once more.
func (c *Client) Redeliver(ctx context.Context, webhook, id string) (api.Delivery, error) {
	return send[api.Delivery](ctx, c, call{method: http.MethodPost, path: at("webhooks", webhook, "deliveries", id, "attempts")})
}
