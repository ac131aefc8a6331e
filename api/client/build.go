package client

import (
	"context"

	"github.com/stickpress/stickpress/api"
)

// ListBuilds lists builds of all jobs, newest first.
func (c *Client) ListBuilds(ctx context.Context, f api.BuildFilter, p api.Page) (api.List[api.JobBuild], error) {
	return read[api.List[api.JobBuild]](ctx, c, at("builds"), narrowed(api.BuildFields, f, p))
}

// GetBuild returns a build with its steps and attempts.
func (c *Client) GetBuild(ctx context.Context, id string) (api.JobBuild, error) {
	return read[api.JobBuild](ctx, c, at("builds", id), nil)
}

// BuildEvents returns the history of one build after a seq, oldest first, at
// most api.MaxPage of it.
func (c *Client) BuildEvents(ctx context.Context, id string, after int64) ([]api.JobEvent, error) {
	l, err := read[api.List[api.JobEvent]](ctx, c, at("builds", id, "history"), since(after))
	return l.Items, err
}

// BuildLog returns what the host said about one build, likewise.
func (c *Client) BuildLog(ctx context.Context, id string, after int64) ([]api.JobEvent, error) {
	l, err := read[api.List[api.JobEvent]](ctx, c, at("builds", id, "log"), since(after))
	return l.Items, err
}
