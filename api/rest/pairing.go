package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// open is the door for what needs no token.
type open struct {
	huma.API
	adapter huma.Adapter
}

// Adapter implements huma.API.
func (o open) Adapter() huma.Adapter { return o.adapter }

// needsNoToken is the Security of an operation that asks for none. It takes no
// Idempotency-Key either, which belongs to whoever asks.
var needsNoToken = []map[string][]string{}

func (s *REST) pairingRoutes() {
	type begin struct{ Body wire.BeginPairing }
	op := secret(create("/pairings", "begin_pairing", "tokens", "Ask a person for a token, for a program on their machine"), "secret")
	op.Security = needsNoToken
	op.Description = "The program shows the code, which the person opens or types at /pair of the console, signed in there, and allows or denies. " +
		"Meanwhile the program asks POST /pairings/{pairing}/tokens with the secret. A pairing is good for ten minutes and one token. " +
		"No token is needed. It is the device authorization grant (RFC 8628) with the answers of this API."
	registerOn(s, s.open, op, func(ctx context.Context, a api.Actor, in *begin) (*placed[api.NewPairing], error) {
		p, err := s.console.BeginPairing(ctx, a, in.Body.Client)
		return placedAt(p, "/pairings/"+p.ID+"/tokens", err)
	})

	type end struct {
		Pairing string `path:"pairing" doc:"ID of a pairing."`
		Body    wire.EndPairing
	}
	op = secret(create("/pairings/{pairing}/tokens", "end_pairing", "tokens", "Get the token that a person allowed, once"), "secret")
	op.Security = needsNoToken
	op.Description = "409 pairing_open with Retry-After while nobody has answered, 403 pairing_denied, 404 when it is over. No token is needed."
	registerOn(s, s.open, op, func(ctx context.Context, a api.Actor, in *end) (*placed[api.NewToken], error) {
		t, err := s.console.EndPairing(ctx, a, in.Pairing, in.Body.Secret)
		return placedAt(t, "/tokens/"+t.ID, err)
	})

	register(s, get("/me", "get_me", "users", "Whom this token is of, and what it may do"),
		func(ctx context.Context, a api.Actor, _ *struct{}) (*plain[api.Me], error) {
			return plainOf(s.console.GetMe(ctx, a))
		})
}

// tokenless reports whether an operation asks for no token.
func tokenless(op *huma.Operation) bool { return op.Security != nil && len(op.Security) == 0 }

// keyed reports whether an operation takes an Idempotency-Key.
func keyed(op *huma.Operation) bool { return op.Method == http.MethodPost && !tokenless(op) }
