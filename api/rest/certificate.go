package rest

import (
	"context"

	"github.com/stickpress/stickpress/api"
)

func (s *REST) certificateRoutes() {
	type one struct {
		Certificate string `path:"certificate" doc:"ID of a certificate."`
	}
	op := get("/certificates/{certificate}", "get_certificate", "certificates", "The certificate of a wiped stick")
	op.Description = "'signed' is the certificate: a flattened JSON Web Signature (RFC 7515, RFC 8037) with the console's ed25519 key in its header. 'statement' says in the open what it is over."
	register(s, op, func(ctx context.Context, a api.Actor, in *one) (*plain[api.Certificate], error) {
		return plainOf(s.console.GetCertificate(ctx, a, in.Certificate))
	})

	type of struct {
		Stick string `path:"stick" doc:"ID of a stick."`
	}
	register(s, get("/sticks/{stick}/certificates", "stick_certificates", "certificates", "The certificates of a stick, newest first"),
		func(ctx context.Context, a api.Actor, in *of) (*whole[api.Certificate], error) {
			return itemsOf(s.console.StickCertificates(ctx, a, in.Stick))
		})

	register(s, get("/identity", "get_identity", "certificates", "The console's public key, by which its certificates are checked"),
		func(ctx context.Context, a api.Actor, _ *struct{}) (*plain[api.ServerIdentity], error) {
			return plainOf(s.console.Identity(ctx, a))
		})
}
