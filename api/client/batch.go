package client

import (
	"context"
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// CheckBatch checks a table with a row for each stick, and queues nothing.
func (c *Client) CheckBatch(ctx context.Context, in wire.Batch) (wire.BatchPlan, error) {
	return send[wire.BatchPlan](ctx, c, call{method: http.MethodPost, path: at("batch-checks"), body: in, look: true})
}

// QueueBatch queues a job with a stick for each row of a table.
func (c *Client) QueueBatch(ctx context.Context, in wire.Batch) (api.Job, error) {
	return send[api.Job](ctx, c, call{method: http.MethodPost, path: at("batches"), body: in})
}
