package client

import (
	"context"
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// ListTokens lists one's own tokens, or everyone's for an admin, newest first.
func (c *Client) ListTokens(ctx context.Context, f api.TokenFilter, p api.Page) (api.List[api.Token], error) {
	return read[api.List[api.Token]](ctx, c, at("tokens"), narrowed(api.TokenFields, f, p))
}

// CreateToken makes a bearer token.
func (c *Client) CreateToken(ctx context.Context, in api.CreateTokenInput) (api.NewToken, error) {
	return send[api.NewToken](ctx, c, call{method: http.MethodPost, path: at("tokens"), body: wire.CreateToken{
		Name: in.Name, Role: string(in.Role), Sites: in.Sites, Scopes: in.Scopes, TTLSeconds: wire.Seconds(in.TTL), Login: in.Login,
	}})
}

// RevokeToken ends a token at once. It may be repeated.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	return c.do(ctx, call{method: http.MethodPost, path: at("tokens", id, "revocations")}, nil)
}

// GetMe says whom the token is of, and what it may do.
func (c *Client) GetMe(ctx context.Context) (api.Me, error) {
	return read[api.Me](ctx, c, at("me"), nil)
}

// BeginPairing asks a person for a token; the client needs none for it.
func (c *Client) BeginPairing(ctx context.Context, name string) (api.NewPairing, error) {
	return send[api.NewPairing](ctx, c, call{method: http.MethodPost, path: at("pairings"), body: wire.BeginPairing{Client: name}})
}

// pairingTry is the try after which Backoff waits as long as a pairing may: two to
// four seconds.
const pairingTry = 4

// EndPairing waits for the person's answer and returns the token. Faults:
// pairing_denied, and pairing_not_found when nobody has answered in time.
func (c *Client) EndPairing(ctx context.Context, p api.NewPairing) (api.NewToken, error) {
	q := call{method: http.MethodPost, path: at("pairings", p.ID, "tokens"), body: wire.EndPairing{Secret: p.Secret}}
	for {
		t, err := send[api.NewToken](ctx, c, q)
		if !IsCode(err, string(api.CodePairingOpen)) {
			return t, err
		}
		if err := c.o.Backoff(ctx, pairingTry); err != nil {
			return t, err
		}
	}
}

// ListUsers lists people by login.
func (c *Client) ListUsers(ctx context.Context, f api.UserFilter, p api.Page) (api.List[api.User], error) {
	return read[api.List[api.User]](ctx, c, at("users"), narrowed(api.UserFields, f, p))
}

// GetUser returns one person: oneself, or anyone for an admin.
func (c *Client) GetUser(ctx context.Context, id string) (api.User, error) {
	return read[api.User](ctx, c, at("users", id), nil)
}

// CreateUser adds a person.
func (c *Client) CreateUser(ctx context.Context, in api.CreateUserInput) (api.User, error) {
	return send[api.User](ctx, c, call{method: http.MethodPost, path: at("users"), body: wire.CreateUser{
		Login: in.Login, Name: in.Name, Role: string(in.Role), Sites: in.Sites, Locale: in.Locale, Password: in.Password,
	}})
}

// ListAudit lists changes, newest first.
func (c *Client) ListAudit(ctx context.Context, f api.AuditFilter, p api.Page) (api.List[api.AuditEntry], error) {
	return read[api.List[api.AuditEntry]](ctx, c, at("audit"), narrowed(api.AuditFields, f, p))
}
