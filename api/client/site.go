package client

import (
	"context"
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// ListSites lists sites by name.
func (c *Client) ListSites(ctx context.Context, f api.ShelfFilter, p api.Page) (api.List[api.Site], error) {
	return read[api.List[api.Site]](ctx, c, at("sites"), narrowed(api.ShelfFields, f, p))
}

// GetSite returns a site by ID or name.
func (c *Client) GetSite(ctx context.Context, ref string) (api.Site, error) {
	return read[api.Site](ctx, c, at("sites", ref), nil)
}

// SaveSite opens a new site, or with an ID changes one.
func (c *Client) SaveSite(ctx context.Context, in api.SaveSiteInput) (api.Site, error) {
	return send[api.Site](ctx, c, save("sites", in.ID, in.Revision, wire.SaveSite{Name: in.Name, Default: in.Default}))
}

// RetireSite closes a site, or opens it again.
func (c *Client) RetireSite(ctx context.Context, in api.RetireInput) (api.Site, error) {
	return send[api.Site](ctx, c, retire("sites", in))
}

// RetireTemplate takes a template out of use, or brings it back.
func (c *Client) RetireTemplate(ctx context.Context, in api.RetireInput) (api.Template, error) {
	return send[api.Template](ctx, c, retire("templates", in))
}

// RetireTaskSequence takes a task sequence out of use, or brings it back.
func (c *Client) RetireTaskSequence(ctx context.Context, in api.RetireInput) (api.TaskSequence, error) {
	return send[api.TaskSequence](ctx, c, retire("task-sequences", in))
}

func retire(kind string, in api.RetireInput) call {
	noun := "retirements"
	if in.Back {
		noun = "restorations"
	}
	return call{method: http.MethodPost, path: at(kind, in.ID, noun), body: wire.Reason{Reason: in.Reason}, revision: in.Revision}
}

// UpdateHost renames a host, or moves it to another site.
func (c *Client) UpdateHost(ctx context.Context, in api.UpdateHostInput) (api.Host, error) {
	return send[api.Host](ctx, c, call{
		method: http.MethodPut, path: at("hosts", in.ID), body: wire.UpdateHost{Name: in.Name, Site: in.SiteID}, revision: in.Revision,
	})
}
