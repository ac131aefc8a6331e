package client

import (
	"context"
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// ListSettings lists settings with their values and where those come from.
func (c *Client) ListSettings(ctx context.Context, f api.SettingFilter) ([]api.Setting, error) {
	l, err := read[wire.Items[api.Setting]](ctx, c, at("settings"), api.WriteFilter(api.SettingFields, &f))
	return l.Items, err
}

// GetSetting returns a setting by its name.
func (c *Client) GetSetting(ctx context.Context, name string) (api.Setting, error) {
	return read[api.Setting](ctx, c, at("settings", name), nil)
}

// SaveSetting sets a setting; an empty value is the default again.
func (c *Client) SaveSetting(ctx context.Context, in api.SaveSettingInput) (api.Setting, error) {
	return send[api.Setting](ctx, c, call{
		method: http.MethodPut, path: at("settings", in.Name), body: wire.SaveSetting{Value: in.Value}, revision: in.Revision,
	})
}

// GetFirstRun says how far the set-up of a new console is.
func (c *Client) GetFirstRun(ctx context.Context) (api.FirstRun, error) {
	return read[api.FirstRun](ctx, c, at("first-run"), nil)
}
