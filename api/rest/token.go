package rest

import (
	"context"
	"net/http"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

func (s *REST) tokenRoutes() {
	list(s, get("/tokens", "list_tokens", "tokens", "One's own tokens, or everyone's for admins, newest first"), api.TokenFields, s.console.ListTokens)

	type input struct{ Body wire.CreateToken }
	op := secret(create("/tokens", "create_token", "tokens", "Make a bearer token; its secret is shown only once"), "secret")
	register(s, op, func(ctx context.Context, a api.Actor, in *input) (*placed[api.NewToken], error) {
		t, err := s.console.CreateToken(ctx, a, api.CreateTokenInput{
			Name: in.Body.Name, Role: api.Role(in.Body.Role), Sites: in.Body.Sites, Scopes: in.Body.Scopes, TTL: wire.Duration(in.Body.TTLSeconds), Login: in.Body.Login,
		})
		return placedAt(t, "/tokens/"+t.ID, err)
	})

	type one struct {
		Token string `path:"token" doc:"ID of a token."`
	}
	register(s, get("/tokens/{token}", "get_token", "tokens", "One's own token, or anyone's for admins"), func(ctx context.Context, a api.Actor, in *one) (*plain[api.Token], error) {
		return plainOf(s.console.GetToken(ctx, a, in.Token))
	})
	op = action("/tokens/{token}/revocations", "revoke_token", "tokens", "End a token at once: one's own, or anyone's for admins")
	op.DefaultStatus = http.StatusNoContent
	op.Description = "A token may end itself whatever its scopes are."
	register(s, op, func(ctx context.Context, a api.Actor, in *one) (*struct{}, error) {
		return nil, s.console.RevokeToken(ctx, a, in.Token)
	})
}
