package client

import (
	"context"
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// SettleStickData says what becomes of a user's data on a stick that came back.
func (c *Client) SettleStickData(ctx context.Context, id string, in wire.SettleStickData) (api.Stick, error) {
	return send[api.Stick](ctx, c, call{method: http.MethodPost, path: at("sticks", id, "data-answers"), body: in})
}
