package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Certificate is what the console said about a wiped stick, once and for all:
// the parts of a signature (api/certificate), which this package does not read.
type Certificate struct {
	ID        CertificateID
	StickID   StickID
	BuildID   BuildID
	Protected string
	Payload   string
	Signature string
	IssuedAt  time.Time
}

const certificateColumns = `id, stick_id, build_id, protected, payload, signature, issued_at`

// Certificate finds a certificate, or fails with certificate_not_found.
func (r Reader) Certificate(ctx context.Context, id CertificateID) (Certificate, error) {
	return one[Certificate](ctx, r.db, "certificate", id,
		`SELECT `+certificateColumns+` FROM certificates WHERE id = @id`, pgx.NamedArgs{"id": id})
}

// StickCertificates lists a stick's certificates, the newest first, at most 50.
func (r Reader) StickCertificates(ctx context.Context, id StickID) ([]Certificate, error) {
	return many[Certificate](ctx, r.db, "certificates",
		`SELECT `+certificateColumns+` FROM certificates WHERE stick_id = @id ORDER BY id DESC LIMIT 50`,
		pgx.NamedArgs{"id": id})
}

// BuildCertificates says which of the builds have a certificate.
func (r Reader) BuildCertificates(ctx context.Context, builds []BuildID) (map[BuildID]CertificateID, error) {
	rows, _ := r.db.Query(ctx, `SELECT build_id, id FROM certificates WHERE build_id = ANY (@builds)`,
		pgx.NamedArgs{"builds": builds})
	found := make(map[BuildID]CertificateID, len(builds))
	var build BuildID
	var id CertificateID
	_, err := pgx.ForEachRow(rows, []any{&build, &id}, func() error {
		found[build] = id
		return nil
	})
	return found, fail(err, "find certificates")
}

// IssueCertificate keeps a certificate. A build has at most one.
func (tx *Tx) IssueCertificate(ctx context.Context, c Certificate) error {
	_, err := tx.tx.Exec(ctx,
		`INSERT INTO certificates (`+certificateColumns+`)
		VALUES (@id, @stick_id, @build_id, @protected, @payload, @signature, @issued_at)`,
		pgx.NamedArgs{
			"id": c.ID, "stick_id": c.StickID, "build_id": c.BuildID, "protected": c.Protected, "payload": c.Payload,
			"signature": c.Signature, "issued_at": c.IssuedAt,
		})
	return fail(err, "keep a certificate")
}
