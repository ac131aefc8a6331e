package api

import (
	"context"
	"crypto/ed25519"

	"github.com/stickpress/stickpress/api/certificate"
	"github.com/stickpress/stickpress/store"
)

// Certificate is what the console certified about a wiped stick. Signed is the
// certificate itself, as a file has it; Statement says in the open what it is
// over.
type Certificate struct {
	ID          string                `json:"id"`
	StickID     string                `json:"stick_id"`
	Fingerprint string                `json:"fingerprint"` // SHA-256 of the key that signed it, hex
	Statement   certificate.Statement `json:"statement"`
	Signed      certificate.Signed    `json:"signed"`
}

// ServerIdentity is the console's public key, by which its certificates are
// checked.
type ServerIdentity struct {
	PublicKey   []byte `json:"public_key"`  // ed25519, 32 bytes
	Fingerprint string `json:"fingerprint"` // its SHA-256, hex
}

// GetCertificate returns a certificate by ID. Faults: certificate_not_found.
func (c *Console) GetCertificate(ctx context.Context, a Actor, id string) (Certificate, error) {
	if err := allow(a, UseGetCertificate); err != nil {
		return Certificate{}, err
	}
	key, err := parse[store.CertificateID]("certificate", id)
	if err != nil {
		return Certificate{}, err
	}
	row, err := c.store.Certificate(ctx, key)
	if err != nil {
		return Certificate{}, err
	}
	s, err := c.store.Stick(ctx, row.StickID)
	if err != nil {
		return Certificate{}, err
	}
	ok, err := c.inScope(ctx, a, s.HostID)
	if err == nil && !ok {
		err = store.NotFound("certificate", id)
	}
	if err != nil {
		return Certificate{}, err
	}
	return certificateOf(&row)
}

// StickCertificates lists a stick's certificates, the newest first, at most
// MaxPage. Faults: stick_not_found.
func (c *Console) StickCertificates(ctx context.Context, a Actor, id string) ([]Certificate, error) {
	s, err := c.findStick(ctx, a, id)
	if err != nil {
		return nil, err
	}
	rows, err := c.store.StickCertificates(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	out := make([]Certificate, len(rows))
	for i := range rows {
		if out[i], err = certificateOf(&rows[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// certificateOf reads a kept certificate, and finds out if it is not what was
// kept.
func certificateOf(row *store.Certificate) (Certificate, error) {
	out := Certificate{
		ID: row.ID.String(), StickID: row.StickID.String(),
		Signed: certificate.Signed{Protected: row.Protected, Payload: row.Payload, Signature: row.Signature},
	}
	var key ed25519.PublicKey
	var err error
	out.Statement, key, err = out.Signed.Verify()
	out.Fingerprint = certificate.Fingerprint(key)
	return out, err
}

// Identity returns the console's public key, which certificates are checked
// by. Keep its fingerprint somewhere else than the certificates.
func (c *Console) Identity(ctx context.Context, a Actor) (ServerIdentity, error) {
	if err := allow(a, UseGetCertificate); err != nil {
		return ServerIdentity{}, err
	}
	key, err := c.ServerKey(ctx)
	if err != nil {
		return ServerIdentity{}, err
	}
	public := key.Public().(ed25519.PublicKey)
	return ServerIdentity{PublicKey: public, Fingerprint: certificate.Fingerprint(public)}, nil
}
