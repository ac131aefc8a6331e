package api

import (
	"cmp"
	"context"
	"crypto/ed25519"

	"github.com/stickpress/stickpress/api/certificate"
	"github.com/stickpress/stickpress/store"
)

// certify issues the certificates of sticks that were wiped, in the
// transaction that says so.
func certify(ctx context.Context, tx *store.Tx, key ed25519.PrivateKey, wiped []store.Wiped) error {
	n := &names{r: tx.Reader}
	for i := range wiped {
		w := &wiped[i]
		s, err := statementOf(ctx, n, w)
		if err != nil {
			return err
		}
		signed, err := certificate.Sign(&s, key)
		if err != nil {
			return err
		}
		err = tx.IssueCertificate(ctx, store.Certificate{
			ID: w.CertificateID, StickID: w.Stick.ID, BuildID: w.Build.ID, Protected: signed.Protected,
			Payload: signed.Payload, Signature: signed.Signature, IssuedAt: s.IssuedAt,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// statementOf is what there is to say. Its times are those of history.
func statementOf(ctx context.Context, n *names, w *store.Wiped) (certificate.Statement, error) {
	k, j, b := &w.Stick, &w.Job, &w.Build
	s := certificate.Statement{
		ID: w.CertificateID.String(), IssuedAt: k.UpdatedAt,
		Stick: certificate.Medium{
			ID: k.ID.String(), Kind: k.Kind, Vendor: k.Vendor, Model: k.Model, VIDPID: k.VIDPID, Serial: k.Serial,
			Bytes: k.Bytes, Holder: w.Holder,
		},
		Wipe: certificate.Erasure{
			WipeResult: *b.Result.Wipe, BytesWritten: b.Result.BytesWritten, BytesRead: b.Result.BytesVerified,
			BegunAt: *b.StartedAt, EndedAt: *b.EndedAt,
		},
		Job: certificate.Order{
			ID: j.ID.String(), Build: b.ID.String(), Attempt: b.Attempt, Reference: b.Reference, AskedAt: j.CreatedAt,
		},
		Host:    certificate.Party{Kind: "host", ID: j.HostID.String()},
		AskedBy: certificate.Party{Kind: string(j.CreatedByKind), ID: actorID(j.CreatedByKind, j.CreatedByID)},
	}
	var err error
	if s.Host.Name, err = n.host(ctx, j.HostID); err != nil {
		return s, err
	}
	if s.AskedBy.Name, err = n.person(ctx, j.CreatedByKind, j.CreatedByID); err != nil {
		return s, err
	}
	s.Judge()
	return s, nil
}

// person names whoever asked so that a stranger knows who that is: a person
// with login, a program with its owner.
func (n *names) person(ctx context.Context, kind store.ActorKind, id store.ActorID) (string, error) {
	name, err := n.actor(ctx, kind, id)
	if err != nil || kind != store.ActorUser && kind != store.ActorToken {
		return name, err
	}
	owner := store.UserID(id)
	if kind == store.ActorToken {
		t, err := n.r.APIToken(ctx, store.TokenID(id))
		if err != nil {
			return "", err
		}
		owner = t.UserID
	}
	u, err := n.r.User(ctx, owner)
	if err != nil {
		return "", err
	}
	full := cmp.Or(u.Name, u.Login)
	if full != u.Login {
		full += " (" + u.Login + ")"
	}
	if kind == store.ActorToken {
		return name + ", " + full, nil
	}
	return full, nil
}

// certificates notes which of a job's builds have one.
func (n *names) certificates(ctx context.Context, j *store.Job, builds []Build) error {
	ids := make([]store.BuildID, 0, len(j.Builds))
	for i := range j.Builds {
		if r := j.Builds[i].Result; r != nil && r.Wipe != nil {
			ids = append(ids, j.Builds[i].ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := n.r.BuildCertificates(ctx, ids)
	for i := range j.Builds {
		builds[i].CertificateID = found[j.Builds[i].ID].String()
	}
	return err
}
