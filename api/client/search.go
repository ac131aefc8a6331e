package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// Search finds jobs, sticks, hosts and images, a few of each.
func (c *Client) Search(ctx context.Context, text string) ([]api.Found, error) {
	l, err := read[wire.Items[api.Found]](ctx, c, at("search"), url.Values{"q": {text}})
	return l.Items, err
}

// EstimateJob says how long a job would take by what such builds took.
func (c *Client) EstimateJob(ctx context.Context, in api.EstimateInput) (api.Estimate, error) {
	e, err := send[wire.Estimate](ctx, c, call{method: http.MethodPost, path: at("job-estimates"), body: wire.EstimateJob(in), look: true})
	return api.Estimate{Builds: e.Builds, Low: wire.Duration(e.LowSeconds), High: wire.Duration(e.HighSeconds)}, err
}

// historyAt is where the changes of a kind of things are.
var historyAt = map[string]string{
	"image": "images", "image_version": "versions", "template": "templates", "task_sequence": "task-sequences",
	"host": "hosts", "site": "sites", "setting": "settings",
}

// ListHistory lists the last changes of a thing, newest first.
func (c *Client) ListHistory(ctx context.Context, kind, id string, p api.Page) (api.List[api.HistoryEntry], error) {
	return read[api.List[api.HistoryEntry]](ctx, c, at(historyAt[kind], id, "history"), query(p))
}

// ListViews lists one's own views and everybody's; of one list, or of all with
// an empty one.
func (c *Client) ListViews(ctx context.Context, list string) ([]api.View, error) {
	q := url.Values{}
	if list != "" {
		q.Set("list", list)
	}
	l, err := read[wire.Items[api.View]](ctx, c, at("views"), q)
	return l.Items, err
}
