package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// GetOverview returns the overview as it is now.
func (c *Client) GetOverview(ctx context.Context) (api.Overview, error) {
	return read[api.Overview](ctx, c, at("overview"), nil)
}

// QueueJob queues sticks to be built. With a key of the caller's own another run
// of a program may send it again, too.
func (c *Client) QueueJob(ctx context.Context, in api.QueueJobInput) (api.Job, error) {
	q := call{method: http.MethodPost, path: at("jobs"), body: wire.QueueJobOf(in)}
	if in.IdempotencyKey != "" {
		q.header = map[string]string{wire.HeaderIdempotencyKey: in.IdempotencyKey}
	}
	return send[api.Job](ctx, c, q)
}

// GetJob returns a job with its builds.
func (c *Client) GetJob(ctx context.Context, id string) (api.Job, error) {
	return read[api.Job](ctx, c, at("jobs", id), nil)
}

// ListJobs lists jobs, newest first.
func (c *Client) ListJobs(ctx context.Context, f api.JobFilter, p api.Page) (api.List[api.Job], error) {
	return read[api.List[api.Job]](ctx, c, at("jobs"), narrowed(api.JobFields, f, p))
}

// CancelJob stops a job's unfinished builds. It may be repeated.
func (c *Client) CancelJob(ctx context.Context, id string) (api.Job, error) {
	return send[api.Job](ctx, c, call{method: http.MethodPost, path: at("jobs", id, "cancellations")})
}

// ScheduleJob moves a job that has not begun to another time. It may be repeated.
func (c *Client) ScheduleJob(ctx context.Context, in api.ScheduleJobInput) (api.Job, error) {
	return send[api.Job](ctx, c, call{
		method: http.MethodPut, path: at("jobs", in.ID, "schedule"), body: wire.ScheduleJob{NotBefore: in.NotBefore}, revision: in.Revision,
	})
}

// CancelBuild stops one build of a job. It may be repeated.
func (c *Client) CancelBuild(ctx context.Context, job, build string) (api.Job, error) {
	return send[api.Job](ctx, c, call{method: http.MethodPost, path: at("jobs", job, "builds", build, "cancellations")})
}

// RetryBuilds queues builds again that failed or were cancelled.
func (c *Client) RetryBuilds(ctx context.Context, in api.RetryBuildsInput) (api.Job, error) {
	return send[api.Job](ctx, c, call{
		method: http.MethodPost, path: at("jobs", in.JobID, "retries"),
		body: wire.RetryBuilds{Builds: in.Builds, Overrides: in.Overrides},
	})
}

// JobEvents returns a job's history after a seq, oldest first, at most
// api.MaxPage of it.
func (c *Client) JobEvents(ctx context.Context, id string, after int64) ([]api.JobEvent, error) {
	l, err := read[api.List[api.JobEvent]](ctx, c, at("jobs", id, "history"), since(after))
	return l.Items, err
}

// since is the page of a history after a seq.
func since(after int64) url.Values {
	return url.Values{"cursor": {strconv.FormatInt(after, 10)}, "limit": {strconv.Itoa(api.MaxPage)}}
}

// GetExclusions returns what captures leave out where their job says nothing
// of it.
func (c *Client) GetExclusions(ctx context.Context) (api.Exclusions, error) {
	return read[api.Exclusions](ctx, c, at("capture-exclusions"), nil)
}

// SaveExclusions changes what captures leave out.
func (c *Client) SaveExclusions(ctx context.Context, in api.SaveExclusionsInput) (api.Exclusions, error) {
	return send[api.Exclusions](ctx, c, call{
		method: http.MethodPut, path: at("capture-exclusions"), body: wire.SaveExclusions{List: in.List}, revision: in.Revision,
	})
}
