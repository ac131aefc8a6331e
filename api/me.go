package api

import (
	"context"

	"github.com/stickpress/stickpress/store"
)

// Me says who asks, and what they may do: of a token the lesser of its own and
// its owner's.
type Me struct {
	User   User         `json:"user"`
	Role   Role         `json:"role"`
	Sites  []string     `json:"sites"`           // IDs; empty: every site
	Scopes []TokenScope `json:"scopes"`          // empty: whatever the role allows
	Token  *Token       `json:"token,omitempty"` // that asks
}

// GetMe says who asks. Faults: sign_in_needed.
func (c *Console) GetMe(ctx context.Context, a Actor) (Me, error) {
	u, err := c.GetUser(ctx, a, a.UserID)
	if err != nil {
		return Me{}, err
	}
	out := Me{User: u, Role: a.Role, Sites: append([]string{}, a.Sites...), Scopes: append([]TokenScope{}, a.Scopes...)}
	if a.TokenID == "" {
		return out, nil
	}
	id, err := parse[store.TokenID]("token", a.TokenID)
	if err != nil {
		return Me{}, err
	}
	t, err := c.store.APIToken(ctx, id)
	if err != nil {
		return Me{}, err
	}
	token := tokenOf(t, u.Login)
	out.Token = &token
	return out, nil
}
