package client

import (
	"context"
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// UpdateUser changes a person's name, role and sites.
func (c *Client) UpdateUser(ctx context.Context, in api.UpdateUserInput) (api.User, error) {
	return send[api.User](ctx, c, call{
		method: http.MethodPut, path: at("users", in.ID), body: wire.UpdateUser{Name: in.Name, Role: string(in.Role), Sites: in.Sites}, revision: in.Revision,
	})
}

// SetUserDisabled shuts a person out at once, or lets them in again. It may be
// repeated.
func (c *Client) SetUserDisabled(ctx context.Context, id string, disabled bool) (api.User, error) {
	if disabled {
		return c.changeUser(ctx, id, "disablements")
	}
	return c.changeUser(ctx, id, "enablements")
}

// UnlockUser forgets a person's failed attempts to sign in. It may be repeated.
func (c *Client) UnlockUser(ctx context.Context, id string) (api.User, error) {
	return c.changeUser(ctx, id, "unlocks")
}

// ResetTOTP turns off the second factor of somebody who lost it. It may be
// repeated.
func (c *Client) ResetTOTP(ctx context.Context, id string) (api.User, error) {
	return c.changeUser(ctx, id, "second-factor-resets")
}

func (c *Client) changeUser(ctx context.Context, id, noun string) (api.User, error) {
	return send[api.User](ctx, c, call{method: http.MethodPost, path: at("users", id, noun)})
}

// CreatePasswordLink makes a link by which a person chooses a password.
func (c *Client) CreatePasswordLink(ctx context.Context, id string) (api.SignInLink, error) {
	return send[api.SignInLink](ctx, c, call{method: http.MethodPost, path: at("users", id, "password-links")})
}

// ListSessions lists where a person is signed in, seen last first.
func (c *Client) ListSessions(ctx context.Context, id string) ([]api.Session, error) {
	l, err := read[wire.Items[api.Session]](ctx, c, at("users", id, "sessions"), nil)
	return l.Items, err
}

// EndSession signs a person out in one browser.
func (c *Client) EndSession(ctx context.Context, user, session string) error {
	return c.do(ctx, call{method: http.MethodPost, path: at("users", user, "sessions", session, "revocations")}, nil)
}

// EndSessions signs a person out everywhere. It may be repeated.
func (c *Client) EndSessions(ctx context.Context, user string) error {
	return c.do(ctx, call{method: http.MethodPost, path: at("users", user, "sign-outs")}, nil)
}
